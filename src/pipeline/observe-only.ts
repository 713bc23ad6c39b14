import type { Decision, DecisionPoint, Deny, Match } from '../model/decision.ts'
import { mutate } from './mutate.ts'
import type { Principals } from '../model/principal.ts'
import type { RequestDescription } from '../model/request.ts'

const NOBODY: Principals = { primary: { kind: 'anonymous', authenticatorId: 'none' }, byAuthenticator: new Map(), requiredScopes: new Map() }

/** Lets a refusal pass as anonymous, saying what it would have been. A bug and an unroutable request are refused all the same. */
function pass(request: RequestDescription, { route }: Match, deny: Deny): Decision {
  if (deny.denial.code === 'internal') return deny
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
      return { kind: 'match', route: matched.route }
    },
    decide: async (request, matched, note) => {
      const decision = await decide(request, matched, note)
      return decision.outcome === 'deny' && matched.route.observe ? pass(request, matched, decision) : decision
    },
  }
}
