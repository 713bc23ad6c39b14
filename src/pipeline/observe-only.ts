import type { Decision, DecisionPoint, Deny, Match } from '../model/decision.ts'
import { mutate } from './mutate.ts'
import { preflightMethod, preflightReply } from './preflight.ts'
import type { Principals } from '../model/principal.ts'
import type { RequestDescription } from '../model/request.ts'

const NOBODY: Principals = { primary: { kind: 'anonymous', authenticatorId: 'none' }, byAuthenticator: new Map(), requiredScopes: new Map() }

/**
 * Lets a refusal pass, saying what it would have been. A bug and an unroutable request are refused all the same, and so is what would
 * be answered here: the upstream was never meant to see it.
 */
function pass(request: RequestDescription, { route }: Match, deny: Deny): Decision {
  if (deny.denial.code === 'internal' || route.answer) return deny
  const principals = deny.principals ?? NOBODY
  const { limits, attempts, stage, denial } = deny
  return { outcome: 'allow', route, principals, mutation: mutate(route, request, principals), limits, attempts, observed: { stage, denial } }
}

/** `mode: observe` on a route: decide, count and log what would be refused, but let it pass. */
export function observeOnly({ match, decide }: DecisionPoint): DecisionPoint {
  return {
    match: (request, note) => {
      const matched = match(request, note)
      if (!('outcome' in matched) || matched.outcome !== 'deny' || !matched.route?.observe) return matched
      const { cors } = matched.route
      // A preflight is for the route that it announces; passed on, it would be another request, for another route.
      if (preflightMethod(request) !== undefined && cors) return { outcome: 'answer', route: matched.route, reply: preflightReply(request, cors), limits: [], attempts: [] }
      return { kind: 'match', route: matched.route }
    },
    decide: async (request, matched, note) => {
      const decision = await decide(request, matched, note)
      return decision.outcome === 'deny' && matched.route.observe ? pass(request, matched, decision) : decision
    },
  }
}
