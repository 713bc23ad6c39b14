import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { limitLoad } from '../support/limit-load.ts'
import { redisInstalled, startRedis, type RedisServer } from '../support/redis.ts'
import { startPostern, type RunningPostern } from '../support/running-postern.ts'

const available = redisInstalled()
const REPLICAS = 4
const CONNECTIONS = 200


const config = (upstream: string, redis: string): string => `
version: 1
listen: \${LISTEN}
ops: \${OPS_LISTEN}
upstream: ${upstream}
client_ip: {direct: true}
audit: "off"
log: {level: warn}
drain: {delay: 0s, timeout: 2s}
# A generous deadline: this test is about exactness, on a machine that may be busy with other things.
store: {url: ${redis}, secret: not-really-secret, deadline: 5s}
auth:
  - api_keys: {keys: [{id: k1, value: key-number-one, subject: one}, {id: k2, value: key-number-two, subject: two}]}
routes:
  - {name: narrow, match: {path: /narrow}, rate_limit: [{name: minute, key: credential, limit: 60/minute}, {name: hour, key: credential, limit: 1000/hour}, {name: day, key: credential, limit: 10000/day}]}
  # The same hour and day without the minute, so that what refused requests spent of them would show.
  - {name: wide, match: {path: /wide}, rate_limit: [{name: hour, key: credential, limit: 1000/hour}, {name: day, key: credential, limit: 10000/day}]}
`

describe.skipIf(!available)('four processes that share one redis', () => {
  let folder = ''
  let file = ''
  let redis: RedisServer
  let upstream: Server
  let replicas: RunningPostern[] = []
  let served = 0

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'postern-limits-'))
    redis = await startRedis()
    upstream = createServer((_request, response) => {
      served += 1
      response.end('ok')
    })
    await new Promise<void>((resolve) => upstream.listen(0, '127.0.0.1', resolve))
    const address = upstream.address()
    file = join(folder, 'postern.yaml')
    writeFileSync(file, config(`http://127.0.0.1:${typeof address === 'object' && address ? address.port : 0}`, redis.url))
    replicas = await Promise.all(Array.from({ length: REPLICAS }, () => startPostern({ config: file })))
  }, 60_000)

  afterAll(async () => {
    await Promise.all(replicas.map((replica) => replica.stop()))
    upstream?.closeAllConnections()
    upstream?.close()
    await redis?.stop()
    rmSync(folder, { recursive: true, force: true })
  })

  const load = (path: string, requests: number, key: string) =>
    limitLoad({ urls: replicas.map(({ url }) => url + path), connections: CONNECTIONS, requests, headersOf: () => ({ 'x-api-key': key }) })

  const scriptCalls = async (): Promise<number> => Number(/cmdstat_evalsha:calls=(\d+)/.exec(String(await redis.command('INFO', 'commandstats')))?.[1] ?? 0)

  it('admit exactly the quota of the narrowest window, and refused requests spend nothing of the others', async () => {
    const before = served
    const answers = await load('/narrow', 1_500, 'key-number-one')
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200, 429]))
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(60)
    expect(served - before).toBe(60)
    // 60 are spent of the hour: 940 are left, although 1,440 were refused.
    const rest = await load('/wide', 1_200, 'key-number-one')
    expect(rest.filter(({ status }) => status === 200)).toHaveLength(940)
    expect(rest.filter(({ status }) => status === 429)).toHaveLength(260)
    const shown = await replicas[0]!.command('limits', 'show', '--config', file, '--partition', 'credential:api_keys:k1', '--json')
    const used = Object.fromEntries((JSON.parse(shown.stdout) as { limits: { policyId: string; used: number }[] }).limits.map((limit) => [limit.policyId, limit.used]))
    expect(used).toEqual({ minute: 60, hour: 1_000, day: 1_000 })
  })

  it('ask the store once for a request, and not at all for one that is known to be refused', async () => {
    const before = await scriptCalls()
    const admitted = await load('/wide', 200, 'key-number-two')
    expect(admitted.every(({ status }) => status === 200)).toBe(true)
    expect((await scriptCalls()) - before).toBe(200)
    const blocked = await scriptCalls()
    expect((await load('/wide', 400, 'key-number-one')).every(({ status }) => status === 429)).toBe(true)
    expect((await scriptCalls()) - blocked).toBe(0)
  })

  it('say every window, and when a refused request may come again', async () => {
    const [refused] = await load('/wide', 1, 'key-number-one')
    expect(refused?.headers['ratelimit-policy']).toBe('"hour";q=1000;w=3600, "day";q=10000;w=86400')
    expect(String(refused?.headers['ratelimit'])).toMatch(/^"hour";r=0;t=\d+, "day";r=9000;t=\d+$/)
    const wait = Number(refused?.headers['retry-after'])
    expect(wait).toBeGreaterThan(3_500)
    expect(wait).toBeLessThanOrEqual(3_600)
  })

  it('forget a counter when an operator says so, all of them within seconds', async () => {
    const reset = await replicas[1]!.command('limits', 'reset', '--config', file, '--partition', 'credential:api_keys:k1', '--policy', 'hour', '--json')
    expect(JSON.parse(reset.stdout)).toEqual({ reset: 1 })
    await new Promise((resolve) => setTimeout(resolve, 2_200))
    const answers = await load('/wide', 40, 'key-number-one')
    expect(answers.map(({ status }) => status).filter((status) => status !== 200)).toEqual([])
  })

  it('name the store among what /readyz looks at', async () => {
    expect(await (await fetch(`${replicas[0]!.opsUrl}/readyz?verbose`)).text()).toContain('[+]limits_store ok')
  })
})

