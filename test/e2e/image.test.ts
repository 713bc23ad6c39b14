import { execFileSync, spawn, spawnSync } from 'node:child_process'
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { setTimeout as wait } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { freePort } from '../support/running-postern.ts'

const ROOT = join(import.meta.dirname, '..', '..')
const { NODE_ENVIRONMENT, NODE_FLAGS } = createRequire(import.meta.url)('../../bin/node-flags.cjs') as { readonly NODE_ENVIRONMENT: Readonly<Record<string, string>>; readonly NODE_FLAGS: readonly string[] }

/** Instructions of the last stage, continuation lines joined. */
const stage = readFileSync(join(ROOT, 'Dockerfile'), 'utf8').replaceAll(/\\\n/g, ' ').split(/^FROM /m).at(-1)!
const listOf = (instruction: string): string[] => JSON.parse(new RegExp(`^${instruction} .*?(\\[.*\\])$`, 'm').exec(stage)![1]!) as string[]

describe('the image', () => {
  it('runs as nobody, without a shell, and says how to end it', () => {
    expect(stage).toMatch(/^USER 65532:65532$/m)
    expect(stage).toMatch(/^STOPSIGNAL SIGTERM$/m)
    // Exec forms alone: there is no shell to run another.
    expect(stage).not.toMatch(/^(RUN|ADD) /m)
    for (const instruction of ['ENTRYPOINT', 'CMD', 'HEALTHCHECK']) expect(listOf(instruction).length).toBeGreaterThan(1)
    // As the launcher starts it.
    expect(listOf('ENTRYPOINT')).toEqual(expect.arrayContaining([...NODE_FLAGS]))
    for (const [name, value] of Object.entries(NODE_ENVIRONMENT)) expect(stage).toMatch(new RegExp(`^ENV ${name}=${value}$`, 'm'))
    for (const label of ['title', 'description', 'source', 'licenses', 'version', 'revision', 'created', 'base.name']) expect(stage).toContain(`org.opencontainers.image.${label}=`)
    expect(stage).toContain('COPY --from=build --chown=0:0 /build/dist ./dist')
    // Without its `type` Node compiles each file twice.
    expect(stage).toContain('COPY --from=build --chown=0:0 /build/package.json ./package.json')
  })

  it('everything that the build copies is let in, and nothing else', () => {
    const ignored = readFileSync(join(ROOT, '.dockerignore'), 'utf8').trim().split('\n')
    expect(ignored[0]).toBe('*')
    for (const path of ignored.slice(1)) expect(existsSync(join(ROOT, path.slice(1))), path).toBe(true)
    expect(ignored.join('\n')).not.toMatch(/\.env|\.git\b|test|\.postern/)
  })
})

describe('what the image holds, alone in a folder', () => {
  let folder: string
  const node = process.execPath
  /** The command of the image, with our Node for the one in it. */
  const argv = (instruction: string): string[] => listOf(instruction).slice(1).map((argument) => argument.replace('/app/', `${folder}/`))
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'postern-image-'))
    // Built afresh, beside the one that others may be running from.
    cpSync(ROOT, join(folder, 'build'), { recursive: true, filter: (path) => !/^\/(node_modules|dist|\.git|test|docs|bench|\.postern)(\/|$)/.test(path.slice(ROOT.length)) })
    execFileSync('ln', ['-s', join(ROOT, 'node_modules'), join(folder, 'build', 'node_modules')])
    execFileSync(node, ['scripts/build.cjs'], { cwd: join(folder, 'build') })
    cpSync(join(folder, 'build', 'dist'), join(folder, 'dist'), { recursive: true })
    cpSync(join(folder, 'build', 'package.json'), join(folder, 'package.json'))
    rmSync(join(folder, 'build'), { recursive: true })
  }, 60_000)
  afterAll(() => rmSync(folder, { recursive: true, force: true }))

  /** Starts it, with further flags of Node, and waits until it is healthy. */
  const started = async (flags: readonly string[] = [], more: NodeJS.ProcessEnv = {}) => {
    const [port, ops] = [await freePort(), await freePort()]
    writeFileSync(join(folder, 'postern.yaml'), `version: 1\nlisten: 127.0.0.1:${port}\nops: 127.0.0.1:${ops}\nupstream: http://127.0.0.1:1\nroutes: [{ auth: none }]\ndrain: { delay: 0 }\nclient_ip: { direct: true }\n`)
    const env = { PATH: '/nowhere', NODE_ENV: 'production' }
    const child = spawn(node, [...flags, ...argv('ENTRYPOINT'), 'run', '--config', join(folder, 'postern.yaml')], { cwd: folder, env: { ...env, ...more }, stdio: 'pipe' })
    const ended = new Promise((resolve) => child.once('exit', resolve))
    const healthy = (): number | null => spawnSync(node, [...argv('HEALTHCHECK'), '--config', join(folder, 'postern.yaml')], { cwd: folder, env }).status
    for (let tries = 0; tries < 40 && healthy() !== 0; tries += 1) await wait(100)
    return { port, child, ended, healthy }
  }

  it('needs no packages: it serves, is healthy, and ends on SIGTERM', async () => {
    const { port, child, ended, healthy } = await started()
    try {
      expect(healthy()).toBe(0)
      expect((await fetch(`http://127.0.0.1:${port}/`)).status).toBe(502)
    } finally {
      child.kill('SIGTERM')
    }
    expect(await ended).toBe(0)
    expect(healthy()).toBe(1)
  })

  it('compiles no more at its start than it needs', async () => {
    const probe = join(folder, 'probe.json')
    const { child, ended } = await started(['--no-warnings', '--expose-internals', '--require', join(ROOT, 'test/support/start-probe.cjs')], { START_PROBE: probe })
    child.kill('SIGTERM')
    expect(await ended).toBe(0)
    const { read, compiled } = JSON.parse(readFileSync(probe, 'utf8')) as { readonly read: readonly string[]; readonly compiled: readonly string[] }
    expect(read.length).toBeGreaterThan(10)
    expect(read.filter((url) => url.endsWith('ioredis.cjs'))).toEqual([])
    // A minified megabyte is 60 ms.
    expect(read.reduce((sum, url) => sum + statSync(new URL(url)).size, 0)).toBeLessThan(1_200_000)
    // Those of Node itself come compiled, for as long as no flag of V8 is set first.
    expect(compiled.length, compiled.join(' ')).toBeLessThan(10)
  })

  it('is at most 15 MB of compressed layers', () => {
    const archive = execFileSync('tar', ['-C', folder, '-cf', '-', 'dist'], { maxBuffer: 200_000_000 })
    expect(gzipSync(archive).length).toBeLessThan(15_000_000)
  })
})
