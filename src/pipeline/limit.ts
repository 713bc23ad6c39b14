import type { EpochMs, MaybePromise } from '../base/time.ts'
import type { Denial } from '../model/denial.ts'
import { LimiterUnavailable, type Limiter } from '../model/ports.ts'
import type { Principals } from '../model/principal.ts'
import type { Charge, QuotaRule, ServiceLimit } from '../model/quota.ts'
import type { RequestDescription } from '../model/request.ts'

export interface Spending {
  readonly limits: readonly ServiceLimit[]
  readonly denial: Denial | undefined
}

const NO_CHARGES: readonly Charge[] = []
const NOTHING: Spending = { limits: [], denial: undefined }

/**
 * The charges of the rules that apply to this request.
 *
 * @param looking  charges nothing and only asks what is left
 */
export function chargesOf(rules: readonly QuotaRule[], request: RequestDescription, principals?: Principals, looking = false): readonly Charge[] {
  if (rules.length === 0) return NO_CHARGES
  const charges: Charge[] = []
  for (const { policy, partitionOf, cost } of rules) {
    const partition = partitionOf(request, principals)
    if (partition !== undefined) charges.push({ policy, partition, cost: looking ? 0 : cost })
  }
  return charges
}

const refuses = ({ exceeded, policy }: ServiceLimit): boolean => exceeded && !policy.shadow
const spends = ({ cost }: Charge): boolean => cost > 0

function denialOf(limits: readonly ServiceLimit[], now: EpochMs): Denial | undefined {
  if (!limits.some(refuses)) return undefined
  const violated = limits.filter(refuses)
  const retryAt = Math.max(...violated.map(({ retryAt: at }) => at))
  return { kind: 'denial', code: 'quota_exceeded', violated: violated.map(({ policy }) => policy.name), retryAfterMs: Math.max(retryAt - now, 1) }
}

function spendingOf(charges: readonly Charge[], limits: readonly ServiceLimit[], now: EpochMs): Spending {
  const denial = denialOf(limits, now)
  // What was only looked at is nobody's business unless it refuses.
  return { limits: charges.every(spends) ? limits : limits.filter(({ exceeded }, index) => exceeded || (charges[index]?.cost ?? 0) > 0), denial }
}

function unasked(error: unknown): Spending {
  if (!(error instanceof LimiterUnavailable)) throw error
  return { limits: [], denial: { kind: 'denial', code: 'dependency_unavailable', dependency: error.dependency } }
}

/** Spends the quotas of one stage in one atomic step: all of them or none. At once when the limiter answers at once. */
export function limit(limiter: Limiter, charges: readonly Charge[], now: EpochMs): MaybePromise<Spending> {
  if (charges.length === 0) return NOTHING
  try {
    const limits = limiter.consume(charges, now)
    return limits instanceof Promise ? limits.then((late) => spendingOf(charges, late, now), unasked) : spendingOf(charges, limits, now)
  } catch (error) {
    return unasked(error)
  }
}
