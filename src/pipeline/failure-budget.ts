import type { EpochMs, MaybePromise } from '../base/time.ts'
import type { Denial } from '../model/denial.ts'
import type { Limiter } from '../model/ports.ts'
import type { Charge } from '../model/quota.ts'
import type { RequestDescription } from '../model/request.ts'
import type { Route } from '../model/route.ts'
import { chargesOf, limit, type Spending } from './limit.ts'

/** Refusals that are guesses. A missing credential or an outage is not one. */
const GUESSES: ReadonlySet<Denial['code']> = new Set(['credential_malformed', 'credential_rejected', 'credential_revoked'])

/** Stage 3: what a client spends, and a look at its budget for failed authentications. */
export function clientCharges({ clientQuotas, failureQuotas }: Route, request: RequestDescription): readonly Charge[] {
  const charges = chargesOf(clientQuotas, request)
  return failureQuotas.length === 0 ? charges : [...charges, ...chargesOf(failureQuotas, request, undefined, true)]
}

/** Charges the budget after a rejection. That the budget could not be charged never changes the answer, which is a refusal anyway. */
export function chargeFailure(limiter: Limiter, { failureQuotas }: Route, request: RequestDescription, denial: Denial, now: EpochMs): MaybePromise<Spending> | undefined {
  return failureQuotas.length > 0 && GUESSES.has(denial.code) ? limit(limiter, chargesOf(failureQuotas, request), now) : undefined
}
