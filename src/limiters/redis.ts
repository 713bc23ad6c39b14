import type { DurationMs, EpochMs } from '../base/time.ts'
import type { Observer } from '../model/event.ts'
import type { Limiter } from '../model/ports.ts'
import type { Charge, ServiceLimit } from '../model/quota.ts'
import { redisName } from '../redis/redis-settings.ts'
import { argumentOf, createCounterKeys } from './counter-keys.ts'
import { CHARGE_SCRIPT } from './counter-script.ts'
import { createDenyCache } from './deny-cache.ts'
import type { LimitsDesk } from './limits-desk.ts'
import { createRedisDesk } from './redis-desk.ts'
import { createShards, type Charged } from './shards.ts'
import { createStoreClient, type StoreClient } from './store-client.ts'
import type { StoreState } from './store-health.ts'
import { createStoreLink } from './store-link.ts'
import { adviseAboutStore } from './store-advice.ts'
import type { StoreSettings } from './store-settings.ts'
import { createWithoutStore } from './without-store.ts'

export interface RedisLimiterSettings {
  readonly store: StoreSettings
  /** Namespace of every key. */
  readonly prefix: string
  /** Names of counters are digests made with it; the same on every replica. */
  readonly secret: Uint8Array
  /** The part of each quota that this replica may give out alone while the store is away; above 0, at most 1. */
  readonly share: number
  readonly observer: Observer
  /** For tests: whose clock counts. Default: the store's. */
  readonly time?: 'store' | 'caller'
  /** For tests and other libraries. */
  readonly client?: StoreClient
}

/** The limiter of many replicas: exact, because the store decides each call in one step. */
export interface RedisLimiter extends Limiter, LimitsDesk {
  /** Resolves when the store is in use, or after a second when it is not: then each quota's fallback decides. */
  readonly ready: (waitMs?: DurationMs) => Promise<void>
  readonly state: () => StoreState
  readonly close: () => Promise<void>
}

/** A cluster takes units back, so what it refused is believed for a second only. */
const CLUSTER_DENIALS_MS = 1_000
/** How soon a reset by an operator reaches replicas that refuse locally. */
const RESETS_EVERY_MS = 1_000

/** Harmless: one unit of a counter that nobody reads and that is gone after a second. */
const PROBE_POLICY = { id: 'probe', name: 'probe', quota: 1_000_000, windowMs: 1_000, algorithm: 'fixed', onUnavailable: 'local', shadow: false, reported: false } as const

/** The charges a store did not answer for are decided without it; the rest stands. */
function completed({ charges, charged, now }: { readonly charges: readonly Charge[]; readonly charged: Charged; readonly now: EpochMs }, decide: (charges: readonly Charge[], now: EpochMs) => readonly ServiceLimit[]): readonly ServiceLimit[] {
  const { limits } = charged
  const open = charges.filter((_, index) => limits[index] === undefined)
  if (open.length === 0) return limits.filter((limit) => limit !== undefined)
  // Refused already: nothing is spent of the others, wherever they are counted.
  const refused = limits.some((limit) => limit && isRefusal(limit))
  const decided = refused ? open.map(({ policy }) => ({ policy, remaining: 0, resetsAt: now + policy.windowMs, exceeded: false, retryAt: now })) : decide(open, now)
  let next = 0
  return limits.flatMap((limit) => limit ?? decided[next++] ?? [])
}

const isRefusal = ({ exceeded, policy }: ServiceLimit): boolean => exceeded && !policy.shadow

/** Counts in Redis or Valkey. Never rejects for want of the store, save where a policy says so. */
export function createRedisLimiter(settings: RedisLimiterSettings): RedisLimiter {
  const { store, prefix, secret, share, observer, time = 'store', client = createStoreClient(store) } = settings
  const { keyOf, resets, probe } = createCounterKeys({ prefix, secret })
  const link = createStoreLink({
    client,
    deadlineMs: store.deadlineMs,
    observer,
    name: redisName(store),
    many: store.kind === 'cluster',
    probe: { script: CHARGE_SCRIPT, keys: [probe], args: ['0', '0', argumentOf({ policy: PROBE_POLICY, partition: '', cost: 1 }, 1)] },
  })
  const apart = store.kind === 'cluster'
  const shards = createShards({ link, keyOf, apart, time })
  const denied = createDenyCache({ keyOf, ...(apart && { maxMs: CLUSTER_DENIALS_MS }) })
  const without = createWithoutStore({ share, observer })
  const desk = createRedisDesk({ client, keyOf, resets, forget: denied.forget })

  // Only while something is refused locally there is anything to forget; the count to compare with is needed before.
  const watching = setInterval(() => {
    if ((denied.size() > 0 || desk.unaware()) && link.state().status !== 'down') void desk.noticeResets()
  }, RESETS_EVERY_MS).unref()

  const ask = async (charges: readonly Charge[], now: EpochMs): Promise<readonly ServiceLimit[]> => {
    const charged = await shards.charge(charges, now)
    try {
      const limits = completed({ charges, charged, now }, without.consume)
      if (!limits.some(isRefusal)) return limits
      // Refused by what was decided here: what the store gave goes back.
      shards.giveBack(charged)
      denied.learn(charges, charged.limits, now)
      return limits
    } catch (error) {
      shards.giveBack(charged)
      throw error
    }
  }

  return {
    consume: (charges, now) => {
      const refusal = denied.look(charges, now)
      if (refusal) {
        observer.cached('denied_partitions', 'hit')
        return refusal
      }
      return link.mayAsk() ? ask(charges, now) : without.consume(charges, now)
    },
    showLimits: desk.showLimits,
    resetLimits: desk.resetLimits,
    ready: async (waitMs) => {
      await link.ready(waitMs)
      if (link.state().status !== 'down') await Promise.all([desk.noticeResets(), adviseAboutStore(client, observer, redisName(store))])
    },
    state: link.state,
    close: async () => {
      clearInterval(watching)
      link.close()
    },
  }
}
