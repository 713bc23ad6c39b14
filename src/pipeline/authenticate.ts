import type { EpochMs, MaybePromise } from '../base/time.ts'
import type { Attempt } from '../model/decision.ts'
import type { Denial } from '../model/denial.ts'
import type { Principal, Principals } from '../model/principal.ts'
import type { RequestDescription } from '../model/request.ts'
import type { AuthenticatorUse, Route } from '../model/route.ts'
import { denialOf } from './ask-denial.ts'
import { ask, type Asking, type Refused, type Step, type Weight } from './ask.ts'
import { samePrincipals } from './recollection.ts'

export interface Authentication {
  readonly attempts: readonly Attempt[]
  readonly result: Principals | Denial
}

/** Nobody was asked, and nobody is proven. */
export const NOBODY: Principals = { primary: { kind: 'anonymous', authenticatorId: 'none' }, byAuthenticator: new Map(), requiredScopes: new Map() }
const UNASKED: Authentication = { attempts: [], result: NOBODY }

const RANK: Readonly<Record<Weight, number>> = { missing: 0, unrecognised: 1, foreign: 2, unavailable: 3, rejected: 4 }

/** Keeps what speaks if nobody is proven. */
function remembered(known: Refused | undefined, step: Refused): Refused {
  if (!known || RANK[step.weight] > RANK[known.weight]) return step
  // The last rejection speaks, but the first of anything else: it is the one the operator listed as preferred.
  return step.weight === 'rejected' && known.weight === 'rejected' ? step : known
}

/** "None of mine" concludes nothing while another place that may hold the same key could not be asked. */
const isInconclusive = ({ because, presented }: Refused, undecided: Refused | undefined): boolean =>
  undecided !== undefined && because !== undefined && 'reason' in because && because.reason === 'key_unknown' && presented === undecided.presented

/** How far the authenticators of a route were asked, and what they came to. */
interface Search {
  readonly uses: readonly AuthenticatorUse[]
  readonly asking: Asking
  readonly route: Route
  next: number
}

interface SearchAny extends Search {
  speaks: Refused | undefined
  undecided: Refused | undefined
}

/** What the step comes to, or undefined when the next one is to be asked. */
function concludedAny(search: SearchAny, use: AuthenticatorUse, step: Step): Principals | Denial | undefined {
  if (step.kind === 'principal') {
    const { authenticator: { id }, scopes } = use
    const same = samePrincipals(search.asking.request, search.route, use, step.principal)
    return same ?? { primary: step.principal, byAuthenticator: new Map<string, Principal>().set(id, step.principal), requiredScopes: scopes.length === 0 ? NOBODY.requiredScopes : new Map([[id, scopes]]) }
  }
  const inconclusive = isInconclusive(step, search.undecided)
  if (step.kind === 'final') return denialOf(inconclusive && search.undecided ? search.undecided : step, search.route.challenges)
  if (inconclusive) return undefined
  if (step.weight === 'unavailable') search.undecided ??= step
  search.speaks = remembered(search.speaks, step)
  return undefined
}

function authenticateAny(search: SearchAny): MaybePromise<Principals | Denial> {
  const { uses, asking, route: { challenges } } = search
  for (let use = uses[search.next]; use; use = uses[search.next]) {
    search.next += 1
    // A credential that was sent and not proven is never anonymous.
    if (use.authenticator.kind === 'anonymous' && search.speaks && search.speaks.weight !== 'missing') continue
    const asked = use
    const step = ask(asked, asking)
    if (step instanceof Promise) return step.then((late) => concludedAny(search, asked, late) ?? authenticateAny(search))
    const result = concludedAny(search, asked, step)
    if (result) return result
  }
  return search.speaks ? denialOf(search.speaks, challenges) : { kind: 'denial', code: 'credential_missing', challenges }
}

interface SearchAll extends Search {
  readonly primary: string | undefined
  readonly byAuthenticator: Map<string, Principal>
  readonly requiredScopes: Map<string, readonly string[]>
}

/** Why the step ends the search, or undefined when the next one is to be asked. */
function deniedAll({ route: { challenges }, byAuthenticator, requiredScopes }: SearchAll, { authenticator: { id }, optional, scopes }: AuthenticatorUse, step: Step): Denial | undefined {
  if (step.kind !== 'principal') return optional && step.kind === 'next' && step.weight === 'missing' ? undefined : denialOf(step, challenges)
  byAuthenticator.set(id, step.principal)
  requiredScopes.set(id, scopes)
  return undefined
}

function authenticateAll(search: SearchAll): MaybePromise<Principals | Denial> {
  const { uses, asking, route: { challenges }, primary, byAuthenticator, requiredScopes } = search
  for (let use = uses[search.next]; use; use = uses[search.next]) {
    search.next += 1
    const asked = use
    const step = ask(asked, asking)
    if (step instanceof Promise) return step.then((late) => deniedAll(search, asked, late) ?? authenticateAll(search))
    const denial = deniedAll(search, asked, step)
    if (denial) return denial
  }
  const [first] = byAuthenticator.values()
  const speaker = (primary === undefined ? undefined : byAuthenticator.get(primary)) ?? first
  return speaker ? { primary: speaker, byAuthenticator, requiredScopes } : { kind: 'denial', code: 'credential_missing', challenges }
}

/**
 * Credential to principals. The first authenticator that recognises a credential answers for the request: a rejected
 * credential is never tried as something else (unless that authenticator says `on_invalid: next`), a credential nobody
 * recognises is never anonymous, and a dependency that is down is 503. At once when every answer is there at once.
 */
export function authenticate(route: Route, request: RequestDescription, now: EpochMs): MaybePromise<Authentication> {
  const { authentication } = route
  if (authentication.mode === 'none') return UNASKED
  const attempts: Attempt[] = []
  const { mode, uses, primary } = authentication
  const asking: Asking = { request, now, attempts, found: uses.length > 1 ? new Map() : undefined }
  const result = mode === 'any'
    ? authenticateAny({ uses, asking, route, next: 0, speaks: undefined, undecided: undefined })
    : authenticateAll({ uses, asking, route, next: 0, primary, byAuthenticator: new Map(), requiredScopes: new Map() })
  return result instanceof Promise ? result.then((late) => ({ attempts, result: late })) : { attempts, result }
}
