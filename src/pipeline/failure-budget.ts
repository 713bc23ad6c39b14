import type { EpochMs } from '../base/time.ts'
import type { Denial } from '../model/denial.ts'
import type { Limiter } from '../model/ports.ts'
import type { Charge } from '../model/quota.ts'
import type { RequestDescription } from '../model/request.ts'
import type { Route } from '../model/route.ts'
import { chargesOf, limit } from './limit.ts'

/** Refusals that are guesses. A missing credential or an outage is not one. */
const GUESSES: ReadonlySet<Denial['code']> = new Set(['credential_malformed', 'credential_rejected', 'credential_revoked'])

/** The budget for failed authentications as charges; cost 0 only looks, which is what stage 3 does. */
export function failureCharges(route: Route, request: RequestDescription, cost: 0 | 1): Charge[] {
  if (route.failureQuotas.length === 0) return []
  return chargesOf(route.failureQuotas, request).map((charge) => ({ ...charge, cost }))
}

/** Charges the budget after a rejection. That the budget could not be charged never changes the answer, which is a refusal anyway. */
export async function chargeFailure(limiter: Limiter, route: Route, request: RequestDescription, denial: Denial, now: EpochMs): Promise<void> {
  if (route.failureQuotas.length === 0 || !GUESSES.has(denial.code)) return
  await limit(limiter, failureCharges(route, request, 1), now)
}
