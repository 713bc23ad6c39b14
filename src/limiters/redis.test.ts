import { randomBytes } from 'node:crypto'
import { assert, asyncProperty } from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createAuthority } from '../../test/support/certificates.ts'
import { policy } from '../../test/support/described.ts'
import { scenario } from '../../test/support/limit-arbitraries.ts'
import { createLimitModel } from '../../test/support/limit-model.ts'
import { eventually, freePort, redisInstalled, startRedis, type RedisServer } from '../../test/support/redis.ts'
import { SILENT } from '../model/event.ts'
import { limiterContract } from './limiter.contract.ts'
import type { Charge, ServiceLimit } from '../model/quota.ts'
import { createMemoryLimiter } from './memory.ts'
import { createRedisLimiter, type RedisLimiter, type RedisLimiterSettings } from './redis.ts'

const available = redisInstalled()
let server: RedisServer
const open: RedisLimiter[] = []

function create(more: Partial<RedisLimiterSettings> = {}, deadlineMs = 1_000): RedisLimiter {
  const limiter = createRedisLimiter({
    store: { kind: 'single', nodes: [{ host: '127.0.0.1', port: server.port }], deadlineMs },
    prefix: `t${randomBytes(6).toString('hex')}`,
    secret: new Uint8Array(32),
    share: 1,
    observer: SILENT,
    time: 'caller',
    ...more,
  })
  open.push(limiter)
  return limiter
}

