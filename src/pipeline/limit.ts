import type { EpochMs } from '../base/time.ts'
import type { Denial } from '../model/denial.ts'
import { LimiterUnavailable, type Limiter } from '../model/ports.ts'
import type { Principals } from '../model/principal.ts'
import type { Charge, QuotaRule, ServiceLimit } from '../model/quota.ts'
import type { RequestDescription } from '../model/request.ts'

export interface Spending {
  readonly limits: readonly ServiceLimit[]
  readonly denial?: Denial
}

const NOTHING: Spending = { limits: [] }

/** The charges of the rules that apply to this request. */
export function chargesOf(rules: readonly QuotaRule[], request: RequestDescription, principals?: Principals): Charge[] {
  const charges: Charge[] = []
  for (const { policy, partitionOf, cost } of rules) {
    const partition = partitionOf(request, principals)
    if (partition !== undefined) charges.push({ policy, partition, cost })
  }
  return charges
}

function denialOf(limits: readonly ServiceLimit[], now: EpochMs): Denial | undefined {
  const violated = limits.filter(({ exceeded, policy }) => exceeded && !policy.shadow)
  if (violated.length === 0) return undefined
  const retryAt = Math.max(...violated.map(({ retryAt: at }) => at))
  return { kind: 'denial', code: 'quota_exceeded', violated: violated.map(({ policy }) => policy.name), retryAfterMs: Math.max(retryAt - now, 1) }
}

/** Spends the quotas of one stage in one atomic step: all of them or none. */
export async function limit(limiter: Limiter, charges: readonly Charge[], now: EpochMs): Promise<Spending> {
  if (charges.length === 0) return NOTHING
  try {
    const spent = await limiter.consume(charges, now)
    const denial = denialOf(spent, now)
    // What was only looked at is nobody's business unless it refuses.
    const limits = spent.filter(({ exceeded }, index) => exceeded || (charges[index]?.cost ?? 0) > 0)
    return denial ? { limits, denial } : { limits }
  } catch (error) {
    if (!(error instanceof LimiterUnavailable)) throw error
    return { limits: [], denial: { kind: 'denial', code: 'dependency_unavailable', dependency: error.dependency } }
  }
}
