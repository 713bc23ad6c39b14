import { randomBytes } from 'node:crypto'
import { setTimeout as wait } from 'node:timers/promises'
import { createRedisLimiter, type RedisLimiter } from '../../src/limiters/redis.ts'
import type { StoreSettings } from '../../src/limiters/store-settings.ts'
import { SILENT, type Observer } from '../../src/model/event.ts'
import type { Charge, QuotaPolicy } from '../../src/model/quota.ts'
import { limit } from '../../src/pipeline/limit.ts'
import { percentile } from './limit-load.ts'
import { eventually } from './redis.ts'

export const DEADLINE_MS = 50
export const REPLICAS = 2
export const SHARE = 1 / REPLICAS
const QUOTA = 400
/** Callers of each replica, and how long each rests between two calls: a few thousand calls per second in all. */
const CALLERS = 8
const REST_MS = 4

export interface FaultRun {
  readonly calls: number
  readonly p50: number
  readonly p99: number
  readonly longest: number
  /** Calls that ended in anything but an answer: what a face would have to call 500. */
  readonly faults: number
  /** Calls let through of a partition whose quota was `quota`. */
  readonly admitted: number
  readonly quota: number
  readonly mostAdmitted: number
  /** From the end of the fault until every replica asks the store again for everything. */
  readonly recoveryMs: number
  /** Slugs that were noticed, in order. */
  readonly noticed: readonly string[]
  readonly failedOpen: number
  /** Calls of the store that failed, by what was said. */
  readonly failures: Readonly<Record<string, number>>
}

export interface Fault {
  readonly store: Omit<StoreSettings, 'deadlineMs'>
  /** Does it, holds it and mends it, under load. `keys` are those of the counters. */
  readonly happen: (prefix: string) => Promise<void>
  /** The store comes back empty: then the quota can be had from it once more. */
  readonly forgets?: boolean
}

const day = (id: string, quota: number): QuotaPolicy => ({ id, name: id, quota, windowMs: 86_400_000, algorithm: 'fixed', onUnavailable: 'local', shadow: false, reported: false })

/** One partition with a scarce quota that everybody wants, in a call of two partitions; and plenty for the rest. */
const scarce = day('scarce', QUOTA)
const plenty = day('plenty', 10_000_000)

interface Tally { latencies: number[]; faults: number; admitted: number }

async function caller(limiter: RedisLimiter, name: string, tally: Tally, running: () => boolean): Promise<void> {
  for (let turn = 0; running(); turn += 1) {
    const wanted = turn % 2 === 0
    const charges: Charge[] = wanted ? [{ policy: scarce, partition: 'principal:jwt:everybody', cost: 1 }, { policy: plenty, partition: 'ip:192.0.2.1', cost: 1 }] : [{ policy: plenty, partition: `ip:${name}`, cost: 1 }]
    const startedAt = performance.now()
    try {
      const { denial } = await limit(limiter, charges, Date.now())
      if (wanted && !denial) tally.admitted += 1
    } catch {
      tally.faults += 1
    }
    tally.latencies.push(performance.now() - startedAt)
    await wait(REST_MS)
  }
}

/** Load on two replicas before, during and after a fault, until both are well again. */
export async function runFault({ store, happen, forgets = false }: Fault): Promise<FaultRun> {
  const prefix = `f${randomBytes(6).toString('hex')}`
  const noticed: string[] = []
  let failedOpen = 0
  const failures: Record<string, number> = {}
  const observer: Observer = { ...SILENT, noticed: (_level, code) => void noticed.push(code), failedOpen: () => void (failedOpen += 1), called: ({ outcome, detail = '' }) => void (outcome !== 'ok' && (failures[detail] = (failures[detail] ?? 0) + 1)) }
  const limiters = Array.from({ length: REPLICAS }, () => createRedisLimiter({ store: { ...store, deadlineMs: DEADLINE_MS }, prefix, secret: new Uint8Array(32), share: SHARE, observer }))
  const tally: Tally = { latencies: [], faults: 0, admitted: 0 }
  let on = true
  try {
    await Promise.all(limiters.map((limiter) => limiter.ready(5_000)))
    const load = Promise.all(limiters.flatMap((limiter, replica) => Array.from({ length: CALLERS }, (_, n) => caller(limiter, `${replica}-${n}`, tally, () => on))))
    await wait(60)
    await happen(prefix)
    const mendedAt = performance.now()
    await eventually(() => limiters.every((limiter) => limiter.state().status === 'serving'), 'every replica asks the store again', 20_000)
    const recoveryMs = performance.now() - mendedAt
    await wait(200)
    on = false
    await load
    const { latencies, faults, admitted } = tally
    const mostAdmitted = QUOTA * (forgets ? 2 : 1) + REPLICAS * Math.floor(QUOTA * SHARE)
    return { calls: latencies.length, p50: percentile(latencies, 0.5), p99: percentile(latencies, 0.99), longest: Math.max(...latencies), faults, admitted, quota: QUOTA, mostAdmitted, recoveryMs, noticed, failedOpen, failures }
  } finally {
    on = false
    await Promise.all(limiters.map((limiter) => limiter.close()))
  }
}
