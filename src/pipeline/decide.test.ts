import { describe, expect, it } from 'vitest'
import { createCidrSet } from '../base/cidr.ts'
import { policy, principal, request, route, use, type RequestSketch } from '../../test/support/described.ts'
import { createMemoryLimiter } from '../limiters/memory.ts'
import type { Decision, Note } from '../model/decision.ts'
import { LimiterUnavailable, type Limiter, type Verification } from '../model/ports.ts'
import type { QuotaPolicy, QuotaRule } from '../model/quota.ts'
import type { Route } from '../model/route.ts'
import { createDecisionPoint } from './decide.ts'
import { failClosed } from './fail-closed.ts'
import { createRouteTable } from './route-table.ts'

const rejected: Verification = { kind: 'rejected', reason: 'key_unknown' }
const rule = (of: QuotaPolicy, partition = 'p'): QuotaRule => ({ policy: of, cost: 1, partitionOf: () => partition })
const guarded = (says?: Verification): Partial<Route> => ({ authentication: { mode: 'any', uses: [use(says && { says })] } })

function createPoint(on: Partial<Route>, limiter: Limiter = createMemoryLimiter()) {
  const table = createRouteTable([{ pattern: '/**', route: route(on) }]).table
  const point = createDecisionPoint({ routes: table, limiter, clock: () => 1_000_000 })
  return async (sketch: RequestSketch = {}, note?: Note): Promise<Decision> => {
    const described = request(sketch)
    const matched = point.match(described, note)
    return 'outcome' in matched ? matched : point.decide(described, matched, note)
  }
}

const says = (decision: Decision): string => (decision.outcome === 'deny' ? `${decision.stage}: ${decision.denial.code}` : decision.outcome)

describe('the line', () => {
  it.each<[string, string, Partial<Route>, RequestSketch]>([
    ['a denied network is refused before anything is spent', 'check_network: network_denied', { deniedNetworks: createCidrSet(['192.0.2.0/24']), ...guarded() }, {}],
    ['a network that is not listed is refused', 'check_network: network_denied', { allowedNetworks: createCidrSet(['10.0.0.0/8']) }, {}],
    ['a denied network wins over an allowed one', 'check_network: network_denied', { allowedNetworks: createCidrSet(['192.0.2.0/24']), deniedNetworks: createCidrSet(['192.0.2.1']) }, {}],
    ['plain http is refused where https is required', 'check_network: https_required', { requireHttps: true }, {}],
    ['https passes where it is required', 'allow', { requireHttps: true }, { scheme: 'https' }],
    ['a public route allows', 'allow', {}, {}],
    ['a proven principal is allowed', 'allow', guarded(), {}],
    ['a rejected credential is refused', 'authenticate: credential_rejected', guarded(rejected), {}],
    ['what may not be done is refused', 'authorize: scope_insufficient', { ...guarded(), requirements: { scopes: ['x'], roles: [], claims: [], tierRanks: new Map() } }, {}],
    ['a spent client quota is refused before authentication', 'limit_client: quota_exceeded', { ...guarded(rejected), clientQuotas: [{ ...rule(policy({ quota: 1 })), cost: 2 }] }, {}],
    ['a spent principal quota is refused last', 'limit_principal: quota_exceeded', { ...guarded(), principalQuotas: () => [{ ...rule(policy({ quota: 1 })), cost: 2 }] }, {}],
    ['a built-in answer is given by Postern itself', 'answer', { ...guarded(), answer: () => ({ status: 200, headers: [], body: '{}' }) }, {}],
  ])('%s', async (_title, expected, on, sketch) => {
    expect(says(await createPoint(on)(sketch))).toBe(expected)
  })

  it('does not spend a principal quota for a request that is refused', async () => {
    const limiter = createMemoryLimiter()
    const quota = policy({ quota: 1 })
    await createPoint({ ...guarded(rejected), principalQuotas: () => [rule(quota)] }, limiter)()
    expect(limiter.look([{ policy: quota, partition: 'p', cost: 0 }], 1_000_000)[0]?.remaining).toBe(1)
  })

  it('tells every stage to whoever listens, in order', async () => {
    const stages: string[] = []
    await createPoint(guarded())({}, (stage) => stages.push(stage))
    expect(stages).toEqual(['match_route', 'check_network', 'limit_client', 'authenticate', 'authorize', 'limit_principal', 'mutate'])
  })

  it('spends the budget for failed authentications on guesses alone', async () => {
    const budget = policy({ id: 'failed', quota: 2 })
    const on = { failureQuotas: [rule(budget)] }
    const limiter = createMemoryLimiter()
    for (let n = 0; n < 5; n += 1) await createPoint({ ...on, ...guarded() }, limiter)()
    await createPoint({ ...on, authentication: { mode: 'any', uses: [use({ finds: 'missing' })] } }, limiter)()
    await createPoint({ ...on, ...guarded({ kind: 'rejected', reason: 'jwt_expired' }) }, limiter)()
    expect(limiter.look([{ policy: budget, partition: 'p', cost: 0 }], 1_000_000)[0]?.remaining).toBe(2)
    const answers = []
    for (let n = 0; n < 3; n += 1) answers.push(says(await createPoint({ ...on, ...guarded(rejected) }, limiter)()))
    expect(answers).toEqual(['authenticate: credential_rejected', 'authenticate: credential_rejected', 'limit_client: quota_exceeded'])
    expect(says(await createPoint({ ...on, ...guarded() }, limiter)())).toBe('limit_client: quota_exceeded')
  })

  it('does not tell clients of the budget while it is not spent', async () => {
    const decision = await createPoint({ failureQuotas: [rule(policy())], ...guarded() })()
    expect(decision.limits).toEqual([])
  })

  it('answers 503 when the counter store is down and the policy denies', async () => {
    const broken: Limiter = {
      consume: () => {
        throw new LimiterUnavailable('store')
      },
    }
    expect(says(await createPoint({ clientQuotas: [rule(policy())] }, broken)())).toBe('limit_client: dependency_unavailable')
  })
})

