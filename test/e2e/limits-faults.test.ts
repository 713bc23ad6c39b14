import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createRedisLimiter } from '../../src/limiters/redis.ts'
import { SILENT } from '../../src/model/event.ts'
import { policy } from '../support/described.ts'
import { DEADLINE_MS, runFault, type FaultRun } from '../support/fault-run.ts'
import { startRedisCluster, startRedisSentinel, type RedisCluster, type RedisSentinel } from '../support/redis-topologies.ts'
import { eventually, freePort, redisInstalled, startRedis, type RedisServer } from '../support/redis.ts'

const available = redisInstalled()
const PAGE = join(import.meta.dirname, '..', '..', 'docs', 'limits.md')
const MARKS = /(<!-- faults: measured by test\/e2e\/limits-faults\.test\.ts -->\n)[^]*?(<!-- \/faults -->)/

/** An abrupt kill has no bound that can be proven: the page says what it may cost. */
const FAILOVER = 'master killed once its replica had everything, failed over by a sentinel'

/** How often a fault is repeated when its first run was late. */
const ATTEMPTS = 3
const rows = new Map<string, FaultRun>()

const loopback = (port: number) => ({ kind: 'single', nodes: [{ host: '127.0.0.1', port }] }) as const

const isLate = ({ p99 }: FaultRun): boolean => p99 > DEADLINE_MS + 20

/**
 * One run speaks for itself. Where it is late, a machine that is busy with other things may have stopped us too: then the median of three
 * does, the late one among them. Everything but the time must hold in each run.
 */
async function measured(name: string, run: () => Promise<FaultRun>): Promise<FaultRun> {
  const runs: FaultRun[] = []
  do {
    const result = await run()
    expect(result.faults, `${name}: calls without an answer`).toBe(0)
    expect(result.admitted, `${name}: let through`).toBeLessThanOrEqual(result.mostAdmitted)
    expect(result.calls).toBeGreaterThan(100)
    runs.push(result)
  } while (isLate(runs[0]!) && runs.length < ATTEMPTS)
  const spoken = runs.toSorted((a, b) => a.p99 - b.p99)[Math.floor(runs.length / 2)]!
  rows.set(name, spoken)
  expect(spoken.p99, `${name}: 99th percentile, ms, of ${runs.map(({ p99 }) => fixed(p99)).join(' and ')}`).toBeLessThanOrEqual(DEADLINE_MS + 20)
  return spoken
}

/** Where nothing need fall back, what is let through is exactly the quota; unless this machine held a call up for longer than the deadline. */
function exactly({ admitted, quota, failedOpen, failures }: FaultRun): void {
  expect(Object.keys(failures).filter((why) => why !== `no answer within ${DEADLINE_MS} ms`)).toEqual([])
  if (failedOpen === 0) expect(admitted).toBe(quota)
}

const fixed = (ms: number): string => ms.toFixed(1)
const rowOf = ([name, { calls, p50, p99, longest, faults, admitted, quota, mostAdmitted, recoveryMs, noticed }]: readonly [string, FaultRun]): string =>
  `| ${name} | ${calls} | ${fixed(p50)} | ${fixed(p99)} | ${fixed(longest)} | ${faults} | ${admitted} of ${quota} (at most ${mostAdmitted}) | ${noticed.includes('store_unavailable') ? `${(recoveryMs / 1_000).toFixed(1)} s` : 'not needed'} |`

const HEAD = '| fault, under load | calls | p50 ms | p99 ms | longest ms | without an answer | let through | back after |\n|---|---|---|---|---|---|---|---|'

