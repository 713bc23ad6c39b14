import type { EpochMs } from '../base/time.ts'
import type { Observer } from '../model/event.ts'
import { LimiterUnavailable } from '../model/ports.ts'
import type { Charge, QuotaPolicy, ServiceLimit } from '../model/quota.ts'
import { createMemoryLimiter } from './memory.ts'

/** Decides while the store cannot be asked: each policy has said what that means. */
export interface WithoutStore {
  /** @throws {LimiterUnavailable} when a policy says `deny`; then nothing was spent */
  readonly consume: (charges: readonly Charge[], now: EpochMs) => readonly ServiceLimit[]
  /** Counters of this replica alone. */
  readonly size: () => number
}

export interface WithoutStoreSettings {
  /** The part of each quota that this replica may give out alone, above 0 and at most 1. With N replicas 1/N keeps the sum exact. */
  readonly share: number
  readonly observer: Observer
}

/** At least one unit: a share of nothing would refuse everybody, and that is what `deny` is for. */
const shareOf = (units: number, share: number): number => Math.max(Math.floor(units * share), 1)

/** Units that were never counted: as many as the policy has. */
const uncounted = (policy: QuotaPolicy, now: EpochMs): ServiceLimit => ({ policy, remaining: policy.quota, resetsAt: now + policy.windowMs, exceeded: false, retryAt: now })

export function createWithoutStore({ share, observer }: WithoutStoreSettings): WithoutStore {
  const memory = createMemoryLimiter()
  const shares = new WeakMap<QuotaPolicy, QuotaPolicy>()

  const shared = (policy: QuotaPolicy): QuotaPolicy => {
    const known = shares.get(policy)
    if (known) return known
    const part = { ...policy, quota: shareOf(policy.quota, share), ...(policy.burst !== undefined && { burst: shareOf(policy.burst, share) }) }
    shares.set(policy, part)
    return part
  }

  return {
    size: memory.size,
    consume: (charges, now) => {
      // A shadow policy never refuses, so it does not deny for want of a store either.
      if (charges.some(({ policy }) => policy.onUnavailable === 'deny' && !policy.shadow)) throw new LimiterUnavailable('limits_store')
      const counted = charges.filter(({ policy }) => policy.onUnavailable === 'local')
      if (counted.length < charges.length) observer.failedOpen('rate_limit_store')
      if (counted.length > 0) observer.failedOpen('rate_limit_store_local')
      const limits = memory.consume(counted.map((charge) => ({ ...charge, policy: shared(charge.policy) })), now)
      let next = 0
      return charges.map(({ policy }) => (policy.onUnavailable === 'local' ? { ...(limits[next++] ?? uncounted(policy, now)), policy } : uncounted(policy, now)))
    },
  }
}
