import { after } from '../base/after.ts'
import type { Clock, EpochMs, MaybePromise } from '../base/time.ts'
import type { Answer, Attempt, Decision, DecisionPoint, Deny, Match, Note } from '../model/decision.ts'
import { isDenial } from '../model/denial.ts'
import type { Limiter } from '../model/ports.ts'
import type { Principals } from '../model/principal.ts'
import type { Charge, QuotaRule, ServiceLimit } from '../model/quota.ts'
import type { RequestDescription } from '../model/request.ts'
import type { Route } from '../model/route.ts'
import { authenticate, type Authentication } from './authenticate.ts'
import { authorize } from './authorize.ts'
import { checkNetwork } from './check-network.ts'
import { chargeFailure, clientCharges } from './failure-budget.ts'
import { chargesOf, limit, type Spending } from './limit.ts'
import { matchRoute } from './match-route.ts'
import { mutate } from './mutate.ts'
import { preflightMethod, preflightReply } from './preflight.ts'
import { recollect, type Recollection } from './recollection.ts'
import type { RouteTable } from './route-table.ts'

const silent: Note = () => undefined
const NOTHING = { limits: [], attempts: [] } as const

export interface DecideSettings {
  readonly routes: RouteTable
  readonly limiter: Limiter
  readonly clock: Clock
}

/** One request on its way down the line, under one time. */
interface Line { readonly request: RequestDescription; readonly route: Route; readonly note: Note; readonly now: EpochMs }

/** Who it is, and what is known by then. */
interface Proven { readonly principals: Principals; readonly limits: readonly ServiceLimit[]; readonly attempts: readonly Attempt[]; readonly recollection: Recollection }

/** Stage 6: what the principals spend. */
function principalCharges({ route, request }: Line, { principals, recollection }: Proven): readonly Charge[] {
  if (recollection.charges) return recollection.charges
  const rules = route.principalQuotas(principals)
  const charges = chargesOf(rules, request, principals)
  if (rules.every(isSteady)) recollection.charges = charges
  return charges
}

const isSteady = ({ steady = false }: QuotaRule): boolean => steady

/**
 * Builds the decision point. Read it from top to bottom: this is the product. Behind a door that answers at once the line goes on at
 * once, and most do: a promise costs more than the stage behind it.
 */
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

  function decide(request: RequestDescription, { route }: Match, note: Note = silent): MaybePromise<Decision> {
    const line: Line = { request, route, note, now: clock() }
    const client = limit(limiter, clientCharges(route, request), line.now)
    return client instanceof Promise ? client.then((late) => authenticateNext(line, late)) : authenticateNext(line, client)
  }

  function authenticateNext(line: Line, client: Spending): MaybePromise<Decision> {
    const { request, route, note, now } = line
    note('limit_client', client)
    if (client.denial) return { outcome: 'deny', stage: 'limit_client', denial: client.denial, route, limits: client.limits, attempts: [] }

    const authentication = authenticate(route, request, now)
    return authentication instanceof Promise ? authentication.then((late) => authorizeNext(line, client, late)) : authorizeNext(line, client, authentication)
  }

  function authorizeNext(line: Line, { limits }: Spending, { result: principals, attempts }: Authentication): MaybePromise<Decision> {
    const { request, route, note, now } = line
    note('authenticate', { principals, attempts })
    if (isDenial(principals)) {
      const denied: Deny = { outcome: 'deny', stage: 'authenticate', denial: principals, route, limits, attempts }
      return after(chargeFailure(limiter, route, request, principals, now), () => denied)
    }

    const forbidden = authorize(route, request, principals)
    note('authorize', forbidden)
    if (forbidden) return { outcome: 'deny', stage: 'authorize', denial: forbidden, route, principals, limits, attempts }

    const proven: Proven = { principals, limits, attempts, recollection: recollect(request, route, principals) }
    const spent = limit(limiter, principalCharges(line, proven), now)
    return spent instanceof Promise ? spent.then((late) => mutateNext(line, proven, late)) : mutateNext(line, proven, spent)
  }

  function mutateNext({ request, route, note }: Line, { principals, limits: before, attempts, recollection }: Proven, spent: Spending): MaybePromise<Decision> {
    note('limit_principal', spent)
    const limits = before.length === 0 ? spent.limits : [...before, ...spent.limits]
    if (spent.denial) return { outcome: 'deny', stage: 'limit_principal', denial: spent.denial, route, principals, limits, attempts }

    if (route.answer) return after(route.answer(request, principals), (reply) => ({ outcome: 'answer', route, principals, reply, limits, attempts }))

    const mutation = (recollection.mutation ??= mutate(route, request, principals))
    note('mutate', mutation)
    return { outcome: 'allow', route, principals, mutation, limits, attempts }
  }

  return { match, decide }
}
