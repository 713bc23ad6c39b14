import type { EpochMs, MaybePromise } from '../base/time.ts'
import type { Credential, Extraction } from '../model/credential.ts'
import type { Attempt } from '../model/decision.ts'
import type { Challenge, Denial } from '../model/denial.ts'
import type { Authenticator, Verification } from '../model/ports.ts'
import type { Principal } from '../model/principal.ts'
import { REASONS, type RejectionReason } from '../model/reason.ts'
import type { RequestDescription } from '../model/request.ts'
import type { AuthenticatorUse, Route } from '../model/route.ts'

/** What one use came to: a principal, a final denial, or on to the next with a denial to remember. */
export type Step =
  | { readonly kind: 'principal'; readonly principal: Principal }
  | { readonly kind: 'final'; readonly denial: Denial; readonly presented?: string }
  | { readonly kind: 'next'; readonly weight: Weight; readonly denial: Denial; readonly presented?: string }

export type Refused = Exclude<Step, { kind: 'principal' }>

/**
 * Which remembered denial speaks in the end: the last rejection, then an unavailable one, then a credential that was read and is somebody
 * else's, then one that nobody recognised, then the first missing.
 */
export type Weight = 'missing' | 'unrecognised' | 'foreign' | 'unavailable' | 'rejected'

const missing = (use: AuthenticatorUse, challenges: readonly Challenge[]): Denial => ({ kind: 'denial', code: 'credential_missing', challenges, authenticatorId: use.authenticator.id })

function rejected({ authenticator: { id: authenticatorId } }: AuthenticatorUse, challenges: readonly Challenge[], reason: RejectionReason, evidence?: Attempt['evidence']): Denial {
  const { code } = REASONS[reason]
  return evidence ? { kind: 'denial', code, reason, challenges, authenticatorId, evidence } : { kind: 'denial', code, reason, challenges, authenticatorId }
}

function unavailable(use: AuthenticatorUse, challenges: readonly Challenge[], verification: Extract<Verification, { kind: 'unavailable' }>, presented: string): Step {
  const { dependency, cause, misconfigured, retryAfterMs } = verification
  const authenticatorId = use.authenticator.id
  const denial: Denial = misconfigured
    ? { kind: 'denial', code: 'dependency_misconfigured', dependency, authenticatorId, cause }
    : { kind: 'denial', code: 'dependency_unavailable', dependency, authenticatorId, cause, ...(retryAfterMs !== undefined && { retryAfterMs }) }
  if (use.onUnavailable === 'next') return { kind: 'next', weight: 'unavailable', denial, presented }
  return { kind: 'final', denial: use.onUnavailable === 'deny' ? rejected(use, challenges, 'remote_rejected') : denial, presented }
}

function judged(use: AuthenticatorUse, challenges: readonly Challenge[], verification: Verification, presented: string): Step {
  switch (verification.kind) {
    case 'authenticated':
      return { kind: 'principal', principal: verification.principal }
    case 'rejected': {
      const denial = rejected(use, challenges, verification.reason, verification.evidence)
      return use.onInvalid === 'next' ? { kind: 'next', weight: 'rejected', denial, presented } : { kind: 'final', denial, presented }
    }
    case 'not_applicable':
      return { kind: 'next', weight: 'foreign', denial: rejected(use, challenges, verification.reason, verification.evidence), presented }
    case 'unavailable':
      return unavailable(use, challenges, verification, presented)
  }
}

/** All of one shape: everything that watches reads them. */
const attempt = ({ authenticator: { id, kind } }: AuthenticatorUse, outcome: Attempt['outcome'], reason?: RejectionReason, evidence?: Attempt['evidence'], cause?: string): Attempt => ({ authenticatorId: id, kind, outcome, reason, evidence, cause })

function attemptOf(use: AuthenticatorUse, verification: Verification): Attempt {
  if (verification.kind === 'authenticated') return attempt(use, 'authenticated')
  if (verification.kind === 'unavailable') return attempt(use, 'unavailable', undefined, undefined, verification.cause)
  return attempt(use, verification.kind, verification.reason, verification.evidence)
}

/** What a route asks of every authenticator of a request. */
export interface Asking {
  readonly route: Route
  readonly request: RequestDescription
  readonly now: EpochMs
  /** Grows as authenticators are asked. */
  readonly attempts: Attempt[]
  /** What was found, by who looked; absent where only one looks. */
  readonly found: Map<Authenticator['extract'], Extraction> | undefined
}

/** Authenticators that look in the same places for the same thing share the function, and so what it found. */
function extracted({ authenticator: { extract } }: AuthenticatorUse, { request, found }: Asking): Extraction {
  const known = found?.get(extract)
  if (known !== undefined || found?.has(extract)) return known
  const extraction = extract(request)
  found?.set(extract, extraction)
  return extraction
}

function verified(use: AuthenticatorUse, { value }: Credential, verification: Verification, { route, attempts }: Asking): Step {
  attempts.push(attemptOf(use, verification))
  return judged(use, route.challenges, verification, value)
}

/** Nothing that could be verified. */
function unverified(use: AuthenticatorUse, found: Exclude<Extraction, Credential>, { route: { challenges }, attempts }: Asking): Step {
  attempts.push(attempt(use, found?.kind ?? 'missing'))
  if (found === undefined) {
    const denial = missing(use, challenges)
    return use.onMissing === 'reject' ? { kind: 'final', denial } : { kind: 'next', weight: 'missing', denial }
  }
  if (found.kind === 'ambiguous') return { kind: 'final', denial: { kind: 'denial', code: 'credential_ambiguous', location: found.location.name, challenges, authenticatorId: use.authenticator.id } }
  if (found.kind === 'foreign') return { kind: 'next', weight: 'unrecognised', denial: rejected(use, challenges, 'credential_unrecognised') }
  const denial = rejected(use, challenges, 'bearer_malformed')
  return use.onInvalid === 'next' ? { kind: 'next', weight: 'rejected', denial } : { kind: 'final', denial }
}

/** Asks one authenticator; the answer is there at once when its verification is. */
export function ask(use: AuthenticatorUse, asking: Asking): MaybePromise<Step> {
  const found = extracted(use, asking)
  if (found?.kind !== 'credential') return unverified(use, found, asking)
  const verification = use.authenticator.verify(found, asking.now)
  return verification instanceof Promise ? verification.then((late) => verified(use, found, late, asking)) : verified(use, found, verification, asking)
}
