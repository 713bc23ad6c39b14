import type { EpochMs } from '../base/time.ts'
import type { Limiter } from '../model/ports.ts'
import type { Charge, ServiceLimit } from '../model/quota.ts'
import { createCounterTable, type CounterTable } from './counter-table.ts'
import { shownLimit, type LimitsDesk } from './limits-desk.ts'
import { forgettableAt, tryCharge, type Counter, type Trial } from './windows.ts'

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

/** Looking and forgetting, for operators. */
function deskOf(counters: CounterTable, clock: () => EpochMs): LimitsDesk {
  return {
    showLimits: async (partition, policies) =>
      policies.flatMap((policy) => {
        const counter = counters.find(policy.id, partition)
        return counter && forgettableAt(policy, counter) > clock() ? [shownLimit(policy, counter, clock())] : []
      }),
    resetLimits: async (partition, policyIds) => counters.forget(partition, policyIds),
  }
}

/** What the charges before this one in the same call would leave of its counter, if they share it. */
function pendingOf(charges: readonly Charge[], trials: readonly Trial[], { policy: { id }, partition }: Charge): Counter | undefined {
  for (let index = trials.length - 1; index >= 0; index -= 1) {
    const before = charges[index]
    const trial = trials[index]
    if (trial && !trial.limit.exceeded && before?.policy.id === id && before.partition === partition) return trial.next
  }
  return undefined
}

const isRefused = ({ limit: { exceeded, policy } }: Trial): boolean => exceeded && !policy.shadow
const limitOf = ({ limit }: Trial): ServiceLimit => limit

/** The limiter of a single replica: exact, atomic because nothing awaits, all or nothing across the charges of a call. */
export function createMemoryLimiter({ maxCounters = 500_000, clock = Date.now }: MemoryLimiterSettings = {}): MemoryLimiter {
  const counters = createCounterTable(maxCounters)

  /** Trials in order; charges that share a counter within one call see each other. */
  const tried = (charges: readonly Charge[], now: EpochMs): readonly Trial[] => {
    const trials: Trial[] = []
    for (const charge of charges) {
      const { policy, partition, cost } = charge
      trials.push(tryCharge(policy, pendingOf(charges, trials, charge) ?? counters.find(policy.id, partition), cost, now))
    }
    return trials
  }

  const spend = (charges: readonly Charge[], trials: readonly Trial[], now: EpochMs): void => {
    for (let index = 0; index < charges.length; index += 1) {
      const charge = charges[index]
      const trial = trials[index]
      if (charge && trial && charge.cost > 0 && !trial.limit.exceeded) counters.keep(charge.policy, charge.partition, trial.next, now)
    }
  }

  return {
    ...deskOf(counters, clock),
    size: counters.size,
    look: (charges, now) => tried(charges, now).map(limitOf),
    consume: (charges, now) => {
      const trials = tried(charges, now)
      // Nothing is spent of the others either, so each still has what this call wanted of it.
      if (trials.some(isRefused)) return trials.map(({ limit }, index) => (limit.exceeded ? limit : { ...limit, remaining: limit.remaining + (charges[index]?.cost ?? 0) }))
      spend(charges, trials, now)
      return trials.map(limitOf)
    },
  }
}
