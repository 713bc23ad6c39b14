import { spawn, type ChildProcess } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parse, stringify } from 'yaml'
import { freePort } from '../support/running-postern.ts'
import { imageSizes } from '../support/image-sizes.ts'
import { BASES, makeBases, missingForImages, openWorkshop, type Workshop } from '../support/image-workshop.ts'

const ROOT = join(import.meta.dirname, '..', '..')
const IMAGE = 'localhost/postern:test'
const KEY = 'a-key-of-this-test-and-no-other'

const reason = missingForImages()
if (reason !== undefined) process.stderr.write(`SKIPPED: the image is not built and run: ${reason}\n`)

/** A program that runs beside a container, in its network. */
function beside(pid: string, script: string): { child: ChildProcess; said: (text: string) => Promise<string> } {
  const child = spawn('nsenter', ['-t', pid, '-n', process.execPath, '-e', script], { stdio: ['ignore', 'pipe', 'inherit'] })
  let output = ''
  child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()))
  const said = async (text: string): Promise<string> => {
    for (let tries = 0; tries < 200 && !output.includes(text); tries += 1) await wait(50)
    return output
  }
  return { child, said }
}

describe.skipIf(reason !== undefined)('the image, built by the Dockerfile as it is', () => {
  let shop: Workshop
  beforeAll(() => {
    shop = openWorkshop()
    makeBases(shop)
    shop.run('buildah', 'bud', '--isolation', 'chroot', '--pull-never', '--format', 'docker', '-t', IMAGE, '-f', join(ROOT, 'Dockerfile'), ROOT)
  }, 900_000)
  afterAll(() => shop.close(), 60_000)

  it('adds at most 15 MB of compressed layers to its base', () => {
    const { base, application: ours, total } = imageSizes(shop, IMAGE)
    process.stderr.write(`image, compressed: base ${base} bytes, application ${ours} bytes, total ${total} bytes\n`)
    expect(ours).toBeGreaterThan(100_000)
    expect(ours).toBeLessThan(15_000_000)
  }, 120_000)

  describe('on a read-only root, without capabilities and without a network', () => {
    const NAME = 'postern-alone'
    let pid: string
    beforeAll(() => {
      const folder = join(shop.folder, 'config')
      mkdirSync(folder, { recursive: true })
      writeFileSync(join(folder, 'postern.yaml'), `version: 1\nupstream: http://127.0.0.1:3000\nclient_ip: { direct: true }\nroutes: [{ auth: none }]\ndrain: { delay: 0 }\n`)
      shop.try('podman', 'rm', '-f', NAME)
      shop.run('podman', 'run', '-d', '--name', NAME, '--pull=never', '--network', 'none', '--read-only', '--read-only-tmpfs=false', '--cap-drop=ALL', '--security-opt=no-new-privileges', '--memory', '192m', '-v', `${folder}:/etc/postern:ro`, IMAGE)
      pid = shop.run('podman', 'inspect', '-f', '{{.State.Pid}}', NAME).trim()
    }, 60_000)
    afterAll(() => void shop.try('podman', 'rm', '-f', NAME), 60_000)
    const exec = (...args: string[]): { status: number | null; output: string } => shop.try('podman', 'exec', NAME, '/nodejs/bin/node', ...args)

    it('is user 65532, can gain nothing and change nothing', () => {
      const status = readFileSync(`/proc/${pid}/status`, 'utf8')
      expect(/^Uid:\s+(.*)$/m.exec(status)?.[1]).toBe('65532\t65532\t65532\t65532')
      expect(status).toMatch(/^CapEff:\t0+$/m)
      expect(status).toMatch(/^NoNewPrivs:\t1$/m)
      for (const path of ['/app/dist/main.js', '/app/new', '/tmp/new']) expect(exec('-e', `fs.appendFileSync(${JSON.stringify(path)}, '')`)).toMatchObject({ status: 1, output: expect.stringMatching(/EROFS|EACCES|ENOENT/) })
    })

    it('has a heap that its memory holds', () => {
      expect(Number(exec('--max-old-space-size-percentage=60', '-p', 'v8.getHeapStatistics().heap_size_limit').output)).toBeLessThan(192 * 2 ** 20)
    })

    it('is healthy by its own check', async () => {
      for (let tries = 0; tries < 40 && shop.try('podman', 'healthcheck', 'run', NAME).status !== 0; tries += 1) await wait(250)
      expect(shop.try('podman', 'healthcheck', 'run', NAME)).toMatchObject({ status: 0 })
    }, 60_000)

    it('finishes a request that is under way when SIGTERM comes, and ends with 0', async () => {
      const upstream = beside(pid, `require('node:http').createServer((request, response) => { console.log('asked'); setTimeout(() => response.end('late'), 1500) }).listen(3000, '127.0.0.1', () => console.log('up'))`)
      try {
        await upstream.said('up')
        const client = beside(pid, `fetch('http://127.0.0.1:8080/').then(async (response) => console.log(response.status, await response.text(), 'done'), (error) => console.log(String(error), 'done'))`)
        expect(await upstream.said('asked')).toContain('asked')
        shop.run('podman', 'kill', '--signal', 'TERM', NAME)
        expect(await client.said('done')).toBe('200 late done\n')
        expect(shop.run('podman', 'wait', NAME).trim()).toBe('0')
      } finally {
        upstream.child.kill()
      }
    }, 60_000)
  })

  describe('in a pod, as the second container beside an API on loopback', () => {
    let file: string
    let port: number
    beforeAll(async () => {
      port = await freePort()
      // The container that is shipped, but for what podman does not do: it would run probes as curl, in the container, and knows no status.podIP.
      const shipped = parse(readFileSync(join(ROOT, 'deploy', 'kubernetes', 'second-container', 'kustomization.yaml'), 'utf8')) as { patches: { patch: string }[] }
      const { containers, volumes } = (parse(shipped.patches[0]!.patch) as { spec: { template: { spec: { containers: Record<string, unknown>[]; volumes: unknown } } } }).spec.template.spec
      const { startupProbe: _startup, readinessProbe: _ready, livenessProbe: _live, env, ...rest } = containers[0]!
      const api = { name: 'api', image: BASES.runtime, args: ['-e', `require('node:http').createServer((request, response) => response.end(JSON.stringify(request.headers))).listen(3000, '127.0.0.1')`] }
      const config = `version: 1\nupstream: http://127.0.0.1:3000\nclient_ip: { direct: true }\nauth: [{ api_keys: { header: X-API-Key, keys_csv: ${KEY} } }]\n`
      file = join(shop.folder, 'pod.yaml')
      writeFileSync(file, [
        { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'postern' }, data: { 'postern.yaml': config } },
        { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'postern-pod' }, spec: { containers: [api, { ...rest, env: (env as { value?: string }[]).filter(({ value }) => value !== undefined), image: IMAGE, ports: [{ containerPort: 8080, hostPort: port, hostIP: '127.0.0.1' }] }], volumes } },
      ].map((each) => stringify(each, { aliasDuplicateObjects: false })).join('---\n'))
      shop.run('podman', 'kube', 'play', '--network', 'slirp4netns', file)
      for (let tries = 0; tries < 80; tries += 1) {
        if (await fetch(`http://127.0.0.1:${port}/`).then(() => true, () => false)) break
        await wait(250)
      }
    }, 120_000)
    afterAll(() => void shop.try('podman', 'kube', 'down', file), 60_000)

    it('nobody is refused, a key is let in as who it is, and what the client claims is gone', async () => {
      expect((await fetch(`http://127.0.0.1:${port}/`)).status).toBe(401)
      const answer = await fetch(`http://127.0.0.1:${port}/`, { headers: { 'X-API-Key': KEY, 'X-User-Id': 'admin' } })
      const seen = (await answer.json()) as Record<string, string>
      expect([answer.status, seen['x-user-id'], seen['x-api-key']]).toEqual([200, expect.stringMatching(/^client-/), undefined])
    })

    it('the API is reached by it alone', () => {
      const { output } = shop.try('podman', 'exec', 'postern-pod-postern', '/nodejs/bin/node', '/app/dist/main.js', 'doctor', '--config', '/etc/postern/postern.yaml')
      expect(output).toMatch(/✓ bypass +port 3000 answers on loopback alone/)
    })

    it('ends with 0 when the pod is stopped', () => {
      shop.run('podman', 'pod', 'stop', 'postern-pod')
      expect(shop.run('podman', 'inspect', '-f', '{{.State.ExitCode}}', 'postern-pod-postern').trim()).toBe('0')
    }, 60_000)
  })
})
