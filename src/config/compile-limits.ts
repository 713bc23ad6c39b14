import { randomBytes } from 'node:crypto'
import type { Clock, DurationMs } from '../base/time.ts'
import { createCloseCalls, type CloseCall, type CloseCalls } from '../limiters/close-calls.ts'
import type { LimitsDesk, ShownLimit } from '../limiters/limits-desk.ts'
import { createMemoryLimiter } from '../limiters/memory.ts'
import { createRedisLimiter, type RedisLimiter } from '../limiters/redis.ts'
import type { StoreState } from '../limiters/store-health.ts'
import type { Limiter } from '../model/ports.ts'
import type { QuotaPolicy } from '../model/quota.ts'
import { adminFailureBudgets, adminFailurePolicy, adminIsOn, adminOf } from './admin-settings.ts'
import { compilePolicy } from './compile-quotas.ts'
import { compileStore } from './compile-store.ts'
import { failureBudgets, failurePolicy } from './failure-budgets.ts'
import type { Mistake } from './mistake.ts'
import { partitionOfText, textOfPartition } from './partition-text.ts'
import type { Resources } from './resources.ts'
import type { Config, QuotaConfig } from './schema.ts'

/** Counters as the CLI and the admin API speak of them: partitions as `partitionOfText` reads them. */
export interface CounterDesk {
  /** @throws {PartitionTextError} and whatever the store says when it cannot be asked */
  readonly show: (partition: string) => Promise<readonly ShownLimit[]>
  /** Forgets all counters of a partition, or those of one policy; gives how many. */
  readonly reset: (partition: string, policyId?: string) => Promise<number>
  /** Who is near or over a limit, as this process has seen; empty where there is no admin listener to ask. */
  readonly closeCalls: () => readonly CloseCall[]
}

export interface CompiledLimits {
  readonly limiter: Limiter
  /** Digests of values that must not be kept in clear are made with it. With a store it is the same on every replica. */
  readonly partitionSecret: Uint8Array
  readonly counters: CounterDesk
  /** Present when counters are shared. */
  readonly store?: { readonly ready: (waitMs?: DurationMs) => Promise<void>; readonly state: () => StoreState }
}

/** Every policy that a config names, each once; those of single keys are not among them. */
export function policiesOf(config: Config): readonly QuotaPolicy[] {
  const listed = (quotas: readonly QuotaConfig[] | 'tier' | 'none' | undefined, namespace = ''): QuotaPolicy[] =>
    typeof quotas === 'object' ? quotas.flatMap((quota) => compilePolicy(quota, namespace) ?? []) : []
  const all = [
    ...listed(config.rate_limit),
    ...(config.routes ?? []).flatMap(({ rate_limit }) => listed(rate_limit)),
    ...Object.entries(config.tiers ?? {}).flatMap(([tier, { limits }]) => listed(limits, tier)),
    ...failureBudgets(config).map(failurePolicy),
    ...listed(adminOf(config)?.rate_limit),
    ...adminFailureBudgets(config).map(adminFailurePolicy),
  ]
  return [...new Map(all.map((policy) => [policy.id, policy])).values()]
}

/** What operators may ask, of whichever limiter. */
const deskOf = (desk: LimitsDesk, { config, secret, calls, clock }: { readonly config: Config; readonly secret: Uint8Array; readonly calls: CloseCalls | undefined; readonly clock: Clock }): CounterDesk => ({
  show: (partition) => desk.showLimits(partitionOfText(partition, secret), policiesOf(config)),
  reset: async (text, policyId) => {
    const partition = partitionOfText(text, secret)
    const count = await desk.resetLimits(partition, policyId === undefined ? undefined : [policyId])
    calls?.forget(partition)
    return count
  },
  closeCalls: () => (calls?.list(clock()) ?? []).map((call) => ({ ...call, partition: textOfPartition(call.partition) })),
})

/**
 * The limiter of a config: shared counters when it names a store, else those of this process. `instead` is used in its place, and then
 * nothing connects anywhere.
 */
export function compileLimits(config: Config, resources: Resources, mistakes: Mistake[], instead?: Limiter): CompiledLimits {
  const shared = compileStore(config, mistakes)
  const calls = adminIsOn(config) ? resources.keep('close-calls', '', () => createCloseCalls()) : undefined
  const watched = (limiter: Limiter): Limiter => calls?.watch(limiter) ?? limiter
  const partitionSecret = shared?.secret ?? resources.keep('partition-secret', '', () => ({ bytes: randomBytes(32) })).bytes
  const desk = { config, secret: partitionSecret, calls, clock: resources.clock }
  if (shared && !instead && mistakes.length === 0) {
    const limiter: RedisLimiter = resources.keep('limiter', shared.key, () => createRedisLimiter({ ...shared, observer: resources.observer }))
    return { limiter: watched(limiter), partitionSecret, counters: deskOf(limiter, desk), store: limiter }
  }
  const limiter = resources.keep('limiter', 'memory', () => createMemoryLimiter())
  return { limiter: watched(instead ?? limiter), partitionSecret, counters: deskOf(limiter, desk) }
}