describe('a preflight', () => {
  const cors = { fieldsFor: () => [], preflightFor: () => [['Access-Control-Allow-Origin', '*']] as const }
  const preflight = { method: 'OPTIONS', headers: { origin: 'https://a.example', 'access-control-request-method': 'POST' } }
  it('is answered without authentication and spends nothing', async () => {
    const limiter = createMemoryLimiter()
    const quota = policy({ quota: 1 })
    const decide = createPoint({ ...guarded(rejected), cors, clientQuotas: [rule(quota)] }, limiter)
    expect(says(await decide(preflight))).toBe('answer')
    expect(limiter.size()).toBe(0)
  })

  it.each<[string, RequestSketch]>([
    ['without an announced method', { method: 'OPTIONS', headers: { origin: 'https://a.example' } }],
    ['without an origin', { method: 'OPTIONS', headers: { 'access-control-request-method': 'POST' } }],
    ['with another method', { ...preflight, method: 'GET' }],
  ])('is an ordinary request %s', async (_title, sketch) => {
    expect(says(await createPoint({ ...guarded({ kind: 'rejected', reason: 'key_unknown' }), cors })(sketch))).toBe('authenticate: credential_rejected')
  })

  it('is an ordinary request where no CORS policy is configured', async () => {
    expect(says(await createPoint(guarded(rejected))(preflight))).toBe('authenticate: credential_rejected')
  })
})

