import type { EpochMs } from '../base/time.ts'
import type { Attempt } from '../model/decision.ts'
import type { Challenge, Denial } from '../model/denial.ts'
import type { Verification } from '../model/ports.ts'
import type { Principal, Principals } from '../model/principal.ts'
import { REASONS, type RejectionReason } from '../model/reason.ts'
import type { RequestDescription } from '../model/request.ts'
import type { AuthenticatorUse, Route } from '../model/route.ts'

export interface Authentication {
  readonly attempts: readonly Attempt[]
  readonly result: Principals | Denial
}

/** What one use came to: a principal, a final denial, or on to the next with a denial to remember. */
type Step =
  | { readonly kind: 'principal'; readonly principal: Principal }
  | { readonly kind: 'final'; readonly denial: Denial; readonly presented?: string }
  | { readonly kind: 'next'; readonly weight: Weight; readonly denial: Denial; readonly presented?: string }

type Refused = Exclude<Step, { kind: 'principal' }>

/**
 * Which remembered denial speaks in the end: the last rejection, then an unavailable one, then a credential that was read and is somebody
 * else's, then one that nobody recognised, then the first missing.
 */
type Weight = 'missing' | 'unrecognised' | 'foreign' | 'unavailable' | 'rejected'

const NOBODY: Principals = { primary: { kind: 'anonymous', authenticatorId: 'none' }, byAuthenticator: new Map(), requiredScopes: new Map() }
const NO_ATTEMPTS: readonly Attempt[] = []

const missing = (use: AuthenticatorUse, challenges: readonly Challenge[]): Denial => ({ kind: 'denial', code: 'credential_missing', challenges, authenticatorId: use.authenticator.id })

const rejected = (use: AuthenticatorUse, challenges: readonly Challenge[], reason: RejectionReason, evidence?: Attempt['evidence']): Denial => ({
  kind: 'denial',
  code: REASONS[reason].code,
  reason,
  challenges,
  authenticatorId: use.authenticator.id,
  ...(evidence && { evidence }),
})

function unavailable(use: AuthenticatorUse, challenges: readonly Challenge[], verification: Extract<Verification, { kind: 'unavailable' }>): Step {
  const { dependency, cause, misconfigured, retryAfterMs } = verification
  const authenticatorId = use.authenticator.id
  const denial: Denial = misconfigured
    ? { kind: 'denial', code: 'dependency_misconfigured', dependency, authenticatorId, cause }
    : { kind: 'denial', code: 'dependency_unavailable', dependency, authenticatorId, cause, ...(retryAfterMs !== undefined && { retryAfterMs }) }
  if (use.onUnavailable === 'next') return { kind: 'next', weight: 'unavailable', denial }
  return { kind: 'final', denial: use.onUnavailable === 'deny' ? rejected(use, challenges, 'remote_rejected') : denial }
}

function judged(use: AuthenticatorUse, challenges: readonly Challenge[], verification: Verification): Step {
  switch (verification.kind) {
    case 'authenticated':
      return { kind: 'principal', principal: verification.principal }
    case 'rejected': {
      const denial = rejected(use, challenges, verification.reason, verification.evidence)
      return use.onInvalid === 'next' ? { kind: 'next', weight: 'rejected', denial } : { kind: 'final', denial }
    }
    case 'not_applicable':
      return { kind: 'next', weight: 'foreign', denial: rejected(use, challenges, verification.reason, verification.evidence) }
    case 'unavailable':
      return unavailable(use, challenges, verification)
  }
}

const attemptOf = ({ authenticator: { id, kind } }: AuthenticatorUse, verification: Verification): Attempt => ({
  authenticatorId: id,
  kind,
  outcome: verification.kind,
  ...('reason' in verification && { reason: verification.reason }),
  ...('evidence' in verification && verification.evidence && { evidence: verification.evidence }),
  ...('cause' in verification && { cause: verification.cause }),
})

interface Asking {
  readonly route: Route
  readonly request: RequestDescription
  readonly now: EpochMs
  /** Grows as authenticators are asked. */
  readonly attempts: Attempt[]
}

