import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { limitLoad, percentile } from '../support/limit-load.ts'
import { eventually, redisInstalled, startRedis, type RedisServer } from '../support/redis.ts'
import { startPostern, type RunningPostern } from '../support/running-postern.ts'

const available = redisInstalled()

const config = (upstream: string, redis: string): string => `
version: 1
listen: \${LISTEN}
ops: \${OPS_LISTEN}
upstream: ${upstream}
client_ip: {direct: true}
audit: "off"
drain: {delay: 0s, timeout: 2s}
store: {url: ${redis}, secret: not-really-secret, share: 1/2}
auth:
  - api_keys: {keys: [{id: k1, value: key-number-one, subject: one}]}
routes:
  - {name: local, match: {path: /local}, rate_limit: [{name: local, key: credential, limit: 100/day}]}
  - {name: strict, match: {path: /strict}, rate_limit: [{name: strict, key: credential, limit: 1000000/day, on_store_error: deny}]}
  - {name: open, match: {path: /open}, rate_limit: [{name: open, key: credential, limit: 1/day, on_store_error: allow}]}
`

describe.skipIf(!available)('a process whose store is away', () => {
  let folder = ''
  let redis: RedisServer
  let upstream: Server
  let postern: RunningPostern

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'postern-limits-'))
    redis = await startRedis({ config: ['appendonly yes'] })
    upstream = createServer((_request, response) => response.end('ok'))
    await new Promise<void>((resolve) => upstream.listen(0, '127.0.0.1', resolve))
    const address = upstream.address()
    const file = join(folder, 'postern.yaml')
    writeFileSync(file, config(`http://127.0.0.1:${typeof address === 'object' && address ? address.port : 0}`, redis.url))
    postern = await startPostern({ config: file })
  }, 60_000)

  afterAll(async () => {
    await postern?.stop()
    upstream?.closeAllConnections()
    upstream?.close()
    await redis?.stop()
    rmSync(folder, { recursive: true, force: true })
  })

  const statuses = async (path: string, requests: number, connections = 10): Promise<Record<number, number>> => {
    const answers = await limitLoad({ urls: [postern.url + path], connections, requests, headersOf: () => ({ 'x-api-key': 'key-number-one' }) })
    const counted: Record<number, number> = {}
    for (const { status } of answers) counted[status] = (counted[status] ?? 0) + 1
    return counted
  }
  const readyz = async (): Promise<string> => (await fetch(`${postern.opsUrl}/readyz?verbose`)).text()

  it('each quota does what it said, and nothing is answered 500', async () => {
    expect(await statuses('/local', 20)).toEqual({ 200: 20 })
    expect(await statuses('/strict', 5)).toEqual({ 200: 5 })
    expect(await statuses('/open', 3)).toEqual({ 200: 1, 429: 2 })
    await redis.kill()
    await eventually(async () => (await readyz()).includes('[!]limits_store degraded'), 'it is noticed')
    // Half of the quota is the share of this replica.
    expect(await statuses('/local', 200)).toEqual({ 200: 50, 429: 150 })
    expect(await statuses('/strict', 5)).toEqual({ 503: 5 })
    // What is known to be refused stays refused; nothing else is.
    expect(await statuses('/open', 3)).toEqual({ 429: 3 })
  })

  it('says so: in the log, as a metric, and without being unready', async () => {
    expect((await fetch(`${postern.opsUrl}/readyz`)).status).toBe(200)
    await expect.poll(() => postern.output()).toContain('store_unavailable')
    const metrics = await (await fetch(`${postern.opsUrl}/metrics`)).text()
    expect(metrics).toMatch(/postern_fail_open_total\{reason="rate_limit_store_local"\} \d+/)
    expect(metrics).toContain('postern_degraded{what="limits_store"} 1')
  })

  it('goes on counting where it was when the store is back', async () => {
    await redis.start()
    await eventually(async () => (await readyz()).includes('[+]limits_store ok'), 'it is asked again')
    expect(await statuses('/local', 100, 1)).toEqual({ 200: 80, 429: 20 })
    await expect.poll(() => postern.output()).toContain('store_recovering')
  })

  it('a store that hangs holds nobody up: the first few wait for the deadline, then nobody asks any more', async () => {
    redis.signal('SIGSTOP')
    const answers = await limitLoad({ urls: [`${postern.url}/strict`], connections: 20, requests: 300, headersOf: () => ({ 'x-api-key': 'key-number-one' }) })
    redis.signal('SIGCONT')
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([503]))
    expect(percentile(answers.map(({ ms }) => ms), 0.5)).toBeLessThan(50)
  })
})