describe.skipIf(!available)('on a real redis', () => {
  beforeAll(async () => {
    server = await startRedis()
  })
  afterAll(async () => {
    for (const limiter of open) await limiter.close()
    await server?.stop()
  })

  limiterContract('the redis limiter', async () => {
    const limiter = create()
    await limiter.ready()
    expect(limiter.state().status).toBe('serving')
    return limiter
  })

  /** Calls of the scripts, as the store counts them. */
  const scriptCalls = async (): Promise<number> => {
    const info = String(await server.command('INFO', 'commandstats'))
    return ['eval', 'evalsha'].reduce((sum, name) => sum + Number(new RegExp(`cmdstat_${name}:calls=(\\d+)`).exec(info)?.[1] ?? 0), 0)
  }

  it('agrees with a simple model and with memory, decision by decision and number by number', async () => {
    const limiter = create()
    await limiter.ready()
    let run = 0
    await assert(
      asyncProperty(scenario, async ({ steps }) => {
        run += 1
        const memory = createMemoryLimiter()
        const model = createLimitModel()
        let now = 1_700_000_000_000
        for (const { afterMs, charges } of steps) {
          now += afterMs
          const own = charges.map((charge) => ({ ...charge, partition: `${run}:${charge.partition}` }))
          const limits = await limiter.consume(own, now)
          expect(limits.map(({ exceeded }) => exceeded)).toEqual(refusalsOf(model.judge(own, now), own, limits))
          const kept = memory.consume(own, now)
          // What is refused from memory tells the other windows as last seen; whatever is let through is told exactly.
          if (!limits.some(refuses)) expect(limits).toEqual(kept)
          expect(limits.some(refuses)).toBe(kept.some(refuses))
        }
      }),
      { numRuns: 60 },
    )
  })

  it('decides all windows and partitions of a call in one round trip, and a refusal that is known in none', async () => {
    const limiter = create({ time: 'store' })
    await limiter.ready()
    const minute = policy({ id: 'minute', quota: 5 })
    const hour = policy({ id: 'hour', name: 'hour', quota: 50, windowMs: 3_600_000 })
    const charges = [{ policy: minute, partition: 'ip:192.0.2.1', cost: 1 }, { policy: hour, partition: 'ip:192.0.2.1', cost: 1 }, { policy: hour, partition: 'principal:jwt:alice', cost: 1 }]
    const before = await scriptCalls()
    for (let n = 0; n < 5; n += 1) expect((await limiter.consume(charges, Date.now())).some(refuses)).toBe(false)
    expect((await scriptCalls()) - before).toBe(5)
    expect((await limiter.consume(charges, Date.now())).some(refuses)).toBe(true)
    expect((await scriptCalls()) - before).toBe(6)
    for (let n = 0; n < 100; n += 1) expect((await limiter.consume(charges, Date.now()))[0]).toMatchObject({ exceeded: true, remaining: 0 })
    expect((await scriptCalls()) - before).toBe(6)
  })

  it('refuses locally only the partition, the policy and the cost that are blocked', async () => {
    const limiter = create({ time: 'store' })
    await limiter.ready()
    const minute = policy({ id: 'minute', quota: 5 })
    const charge = (partition: string, cost: number) => [{ policy: minute, partition, cost }]
    await limiter.consume(charge('a', 3), Date.now())
    expect((await limiter.consume(charge('a', 4), Date.now()))[0]?.exceeded).toBe(true)
    expect((await limiter.consume(charge('a', 2), Date.now()))[0]?.exceeded).toBe(false)
    expect((await limiter.consume(charge('b', 5), Date.now()))[0]?.exceeded).toBe(false)
  })

  it('asks again when the window that was blocked is over', async () => {
    const limiter = create({ time: 'store' })
    await limiter.ready()
    const short = policy({ id: 'short', quota: 1, windowMs: 150 })
    const charges = [{ policy: short, partition: 'a', cost: 1 }]
    await limiter.consume(charges, Date.now())
    const [refused] = await limiter.consume(charges, Date.now())
    expect(refused?.exceeded).toBe(true)
    await eventually(async () => !(await limiter.consume(charges, Date.now()))[0]?.exceeded, 'the window opens', 1_000)
  })

  it('keeps no address, no subject and no counter for ever', async () => {
    const prefix = `t${randomBytes(6).toString('hex')}`
    const limiter = create({ prefix, time: 'store' })
    await limiter.ready()
    await limiter.consume([{ policy: policy({ windowMs: 60_000 }), partition: 'ip:203.0.113.9', cost: 1 }, { policy: policy({ id: 'h', windowMs: 3_600_000, algorithm: 'sliding' }), partition: 'principal:jwt:alice', cost: 1 }], Date.now())
    const keys = (await server.command('KEYS', `${prefix}:*`)) as string[]
    expect(keys).toHaveLength(2 + 1)
    expect(keys.join()).not.toMatch(/203\.0\.113|alice/)
    for (const key of keys) {
      const ttl = Number(await server.command('PTTL', key))
      expect(ttl).toBeGreaterThan(0)
      expect(ttl).toBeLessThanOrEqual(7_200_000)
    }
  })

  it('names counters alike on every replica with the same secret, and otherwise with another', async () => {
    const prefix = `t${randomBytes(6).toString('hex')}`
    const [one, two, other] = [create({ prefix }), create({ prefix }), create({ prefix, secret: new Uint8Array(32).fill(1) })]
    for (const limiter of [one, two, other]) await limiter.ready()
    const charges = [{ policy: policy({ quota: 1 }), partition: 'ip:192.0.2.7', cost: 1 }]
    const answers = []
    for (const limiter of [one, two, other]) answers.push((await limiter.consume(charges, 1_700_000_000_000))[0]?.exceeded)
    expect(answers).toEqual([false, true, false])
  })

  it('shows counters and resets them, on other replicas within a second too', async () => {
    const prefix = `t${randomBytes(6).toString('hex')}`
    const [one, two] = [create({ prefix, time: 'store' }), create({ prefix, time: 'store' })]
    await Promise.all([one.ready(), two.ready()])
    const minute = policy({ id: 'minute', quota: 2 })
    const day = policy({ id: 'day', quota: 10, windowMs: 86_400_000 })
    const charges = [{ policy: minute, partition: 'ip:192.0.2.9', cost: 1 }, { policy: day, partition: 'ip:192.0.2.9', cost: 1 }]
    for (let n = 0; n < 3; n += 1) await two.consume(charges, Date.now())
    expect(await one.showLimits('ip:192.0.2.9', [minute])).toEqual([
      expect.objectContaining({ policyId: 'minute', used: 2, quota: 2, remaining: 0 }),
      expect.objectContaining({ policyId: 'day', used: 2, windowMs: 86_400_000 }),
    ])
    expect((await two.consume(charges, Date.now())).some(refuses)).toBe(true)
    expect(await one.resetLimits('ip:192.0.2.9', ['minute'])).toBe(1)
    await eventually(async () => !(await two.consume(charges, Date.now())).some(refuses), 'the other replica notices', 3_000)
    expect(await one.resetLimits('ip:192.0.2.9')).toBe(2)
    expect(await one.showLimits('ip:192.0.2.9', [])).toEqual([])
  })

  it('goes on when somebody else wrote where a counter should be: that partition falls back, the others do not', async () => {
    const prefix = `t${randomBytes(6).toString('hex')}`
    const limiter = create({ prefix, time: 'store', share: 0.5 })
    await limiter.ready()
    const four = policy({ quota: 4 })
    await limiter.consume([{ policy: four, partition: 'a', cost: 1 }], Date.now())
    const [key = ''] = ((await server.command('KEYS', `${prefix}:{*`)) as string[])
    await server.command('SET', key, 'nonsense')
    const answers = []
    for (let n = 0; n < 3; n += 1) answers.push((await limiter.consume([{ policy: four, partition: 'a', cost: 1 }], Date.now()))[0]?.exceeded)
    expect(answers).toEqual([false, false, true])
    expect(limiter.state().status).toBe('serving')
    expect((await limiter.consume([{ policy: four, partition: 'b', cost: 4 }], Date.now()))[0]?.exceeded).toBe(false)
  })

  it('warns of a store that may evict counters', async () => {
    const noticed: string[] = []
    await server.command('CONFIG', 'SET', 'maxmemory', '100mb')
    await server.command('CONFIG', 'SET', 'maxmemory-policy', 'allkeys-lru')
    const limiter = create({ observer: { ...SILENT, noticed: (_level, code) => void noticed.push(code) } })
    await limiter.ready()
    await server.command('CONFIG', 'SET', 'maxmemory-policy', 'noeviction')
    expect(noticed).toEqual(['store_available', 'store_may_evict'])
  })

  it('takes a password and an ACL user that may do no more than count', async () => {
    await server.command('ACL', 'SETUSER', 'limits', 'on', '>pass', '~acl:*', '+eval', '+evalsha', '+hmget', '+hset', '+hgetall', '+hkeys', '+hdel', '+pttl', '+pexpire', '+time', '+get', '+incr', '+info', '+hello', '+auth', '+client')
    const limiter = create({ prefix: 'acl', time: 'store', store: { kind: 'single', nodes: [{ host: '127.0.0.1', port: server.port }], deadlineMs: 1_000, username: 'limits', password: 'pass' } })
    await limiter.ready()
    const charges = [{ policy: policy({ quota: 2 }), partition: 'a', cost: 1 }]
    expect((await limiter.consume(charges, Date.now()))[0]).toMatchObject({ exceeded: false, remaining: 1 })
    expect(limiter.state()).toMatchObject({ status: 'serving' })
    expect(await limiter.resetLimits('a')).toBe(1)
    await server.command('ACL', 'SETUSER', 'limits', '>other', '<pass')
    const locked = create({ prefix: 'acl', store: { kind: 'single', nodes: [{ host: '127.0.0.1', port: server.port }], deadlineMs: 1_000, username: 'limits', password: 'pass' } })
    await locked.ready(300)
    expect(locked.state()).toMatchObject({ status: 'down', detail: expect.stringContaining('WRONGPASS') })
  })

  it('speaks TLS, and only with a server that the authority vouches for', async () => {
    const authority = createAuthority()
    const { keyFile, certificateFile } = authority.issue('redis', 'IP:127.0.0.1')
    const port = await freePort()
    const secure = await startRedis({ config: [`tls-port ${port}`, `tls-cert-file ${certificateFile}`, `tls-key-file ${keyFile}`, `tls-ca-cert-file ${authority.caFile}`, 'tls-auth-clients no'] })
    const store = { kind: 'single', nodes: [{ host: '127.0.0.1', port }], deadlineMs: 1_000 } as const
    const [trusting, doubting] = [create({ store: { ...store, tls: { ca: authority.ca } } }), create({ store: { ...store, tls: {} } })]
    await Promise.all([trusting.ready(), doubting.ready(500)])
    expect(trusting.state().status).toBe('serving')
    expect(doubting.state()).toMatchObject({ status: 'down', detail: expect.stringMatching(/certificate/) })
    await Promise.all([trusting.close(), doubting.close(), secure.stop(), authority.close()])
  })

  it('sends the script again when the store forgot it', async () => {
    const limiter = create({ time: 'store' })
    await limiter.ready()
    const charges = [{ policy: policy({ quota: 3 }), partition: 'a', cost: 1 }]
    await limiter.consume(charges, Date.now())
    await server.command('SCRIPT', 'FLUSH')
    expect((await limiter.consume(charges, Date.now()))[0]).toMatchObject({ exceeded: false, remaining: 1 })
    expect(limiter.state().status).toBe('serving')
  })
})

const refuses = ({ exceeded, policy: { shadow } }: ServiceLimit): boolean => exceeded && !shadow

/** A refusal from memory names the policy that is known to be blocked; the model names every one that would refuse. */
function refusalsOf(model: readonly boolean[], charges: readonly Charge[], limits: readonly ServiceLimit[]): readonly boolean[] {
  const refused = model.some((exceeded, index) => exceeded && !charges[index]?.policy.shadow)
  expect(limits.some(refuses)).toBe(refused)
  for (const [index, { exceeded }] of limits.entries()) if (exceeded) expect(model[index]).toBe(true)
  return refused ? limits.map(({ exceeded }) => exceeded) : model
}
