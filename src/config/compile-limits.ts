import { randomBytes } from 'node:crypto'
import type { DurationMs } from '../base/time.ts'
import type { LimitsDesk, ShownLimit } from '../limiters/limits-desk.ts'
import { createMemoryLimiter } from '../limiters/memory.ts'
import { createRedisLimiter, type RedisLimiter } from '../limiters/redis.ts'
import type { StoreState } from '../limiters/store-health.ts'
import type { Limiter } from '../model/ports.ts'
import type { QuotaPolicy } from '../model/quota.ts'
import { compilePolicy } from './compile-quotas.ts'
import { compileStore } from './compile-store.ts'
import { failureBudgets, failurePolicy } from './failure-budgets.ts'
import type { Mistake } from './mistake.ts'
import { partitionOfText } from './partition-text.ts'
import type { Resources } from './resources.ts'
import type { Config, QuotaConfig } from './schema.ts'

/** Counters as the CLI and the admin API speak of them: partitions as `partitionOfText` reads them. */
export interface CounterDesk {
  /** @throws {PartitionTextError} and whatever the store says when it cannot be asked */
  readonly show: (partition: string) => Promise<readonly ShownLimit[]>
  /** Forgets all counters of a partition, or those of one policy; gives how many. */
  readonly reset: (partition: string, policyId?: string) => Promise<number>
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
  ]
  return [...new Map(all.map((policy) => [policy.id, policy])).values()]
}

const deskOf = (desk: LimitsDesk, config: Config, secret: Uint8Array): CounterDesk => ({
  show: (partition) => desk.showLimits(partitionOfText(partition, secret), policiesOf(config)),
  reset: (partition, policyId) => desk.resetLimits(partitionOfText(partition, secret), policyId === undefined ? undefined : [policyId]),
})

/**
 * The limiter of a config: shared counters when it names a store, else those of this process. `instead` is used in its place, and then
 * nothing connects anywhere.
 */
export function compileLimits(config: Config, resources: Resources, mistakes: Mistake[], instead?: Limiter): CompiledLimits {
  const shared = compileStore(config, mistakes)
  const partitionSecret = shared?.secret ?? resources.keep('partition-secret', '', () => ({ bytes: randomBytes(32) })).bytes
  if (shared && !instead && mistakes.length === 0) {
    const limiter: RedisLimiter = resources.keep('limiter', shared.key, () => createRedisLimiter({ ...shared, observer: resources.observer }))
    return { limiter, partitionSecret, counters: deskOf(limiter, config, partitionSecret), store: limiter }
  }
  const limiter = resources.keep('limiter', 'memory', () => createMemoryLimiter())
  return { limiter: instead ?? limiter, partitionSecret, counters: deskOf(limiter, config, partitionSecret) }
}
