import { spawnSync, type SpawnSyncReturns } from 'node:child_process'
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onPath } from './callers/process.ts'

/** A container storage of its own in a folder, and the tools on it. Nothing of it is shared with the engine of the machine. */
export interface Workshop {
  readonly folder: string
  /** Runs buildah, podman or another tool and returns its standard output. Throws with all of it when it fails. */
  readonly run: (tool: string, ...args: readonly string[]) => string
  /** Tells the exit code instead of throwing; standard output, then errors. */
  readonly try: (tool: string, ...args: readonly string[]) => { readonly status: number | null; readonly output: string }
  readonly close: () => void
}

const TOOLS = ['buildah', 'podman', 'runc', 'slirp4netns', 'mmdebstrap', 'nsenter']

/** Names in the Dockerfile, which stand-ins made of Debian and this Node get, so that it is built as it is. */
export const BASES = { build: 'docker.io/library/node:26-trixie-slim', runtime: 'gcr.io/distroless/nodejs26-debian13:nonroot' } as const

/**
 * Minutes and a gigabyte, so it is asked for: `POSTERN_IMAGE=1`, or `POSTERN_IMAGE=/folder` to keep the bases for the next time.
 * Says why not, and then the tests are left out.
 */
export function missingForImages(): string | undefined {
  if (!process.env['POSTERN_IMAGE']) return 'POSTERN_IMAGE is not set'
  if (process.getuid?.() !== 0) return 'it takes root'
  const absent = TOOLS.filter((tool) => !onPath(tool))
  return absent.length > 0 ? `not installed: ${absent.join(', ')}` : undefined
}

/** Works without systemd, with cgroups of either kind, and without the right to raise limits. */
const engineIn = (folder: string): string => `[containers]
default_ulimits = ["nofile=20000:20000", "nproc=20000:20000"]
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
# Those of the machine's engine are in memory that all share.
lock_type = "file"
tmp_dir = "${folder}/tmp"
`

export function openWorkshop(): Workshop {
  const asked = process.env['POSTERN_IMAGE'] ?? ''
  const kept = asked.startsWith('/')
  const folder = kept ? asked : mkdtempSync(join(tmpdir(), 'postern-workshop-'))
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, 'storage.conf'), `[storage]\ndriver = "overlay"\nrunroot = "${folder}/run"\ngraphroot = "${folder}/graph"\n`)
  writeFileSync(join(folder, 'containers.conf'), engineIn(folder))
  const env = { ...process.env, CONTAINERS_STORAGE_CONF: join(folder, 'storage.conf'), CONTAINERS_CONF: join(folder, 'containers.conf') }
  const started = (tool: string, args: readonly string[]): SpawnSyncReturns<string> => spawnSync(tool, args, { cwd: folder, env, encoding: 'utf8', maxBuffer: 100_000_000 })
  const attempt: Workshop['try'] = (tool, ...args) => {
    const { status, stdout, stderr } = started(tool, args)
    return { status, output: `${stdout}${stderr}` }
  }
  const run: Workshop['run'] = (tool, ...args) => {
    const { status, stdout, stderr } = started(tool, args)
    if (status !== 0) throw new Error(`${tool} ${args[0]} ended with ${status}:\n${`${stdout}${stderr}`.slice(-3_000)}`)
    return stdout
  }
  return {
    folder, run, try: attempt,
    close: () => {
      if (kept) return
      // The engine leaves its storage mounted on itself.
      spawnSync('umount', ['--lazy', join(folder, 'graph', 'overlay')])
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

/** Packages from the registry need the certificates that this machine trusts. */
const BUILD_BASE = `FROM scratch
ADD root.tar /
COPY node /usr/local/bin/node
COPY package /usr/local/lib/node_modules/npm
COPY trusted.pem /etc/ssl/certs/trusted.pem
RUN ln -s ../lib/node_modules/npm/bin/npm-cli.js /usr/local/bin/npm
ENV NODE_EXTRA_CA_CERTS=/etc/ssl/certs/trusted.pem
`
const RUNTIME_BASE = `FROM scratch
ADD root.tar /
COPY node /nodejs/bin/node
USER 65532:65532
ENTRYPOINT ["/nodejs/bin/node"]
`

function makeBase({ run, folder }: Workshop, { name, variant, packages, dockerfile }: { name: keyof typeof BASES; variant: string; packages: string; dockerfile: string }): void {
  const place = join(folder, name)
  mkdirSync(place, { recursive: true })
  run('mmdebstrap', `--variant=${variant}`, `--include=${packages}`, 'trixie', join(place, 'root.tar'))
  copyFileSync(process.execPath, join(place, 'node'))
  if (name === 'build') {
    run('npm', 'pack', 'npm@11', '--pack-destination', place, '--silent')
    run('sh', '-c', `cd '${place}' && tar xzf npm-11*.tgz && rm npm-11*.tgz`)
    writeFileSync(join(place, 'trusted.pem'), readFileSync(process.env['NODE_EXTRA_CA_CERTS'] ?? '/etc/ssl/certs/ca-certificates.crt'))
  }
  writeFileSync(join(place, 'Dockerfile'), dockerfile)
  run('buildah', 'bud', '--isolation', 'chroot', '--pull-never', '-t', BASES[name], place)
  rmSync(place, { recursive: true })
}

/** Makes both bases, unless the storage has them. */
export function makeBases(workshop: Workshop): void {
  const has = (name: keyof typeof BASES): boolean => existsSync(join(workshop.folder, 'graph')) && workshop.try('podman', 'image', 'exists', BASES[name]).status === 0
  if (!has('build')) makeBase(workshop, { name: 'build', variant: 'minbase', packages: 'ca-certificates,libatomic1', dockerfile: BUILD_BASE })
  if (!has('runtime')) makeBase(workshop, { name: 'runtime', variant: 'extract', packages: 'libc6,libgcc-s1,libstdc++6,libatomic1,ca-certificates,tzdata,netbase,base-files', dockerfile: RUNTIME_BASE })
}