/** Asks one authenticator. */
async function ask(use: AuthenticatorUse, { route, request, now, attempts }: Asking): Promise<Step> {
  const { authenticator } = use
  const found = authenticator.extract(request)
  if (found?.kind === 'credential') {
    const verification = await authenticator.verify(found, now)
    attempts.push(attemptOf(use, verification))
    const step = judged(use, route.challenges, verification)
    return step.kind === 'principal' ? step : { ...step, presented: found.value }
  }
  attempts.push({ authenticatorId: authenticator.id, kind: authenticator.kind, outcome: found?.kind ?? 'missing' })
  if (found === undefined) {
    const denial = missing(use, route.challenges)
    return use.onMissing === 'reject' ? { kind: 'final', denial } : { kind: 'next', weight: 'missing', denial }
  }
  if (found.kind === 'ambiguous') return { kind: 'final', denial: { kind: 'denial', code: 'credential_ambiguous', location: found.location.name, challenges: route.challenges, authenticatorId: authenticator.id } }
  if (found.kind === 'foreign') return { kind: 'next', weight: 'unrecognised', denial: rejected(use, route.challenges, 'credential_unrecognised') }
  const denial = rejected(use, route.challenges, 'bearer_malformed')
  return use.onInvalid === 'next' ? { kind: 'next', weight: 'rejected', denial } : { kind: 'final', denial }
}

/** Keeps what speaks if nobody is proven. */
function remembered(known: Extract<Step, { kind: 'next' }> | undefined, step: Extract<Step, { kind: 'next' }>): Extract<Step, { kind: 'next' }> {
  const rank: Readonly<Record<Weight, number>> = { missing: 0, unrecognised: 1, foreign: 2, unavailable: 3, rejected: 4 }
  if (!known || rank[step.weight] > rank[known.weight]) return step
  // The last rejection speaks, but the first of anything else: it is the one the operator listed as preferred.
  return step.weight === 'rejected' && known.weight === 'rejected' ? step : known
}

/** "None of mine" concludes nothing while another place that may hold the same key could not be asked. */
const isInconclusive = ({ denial, presented }: Refused, undecided: Refused | undefined): boolean =>
  undecided !== undefined && 'reason' in denial && denial.reason === 'key_unknown' && presented === undecided.presented

async function authenticateAny(uses: readonly AuthenticatorUse[], asking: Asking): Promise<Principals | Denial> {
  let speaks: Extract<Step, { kind: 'next' }> | undefined
  let undecided: Refused | undefined
  for (const use of uses) {
    // A credential that was sent and not proven is never anonymous.
    if (use.authenticator.kind === 'anonymous' && speaks && speaks.weight !== 'missing') continue
    const step = await ask(use, asking)
    if (step.kind === 'principal') {
      const { id } = use.authenticator
      return { primary: step.principal, byAuthenticator: new Map([[id, step.principal]]), requiredScopes: new Map([[id, use.scopes]]) }
    }
    const inconclusive = isInconclusive(step, undecided)
    if (step.kind === 'final') return inconclusive && undecided ? undecided.denial : step.denial
    if (inconclusive) continue
    if (step.weight === 'unavailable') undecided ??= step
    speaks = remembered(speaks, step)
  }
  return speaks?.denial ?? { kind: 'denial', code: 'credential_missing', challenges: asking.route.challenges }
}

async function authenticateAll(uses: readonly AuthenticatorUse[], primary: string | undefined, asking: Asking): Promise<Principals | Denial> {
  const byAuthenticator = new Map<string, Principal>()
  const requiredScopes = new Map<string, readonly string[]>()
  for (const use of uses) {
    const step = await ask(use, asking)
    if (step.kind === 'principal') {
      byAuthenticator.set(use.authenticator.id, step.principal)
      requiredScopes.set(use.authenticator.id, use.scopes)
    } else if (!(use.optional && step.kind === 'next' && step.weight === 'missing')) return step.denial
  }
  const [first] = byAuthenticator.values()
  const speaker = (primary === undefined ? undefined : byAuthenticator.get(primary)) ?? first
  return speaker ? { primary: speaker, byAuthenticator, requiredScopes } : { kind: 'denial', code: 'credential_missing', challenges: asking.route.challenges }
}

/**
 * Credential to principals. The first authenticator that recognises a credential answers for the request: a rejected
 * credential is never tried as something else (unless that authenticator says `on_invalid: next`), a credential nobody
 * recognises is never anonymous, and a dependency that is down is 503.
 */
export async function authenticate(route: Route, request: RequestDescription, now: EpochMs): Promise<Authentication> {
  const { authentication } = route
  if (authentication.mode === 'none') return { attempts: NO_ATTEMPTS, result: NOBODY }
  const attempts: Attempt[] = []
  const asking: Asking = { route, request, now, attempts }
  const { mode, uses, primary } = authentication
  const result = mode === 'any' ? await authenticateAny(uses, asking) : await authenticateAll(uses, primary, asking)
  return { attempts, result }
}
