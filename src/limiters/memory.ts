import type { EpochMs } from '../base/time.ts'
import type { Limiter } from '../model/ports.ts'
import type { Charge, QuotaPolicy, ServiceLimit } from '../model/quota.ts'
import { shownLimit, type LimitsDesk } from './limits-desk.ts'
import { forgettableAt, serviceLimitOf, tryCharge, type Counter, type Trial } from './windows.ts'

export interface MemoryLimiterSettings {
  /** Most counters kept; default 500,000 (about 100 MB). Beyond it those that were written longest ago are forgotten, expired ones first. */
  readonly maxCounters?: number
  /** For `showLimits` alone; charges bring their time along. Default: the system's. */
  readonly clock?: () => EpochMs
}

export interface MemoryLimiter extends Limiter, LimitsDesk {
  /** Answers at once. */
  readonly consume: (charges: readonly Charge[], now: EpochMs) => readonly ServiceLimit[]
  /** Counters kept, for metrics. */
  readonly size: () => number
  /** What `consume` would answer, without spending; for `explain`. */
  readonly look: (charges: readonly Charge[], now: EpochMs) => readonly ServiceLimit[]
}

interface Kept { readonly policy: QuotaPolicy; readonly counter: Counter }

/** Looking and forgetting, for operators. */
function deskOf(counters: Map<string, Kept>, clock: () => EpochMs): LimitsDesk {
  return {
    showLimits: async (partition, policies) =>
      policies.flatMap((policy) => {
        const kept = counters.get(keyOf({ policy, partition }))
        return kept && forgettableAt(policy, kept.counter) > clock() ? [shownLimit(policy, kept.counter, clock())] : []
      }),
    resetLimits: async (partition, policyIds) => {
      // Rare, so a walk through all of them is fine and finds policies that the config has no longer.
      const gone = [...counters].filter(([key, { policy }]) => key === keyOf({ policy, partition }) && (policyIds === undefined || policyIds.includes(policy.id)))
      for (const [key] of gone) counters.delete(key)
      return gone.length
    },
  }
}

// Length-prefixed, so that no id and partition can be composed into another pair (T39).
const keyOf = ({ policy, partition }: Pick<Charge, 'policy' | 'partition'>): string => `${policy.id.length}:${policy.id}${partition}`

/** The limiter of a single replica: exact, atomic because nothing awaits, all or nothing across the charges of a call. */
export function createMemoryLimiter({ maxCounters = 500_000, clock = Date.now }: MemoryLimiterSettings = {}): MemoryLimiter {
  const counters = new Map<string, Kept>()
  // Expired counters are met in passing: each write looks at the two oldest, so memory follows the live partitions.
  let cursor = counters.entries()

  const sweep = (now: EpochMs): void => {
    for (let steps = 0; steps < 2; steps += 1) {
      const step = cursor.next()
      if (step.done) {
        cursor = counters.entries()
        return
      }
      const [key, { policy, counter }] = step.value
      if (forgettableAt(policy, counter) <= now) counters.delete(key)
    }
  }

  const keep = (key: string, kept: Kept, now: EpochMs): void => {
    sweep(now)
    // The end of the map is where the freshest are: a flood of new partitions forgets those that nobody uses, not those in use.
    if (!counters.delete(key) && counters.size >= maxCounters) {
      const [oldest] = counters.keys()
      if (oldest !== undefined) counters.delete(oldest)
    }
    counters.set(key, kept)
  }

  /** Trials in order; charges that share a counter within one call see each other. */
  const trials = (charges: readonly Charge[], now: EpochMs): { readonly key: string; readonly trial: Trial }[] => {
    const pending = new Map<string, Counter>()
    return charges.map(({ policy, partition, cost }) => {
      const key = keyOf({ policy, partition })
      const trial = tryCharge(policy, pending.get(key) ?? counters.get(key)?.counter, cost, now)
      if (trial.fits) pending.set(key, trial.next)
      return { key, trial }
    })
  }

  const answer = (charges: readonly Charge[], tried: readonly { readonly trial: Trial }[], spent: boolean): ServiceLimit[] =>
    charges.map(({ policy, cost }, index) => {
      // `trials` gave one entry per charge.
      const { trial } = tried[index] as { readonly trial: Trial }
      const told = serviceLimitOf(policy, trial)
      return spent || !trial.fits ? told : { ...told, remaining: told.remaining + cost }
    })

  return {
    ...deskOf(counters, clock),
    size: () => counters.size,
    look: (charges, now) => answer(charges, trials(charges, now), true),
    consume: (charges, now) => {
      const tried = trials(charges, now)
      const spent = charges.every(({ policy }, index) => policy.shadow || tried[index]?.trial.fits)
      if (spent) {
        for (const [index, { policy, cost }] of charges.entries()) {
          const { key, trial } = tried[index] ?? {}
          if (cost > 0 && key !== undefined && trial?.fits) keep(key, { policy, counter: trial.next }, now)
        }
      }
      return answer(charges, tried, spent)
    },
  }
}
