import type { DurationMs, EpochMs } from '../base/time.ts'
import type { QuotaAlgorithm, QuotaPolicy } from '../model/quota.ts'
import { tryCharge, usedNow, type Counter } from './windows.ts'

/** One counter as an operator sees it. */
export interface ShownLimit {
  readonly policyId: string
  readonly algorithm: QuotaAlgorithm
  readonly windowMs: DurationMs
  /** Units spent in the window that governs now. */
  readonly used: number
  /** Absent when no policy of the config is called so any more. */
  readonly quota?: number
  readonly remaining?: number
  readonly resetsAt: EpochMs
}

/** What an operator may do with counters. */
export interface LimitsDesk {
  /** The counters of a partition, as named by `partitionOf` of a rule. Spends nothing. Policies say what the numbers mean. */
  readonly showLimits: (partition: string, policies: readonly QuotaPolicy[]) => Promise<readonly ShownLimit[]>
  /** Forgets counters of a partition, all or those of the named policies; gives how many there were. Takes effect on every replica within a second. */
  readonly resetLimits: (partition: string, policyIds?: readonly string[]) => Promise<number>
}

/** A stored counter in words. */
export function shownLimit(policy: QuotaPolicy, counter: Counter, now: EpochMs): ShownLimit {
  const { id, algorithm, windowMs, quota } = policy
  const { remaining, resetsAt } = tryCharge(policy, counter, 0, now).limit
  return { policyId: id, algorithm, windowMs, used: usedNow(policy, counter, now), quota, remaining, resetsAt }
}