describe.skipIf(!available)('while the store of the limits fails', () => {
  let single: RedisServer
  let durable: RedisServer
  let sentinel: RedisSentinel
  let cluster: RedisCluster

  beforeAll(async () => {
    single = await startRedis()
    durable = await startRedis({ config: ['appendonly yes', 'appendfsync always'] })
    cluster = await startRedisCluster()
    sentinel = await startRedisSentinel()
  }, 90_000)

  afterAll(async () => {
    await Promise.all([single?.stop(), durable?.stop(), sentinel?.stop(), cluster?.stop()])
    if (process.env['UPDATE_LIMITS_TABLE'] === '1') writeFileSync(PAGE, readFileSync(PAGE, 'utf8').replace(MARKS, (_all, start: string, end: string) => `${start}${[HEAD, ...[...rows].map(rowOf)].join('\n')}\n${end}`))
    process.stderr.write(`${[HEAD, ...[...rows].map(rowOf)].join('\n')}\n`)
  })

  const onSingle = (happen: () => Promise<unknown>) => () => runFault({ store: loopback(single.port), happen: async () => void (await happen()) })

  const killed = (server: RedisServer, forgets: boolean) => () =>
    runFault({
      store: loopback(server.port),
      forgets,
      happen: async () => {
        await server.kill()
        await wait(500)
        await server.start()
      },
    })

  it('answers in time when it is stopped (SIGSTOP) and goes on', async () => {
    const run = await measured('stopped (SIGSTOP) for 0.8 s', onSingle(async () => {
      single.signal('SIGSTOP')
      await wait(800)
      single.signal('SIGCONT')
    }))
    expect(run.noticed).toContain('store_unavailable')
    expect(run.noticed).toContain('store_recovering')
    expect(run.failedOpen).toBeGreaterThan(0)
  })

  it('answers in time when it is killed and restarted', async () => {
    expect((await measured('killed, restarted after 0.5 s (append-only file)', killed(durable, false))).noticed).toContain('store_unavailable')
  })

  it('can give out a quota once more when it comes back empty', async () => {
    expect((await measured('killed, restarted after 0.5 s, empty', killed(single, true))).noticed).toContain('store_unavailable')
  })

  it('notices nothing of a script flush, and spends nothing twice', async () => {
    const run = await measured('scripts flushed, ten times', onSingle(async () => {
      for (let n = 0; n < 10; n += 1) {
        await single.command('SCRIPT', 'FLUSH')
        await wait(20)
      }
    }))
    exactly(run)
  })

  it('is not believed when it takes no writes: a replica, read-only', async () => {
    const nowhere = await freePort()
    const run = await measured('read-only (became a replica) for 0.5 s', onSingle(async () => {
      await single.command('REPLICAOF', '127.0.0.1', String(nowhere))
      await wait(500)
      await single.command('REPLICAOF', 'NO', 'ONE')
    }))
    expect(run.noticed).toContain('store_unavailable')
  })

  it('is not believed when it is full', async () => {
    const run = await measured('full (`maxmemory`) for 0.5 s', onSingle(async () => {
      await single.command('CONFIG', 'SET', 'maxmemory', '1')
      await wait(500)
      await single.command('CONFIG', 'SET', 'maxmemory', '0')
    }))
    expect(run.noticed).toContain('store_unavailable')
  })

  it('may drop every connection', async () => {
    await measured('every connection dropped', onSingle(async () => {
      await single.command('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes')
      await wait(100)
    }))
  })

  it('is followed to where a sentinel says that it is', async () => {
    const run = await measured(FAILOVER, () => {
      if (rows.has(FAILOVER)) throw new Error('a failover happens once')
      return runFault({
        store: { kind: 'sentinel', nodes: [{ host: '127.0.0.1', port: sentinel.sentinelPort }], masterName: sentinel.name },
        happen: async () => {
          await sentinel.catchUp()
          await sentinel.master.kill()
          await eventually(async () => String(await sentinel.replica.command('INFO', 'replication')).includes('role:master'), 'the replica is promoted', 15_000)
        },
      })
    })
    expect(run.noticed).toContain('store_unavailable')
  })

  it('is followed when the slot of a counter moves in a cluster', async () => {
    const run = await measured('slots of the counters moved in a cluster', () =>
      runFault({
        store: { kind: 'cluster', nodes: cluster.nodes.map(({ port }) => ({ host: '127.0.0.1', port })) },
        happen: async (prefix) => {
          const keys = (await Promise.all(cluster.nodes.map((node) => node.command('KEYS', `${prefix}:{*`)))).flat() as string[]
          for (const slot of new Set(await Promise.all(keys.map(async (key) => Number(await cluster.nodes[0]!.command('CLUSTER', 'KEYSLOT', key)))))) await cluster.moveSlot(slot)
        },
      }),
    )
    exactly(run)
  })

  it('is exact in a cluster, where partitions live apart: what one shard took and another refused is given back', async () => {
    const store = { kind: 'cluster', nodes: cluster.nodes.map(({ port }) => ({ host: '127.0.0.1', port })), deadlineMs: 5_000 } as const
    const replicas = [1, 2].map(() => createRedisLimiter({ store, prefix: 'exact', secret: new Uint8Array(32), share: 0.5, observer: SILENT }))
    try {
      await Promise.all(replicas.map((replica) => replica.ready(5_000)))
      for (const algorithm of ['fixed', 'sliding', 'calendar', 'gcra'] as const) {
        const of = (id: string, quota: number) => policy({ id: `${id} ${algorithm}`, quota, windowMs: 2_592_000_000, algorithm })
        const [wide, narrow] = [of('wide', 10_000), of('narrow', 40)]
        const charges = [{ policy: wide, partition: 'principal:jwt:alice', cost: 2 }, { policy: narrow, partition: 'route:orders', cost: 1 }]
        const answers = await Promise.all(Array.from({ length: 300 }, (_, n) => replicas[n % 2]!.consume(charges, Date.now())))
        expect([algorithm, answers.filter((limits) => limits.every(({ exceeded }) => !exceeded)).length]).toEqual([algorithm, 40])
        // Nobody waits for the giving back. Of a bucket a little less is given back than was taken: what may have leaked meanwhile.
        await eventually(async () => (await replicas[0]!.showLimits('principal:jwt:alice', [wide])).some(({ policyId, used }) => policyId === wide.id && (used === 80 || (algorithm === 'gcra' && used === 81))), `${algorithm}: 40 times 2 are spent of the wide one`, 5_000)
      }
    } finally {
      await Promise.all(replicas.map((replica) => replica.close()))
    }
  })

  it.skipIf(process.env['UPDATE_LIMITS_TABLE'] === '1')('is all in the page, fault by fault', () => {
    const page = MARKS.exec(readFileSync(PAGE, 'utf8'))?.[0] ?? ''
    for (const name of rows.keys()) expect(page).toContain(`| ${name} |`)
  })
})
