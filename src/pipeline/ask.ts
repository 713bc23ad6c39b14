import type { EpochMs, MaybePromise } from '../base/time.ts'
import type { Credential, Extraction } from '../model/credential.ts'
import type { Attempt } from '../model/decision.ts'
import type { Authenticator, Verification } from '../model/ports.ts'
import type { Principal } from '../model/principal.ts'
import type { RejectionReason } from '../model/reason.ts'
import type { RequestDescription } from '../model/request.ts'
import type { AuthenticatorUse } from '../model/route.ts'

/** What an authenticator says of a credential that proves nobody. */
type Unproven = Exclude<Verification, { readonly kind: 'authenticated' }>
export type Unavailable = Extract<Unproven, { readonly kind: 'unavailable' }>

/** A use that came to no principal. */
export interface Refused {
  /** Whether that ends the search; if not, it is remembered in case nobody else is proven. */
  readonly kind: 'final' | 'next'
  readonly weight: Weight
  readonly use: AuthenticatorUse
  /** What was found, or what was said of the credential. */
  readonly because: Exclude<Extraction, Credential> | Unproven
  readonly presented?: string
}

/** What one use came to. */
export type Step = { readonly kind: 'principal'; readonly principal: Principal } | Refused

/**
 * Which remembered refusal speaks in the end: the last rejection, then an unavailable one, then a credential that was read and is somebody
 * else's, then one that nobody recognised, then the first missing.
 */
export type Weight = 'missing' | 'unrecognised' | 'foreign' | 'unavailable' | 'rejected'

function judged(use: AuthenticatorUse, because: Verification, presented: string): Step {
  switch (because.kind) {
    case 'authenticated':
      return { kind: 'principal', principal: because.principal }
    case 'rejected':
      return { kind: use.onInvalid === 'next' ? 'next' : 'final', weight: 'rejected', use, because, presented }
    case 'not_applicable':
      return { kind: 'next', weight: 'foreign', use, because, presented }
    case 'unavailable':
      return { kind: use.onUnavailable === 'next' ? 'next' : 'final', weight: 'unavailable', use, because, presented }
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

function verified(use: AuthenticatorUse, { value }: Credential, verification: Verification, { attempts }: Asking): Step {
  attempts.push(attemptOf(use, verification))
  return judged(use, verification, value)
}

/** Nothing that could be verified. */
function unverified(use: AuthenticatorUse, because: Exclude<Extraction, Credential>, { attempts }: Asking): Step {
  attempts.push(attempt(use, because?.kind ?? 'missing'))
  switch (because?.kind) {
    case undefined:
      return { kind: use.onMissing === 'reject' ? 'final' : 'next', weight: 'missing', use, because }
    case 'ambiguous':
      return { kind: 'final', weight: 'rejected', use, because }
    case 'foreign':
      return { kind: 'next', weight: 'unrecognised', use, because }
    case 'malformed':
      return { kind: use.onInvalid === 'next' ? 'next' : 'final', weight: 'rejected', use, because }
  }
}

/** Asks one authenticator; the answer is there at once when its verification is. */
export function ask(use: AuthenticatorUse, asking: Asking): MaybePromise<Step> {
  const found = extracted(use, asking)
  if (found?.kind !== 'credential') return unverified(use, found, asking)
  const verification = use.authenticator.verify(found, asking.now)
  return verification instanceof Promise ? verification.then((late) => verified(use, found, late, asking)) : verified(use, found, verification, asking)
}
