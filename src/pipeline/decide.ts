import type { Clock } from '../base/time.ts'
import type { Answer, Decision, DecisionPoint, Deny, Match, Note } from '../model/decision.ts'
import { isDenial } from '../model/denial.ts'
import type { Limiter } from '../model/ports.ts'
import type { RequestDescription } from '../model/request.ts'
import { authenticate } from './authenticate.ts'
import { authorize } from './authorize.ts'
import { checkNetwork } from './check-network.ts'
import { chargeFailure, failureCharges } from './failure-budget.ts'
import { chargesOf, limit } from './limit.ts'
import { matchRoute } from './match-route.ts'
import { mutate } from './mutate.ts'
import { preflightMethod, preflightReply } from './preflight.ts'
import type { RouteTable } from './route-table.ts'

const silent: Note = () => undefined
const NOTHING = { limits: [], attempts: [] } as const

export interface DecideSettings {
  readonly routes: RouteTable
  readonly limiter: Limiter
  readonly clock: Clock
}

/** Builds the decision point. Read it from top to bottom: this is the product. */
export function createDecisionPoint({ routes, limiter, clock }: DecideSettings): DecisionPoint {
  function match(request: RequestDescription, note: Note = silent): Match | Deny | Answer {
    const announced = preflightMethod(request)

    const { route, denial } = matchRoute(routes, request, announced)
    note('match_route', denial ?? route)
    if (denial) return { outcome: 'deny', stage: 'match_route', denial, ...(route && { route }), ...NOTHING }

    // Without a CORS policy a preflight is an ordinary OPTIONS request, and the route of OPTIONS governs it.
    if (announced !== undefined && !route.cors) return matchOrdinary(request, note)

    const network = checkNetwork(route, request)
    note('check_network', network)
    if (network) return { outcome: 'deny', stage: 'check_network', denial: network, route, ...NOTHING }

    return announced !== undefined && route.cors ? { outcome: 'answer', route, reply: preflightReply(request, route.cors), ...NOTHING } : { kind: 'match', route }
  }

  function matchOrdinary(request: RequestDescription, note: Note): Match | Deny {
    const { route, denial } = matchRoute(routes, request)
    note('match_route', denial ?? route)
    if (denial) return { outcome: 'deny', stage: 'match_route', denial, ...(route && { route }), ...NOTHING }
    const network = checkNetwork(route, request)
    note('check_network', network)
    return network ? { outcome: 'deny', stage: 'check_network', denial: network, route, ...NOTHING } : { kind: 'match', route }
  }

  async function decide(request: RequestDescription, { route }: Match, note: Note = silent): Promise<Decision> {
    const now = clock()

    const client = await limit(limiter, [...chargesOf(route.clientQuotas, request), ...failureCharges(route, request, 0)], now)
    note('limit_client', client)
    if (client.denial) return { outcome: 'deny', stage: 'limit_client', denial: client.denial, route, limits: client.limits, attempts: [] }

    const { result: principals, attempts } = await authenticate(route, request, now)
    note('authenticate', { principals, attempts })
    if (isDenial(principals)) {
      await chargeFailure(limiter, route, request, principals, now)
      return { outcome: 'deny', stage: 'authenticate', denial: principals, route, limits: client.limits, attempts }
    }

    const forbidden = authorize(route, request, principals)
    note('authorize', forbidden)
    if (forbidden) return { outcome: 'deny', stage: 'authorize', denial: forbidden, route, principals, limits: client.limits, attempts }

    const spent = await limit(limiter, chargesOf(route.principalQuotas(principals), request, principals), now)
    note('limit_principal', spent)
    const limits = [...client.limits, ...spent.limits]
    if (spent.denial) return { outcome: 'deny', stage: 'limit_principal', denial: spent.denial, route, principals, limits, attempts }

    if (route.answer) return { outcome: 'answer', route, principals, reply: await route.answer(request, principals), limits, attempts }

    const mutation = mutate(route, request, principals)
    note('mutate', mutation)
    return { outcome: 'allow', route, principals, mutation, limits, attempts }
  }

  return { match, decide }
}
