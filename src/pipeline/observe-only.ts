import { after } from '../base/after.ts'
import type { MaybePromise } from '../base/time.ts'
import type { Decision, DecisionPoint, Deny, Match, Note, Observed } from '../model/decision.ts'
import type { ProblemCode } from '../model/denial.ts'
import type { RequestDescription } from '../model/request.ts'
import type { Route } from '../model/route.ts'
import { NOBODY } from './authenticate.ts'
import { mutate } from './mutate.ts'
import { preflightMethod, preflightReply } from './preflight.ts'

/** Refused all the same: a bug, and what two readers would take for two things. */
const NEVER_PASSED: ReadonlySet<ProblemCode> = new Set(['internal', 'credential_ambiguous'])

/** What would be answered here is no request for the upstream, whoever asks. */
const isObserved = (route: Route | undefined): route is Route => route !== undefined && route.observe && !route.answer

/** Lets a refusal pass, saying what it would have been. */
function pass(request: RequestDescription, { route, observed }: Match, deny: Deny): Decision {
  if (NEVER_PASSED.has(deny.denial.code)) return deny
  const principals = deny.principals ?? NOBODY
  const { limits, attempts, stage, denial } = deny
  return { outcome: 'allow', route, principals, mutation: mutate(route, request, principals), limits, attempts, observed: observed ?? { stage, denial } }
}

const spendless = new WeakMap<Route, Route>()

/** The same route without quotas. A request that the line would have refused before them has to leave them to those that it would not. */
function withoutQuotas(route: Route): Route {
  const made = spendless.get(route) ?? { ...route, clientQuotas: [], failureQuotas: [], principalQuotas: () => [] }
  spendless.set(route, made)
  return made
}

/** A preflight as the ordinary request that it is where nobody here answers it. */
const ordinary = (request: RequestDescription): RequestDescription => ({ ...request, headers: new Map([...request.headers].filter(([name]) => name !== 'access-control-request-method')) })

const observedIn = ({ stage, denial }: Deny): Observed => ({ stage, denial })

/**
 * Decides, and lets pass what would be refused on routes that only observe. Who asks is found out all the same, since the upstream is
 * to be told; what is not proven is nobody.
 *
 * @param unmatched  governs what no route matches; undefined refuses it
 */
export function observeOnly({ match, decide }: DecisionPoint, unmatched?: Route): DecisionPoint {
  const matchObserved: DecisionPoint['match'] = (request, note) => {
    const matched = match(request, note)
    if (!('outcome' in matched) || matched.outcome !== 'deny' || matched.denial.code === 'internal') return matched
    const route = matched.route ?? unmatched
    if (!isObserved(route)) return matched
    const isPreflight = preflightMethod(request) !== undefined
    // A preflight is for the route that it announces; passed on, it is another request, for another route.
    if (isPreflight && route.cors) return { outcome: 'answer', route, reply: preflightReply(request, route.cors), limits: [], attempts: [] }
    if (isPreflight && matched.stage === 'match_route') return matchObserved(ordinary(request), note)
    return { kind: 'match', route, observed: observedIn(matched) }
  }
  const decideObserved = (request: RequestDescription, matched: Match, note?: Note): MaybePromise<Decision> => {
    const { route, observed } = matched
    return after(decide(request, observed ? { ...matched, route: withoutQuotas(route) } : matched, note), (decision): MaybePromise<Decision> => {
      if (decision.outcome !== 'deny') return decision.outcome === 'allow' && observed ? { ...decision, observed } : decision
      if (!isObserved(route)) return decision
      // Nobody was looked for yet, and the upstream is to be told who it is.
      if (decision.stage === 'limit_client' && !observed) return after(decideObserved(request, { ...matched, observed: observedIn(decision) }, note), (later) => ({ ...later, limits: decision.limits }))
      return pass(request, matched, decision)
    })
  }
  return { match: matchObserved, decide: decideObserved }
}
