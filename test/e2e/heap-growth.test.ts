import { type ChildProcess, spawn } from 'node:child_process'
import { createRequire } from 'node:module'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { Agent, request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type EchoUpstream, startEchoUpstream } from '../support/echo-upstream.ts'
import { type Issuer, startIssuer } from '../support/issuer.ts'
import { freePort } from '../support/running-postern.ts'

const ROOT = join(import.meta.dirname, '..', '..')
const { entryOf } = createRequire(import.meta.url)('../../bin/entry.cjs') as { readonly entryOf: (root: string) => string }
// A small young generation is collected often: every 20 ms, so no audit log, whose lines wait as long. Without the last compiler nothing is optimised away, so what is made is what is written.
const FLAGS = ['--trace-gc', '--max-semi-space-size=1', '--no-turbofan']
const REQUESTS = 1_500
/** Kilobytes a request may leave among the old objects: what is compiled on the way, and what is counted. An exchange is 6 kB. */
const MOST = 1

let issuer: Issuer
let upstream: EchoUpstream
let folder: string
let postern: ChildProcess
let port: number
let trace = ''

/** Megabytes in use after each collection so far, full ones left out. */
const kept = (): number[] => [...trace.matchAll(/: Scavenge [\d.]+ \([\d.]+\) -> ([\d.]+) /g)].map(([, megabytes]) => Number(megabytes))

beforeAll(async () => {
  issuer = await startIssuer()
  upstream = await startEchoUpstream({ answer: (incoming, response) => void incoming.resume().on('end', () => response.setHeader('content-length', 2).end('ok')) })
  folder = mkdtempSync(join(tmpdir(), 'postern-e2e-growth-'))
  port = await freePort()
  const config = join(folder, 'postern.yaml')
  writeFileSync(config, `
version: 1
listen: 127.0.0.1:${port}
ops: off
upstream: http://127.0.0.1:${upstream.port}
client_ip: { trusted_proxies: [127.0.0.1] }
forward_auth: {}
auth:
  - jwt: { issuer: "${issuer.url}", audience: api }
rate_limit:
  - { name: hour, key: principal, limit: 1000000, window: 1h }
log: { level: warn }
audit: off
`)
  postern = spawn(process.execPath, [...FLAGS, entryOf(ROOT), 'run', '--config', config], { stdio: ['ignore', 'pipe', 'inherit'], env: { PATH: process.env['PATH'] } })
  postern.stdout?.on('data', (chunk: Buffer) => (trace += chunk.toString()))
}, 60_000)
afterAll(async () => {
  postern.kill('SIGKILL')
  await issuer.close()
  await upstream.close()
  rmSync(folder, { recursive: true })
})

const CHECK = { 'x-forwarded-for': '203.0.113.7', 'x-forwarded-host': 'api.example', 'x-forwarded-proto': 'https', 'x-forwarded-method': 'GET', 'x-forwarded-uri': '/a' }

describe('of what is over, nothing is kept among the old objects', () => {
  const agent = new Agent({ keepAlive: true, maxSockets: 4 })
  const ask = (method: string, path: string, headers: Readonly<Record<string, string>>, body: string): Promise<number> =>
    new Promise((resolve) => {
      const asked = request({ port, agent, method, path, headers }, (answer) => void answer.resume().on('end', () => resolve(answer.statusCode ?? 0)))
      asked.on('error', () => resolve(0)).end(body)
    })

  it.each([
    ['a request that is passed on', 200, 'GET', '/a', {}, ''],
    ['a request with a body', 200, 'POST', '/a', { 'content-length': '5' }, 'hello'],
    ['a refusal', 401, 'GET', '/a', { authorization: 'Bearer no' }, ''],
    ['a check of a proxy', 200, 'GET', '/_postern/forward', CHECK, ''],
  ] as const)('%s', async (_what, status, method, path, headers, body) => {
    const authorization = `Bearer ${await issuer.mint()}`
    const rounds = async (count: number): Promise<void> => {
      for (let done = 0; done < count; done += 4) expect(await Promise.all([1, 2, 3, 4].map(() => ask(method, path, { authorization, ...headers }, body)))).toEqual([status, status, status, status])
    }
    while (postern.exitCode === null && (await ask(method, path, { authorization, ...headers }, body)) === 0) await wait(50)
    await rounds(REQUESTS)
    const before = kept().length
    await rounds(REQUESTS)
    const during = kept().slice(before)
    expect(during.length).toBeGreaterThan(5)
    expect(((during.at(-1)! - during[0]!) * 1024) / REQUESTS).toBeLessThan(MOST)
  }, 60_000)
})