describe('waiting', () => {
  const quota = policy({ quota: 2 })
  const spent = policy({ quota: 1 })
  const deny: Partial<Route> = { ...guarded(rejected), failureQuotas: [rule(spent, 'budget')] }
  const cases: readonly (readonly [string, Partial<Route>])[] = [
    ['an allowed request', { ...guarded(), clientQuotas: [rule(quota)], principalQuotas: () => [rule(quota)] }],
    ['a refused credential', deny],
    ['a spent client quota', { ...guarded(), clientQuotas: [{ ...rule(spent), cost: 2 }] }],
    ['a spent principal quota', { ...guarded(), principalQuotas: () => [{ ...rule(spent), cost: 2 }] }],
    ['several authenticators', { authentication: { mode: 'any', uses: [use({ id: 'a', says: rejected }, { onInvalid: 'next' }), use({ id: 'b' })] } }],
    ['all authenticators', { authentication: { mode: 'all', uses: [use({ id: 'a' }), use({ id: 'b' }), use({ id: 'c', finds: 'missing' }, { optional: true })] } }],
    ['one of all that is bad', { authentication: { mode: 'all', uses: [use({ id: 'a' }), use({ id: 'b', says: rejected })] } }],
    ['an answer of our own', { ...guarded(), answer: () => ({ status: 200, headers: [], body: '{}' }) }],
  ]

  /** The same route and limiter, whose answers come later. */
  function later(on: Partial<Route>): Partial<Route> {
    const { authentication = { mode: 'none' }, answer } = on
    const uses = authentication.mode === 'none' ? [] : authentication.uses.map((one) => ({ ...one, authenticator: { ...one.authenticator, verify: async (...asked: Parameters<typeof one.authenticator.verify>) => one.authenticator.verify(...asked) } }))
    return { ...on, ...(authentication.mode !== 'none' && { authentication: { ...authentication, uses } }), ...(answer && { answer: async (...asked: Parameters<typeof answer>) => answer(...asked) }) }
  }

  const told = (decision: Decision): unknown => ({ ...decision, route: undefined })

  it.each(cases)('is for nothing where every door answers at once: %s', (_title, on) => {
    const table = createRouteTable([{ pattern: '/**', route: route(on) }]).table
    const point = failClosed(createDecisionPoint({ routes: table, limiter: createMemoryLimiter(), clock: () => 1_000_000 }), () => undefined)
    expect(point.decide(request(), { kind: 'match', route: route(on) })).not.toBeInstanceOf(Promise)
  })

  it.each(cases)('changes nothing about the decision: %s', async (_title, on) => {
    const limiters = [createMemoryLimiter(), createMemoryLimiter()] as const
    const slow: Limiter = { consume: async (charges, now) => limiters[1].consume(charges, now) }
    for (let nth = 0; nth < 3; nth += 1) {
      expect(told(await createPoint(later(on), slow)())).toEqual(told(await createPoint(on, limiters[0])()))
    }
    expect(limiters[1].size()).toBe(limiters[0].size())
  })
})

describe('failClosed', () => {
  const bug = (): never => {
    throw new Error('bug')
  }
  it('denies when a stage has a bug, and reports it', async () => {
    const reported: unknown[] = []
    const point = failClosed({ match: bug, decide: bug }, (error) => reported.push(error))
    const described = request()
    expect(point.match(described)).toMatchObject({ outcome: 'deny', denial: { code: 'internal' } })
    expect(await point.decide(described, { kind: 'match', route: route() })).toMatchObject({ outcome: 'deny', denial: { code: 'internal' } })
    expect(reported).toHaveLength(2)
  })

  it('denies when a stage has a bug after it waited, and reports it', async () => {
    const reported: unknown[] = []
    const point = failClosed({ match: bug, decide: async () => bug() }, (error) => reported.push(error))
    const on = route()
    expect(await point.decide(request(), { kind: 'match', route: on })).toMatchObject({ outcome: 'deny', denial: { code: 'internal' }, route: on })
    expect(reported).toHaveLength(1)
  })

  it.each(['throws', 'rejects'])('denies when an authenticator %s, against its word', async (how) => {
    const broken = { ...use().authenticator, verify: how === 'throws' ? bug : async () => bug() }
    const on = route({ authentication: { mode: 'any', uses: [{ ...use(), authenticator: broken }] } })
    const point = failClosed(createDecisionPoint({ routes: createRouteTable([]).table, limiter: createMemoryLimiter(), clock: () => 1_000_000 }), () => undefined)
    expect(await point.decide(request(), { kind: 'match', route: on })).toMatchObject({ outcome: 'deny', denial: { code: 'internal' } })
  })
})

describe('a decision', () => {
  it('is deterministic for fixed doors and a fixed clock', async () => {
    const decide = createPoint({ ...guarded({ kind: 'authenticated', principal: principal('alice') }) })
    expect(await decide()).toEqual(await decide())
  })
})
