import { describe, expect, it } from 'vitest'
import { createCidrSet } from '../base/cidr.ts'
import { policy, request, route, use, type AuthenticatorSketch, type RequestSketch } from '../../test/support/described.ts'
import { createMemoryLimiter } from '../limiters/memory.ts'
import type { Decision } from '../model/decision.ts'
import type { Limiter } from '../model/ports.ts'
import type { Route } from '../model/route.ts'
import { createDecisionPoint } from './decide.ts'
import { observeOnly } from './observe-only.ts'
import { createRouteTable, type RouteEntry } from './route-table.ts'

const REJECTED: AuthenticatorSketch = { says: { kind: 'rejected', reason: 'key_unknown' } }
const guarded = (sketch?: AuthenticatorSketch): Partial<Route> => ({ authentication: { mode: 'any', uses: [use(sketch)] }, mutators: [(_request, { primary }) => ({ remove: [], removeCookies: [], set: [['X-User-Id', primary.kind === 'identified' ? primary.subject : 'nobody']] })] })
const HERE = createCidrSet(['192.0.2.0/24'])
const CORS = { fieldsFor: () => [], preflightFor: () => [] }
const announcing = (method: string): RequestSketch => ({ method: 'OPTIONS', headers: { origin: 'https://a.example', 'access-control-request-method': method } })

interface Gateway { readonly on?: Partial<Route>; readonly entries?: readonly RouteEntry[]; readonly unmatched?: Route; readonly limiter?: Limiter }

async function decide({ on = {}, entries, unmatched, limiter = createMemoryLimiter() }: Gateway, sketch: RequestSketch = {}): Promise<Decision> {
  const { table } = createRouteTable(entries ?? [{ pattern: '/**', route: route({ observe: true, ...on }) }])
  const point = observeOnly(createDecisionPoint({ routes: table, limiter, clock: () => 1_000_000 }), unmatched)
  const described = request(sketch)
  const matched = point.match(described)
  return 'outcome' in matched ? matched : point.decide(described, matched)
}

const says = (decision: Decision): string => (decision.outcome === 'deny' ? `deny ${decision.denial.code}` : decision.outcome === 'allow' && decision.observed ? `pass ${decision.observed.stage}: ${decision.observed.denial.code}` : decision.outcome)

describe('a route that only observes', () => {
  it.each<[string, string, Partial<Route>]>([
    ['a denied network', 'pass check_network: network_denied', { ...guarded(), deniedNetworks: HERE }],
    ['plain http', 'pass check_network: https_required', { requireHttps: true }],
    ['a route that exists to refuse', 'pass match_route: forbidden', { deny: 'forbidden' }],
    ['no credential', 'pass authenticate: credential_missing', guarded({ finds: 'missing' })],
    ['a rejected credential', 'pass authenticate: credential_rejected', guarded(REJECTED)],
    ['a credential that cannot be checked', 'pass authenticate: dependency_unavailable', guarded({ says: { kind: 'unavailable', dependency: 'idp', cause: 'down' } })],
    ['a missing scope', 'pass authorize: scope_insufficient', { ...guarded(), requirements: { scopes: ['x'], roles: [], claims: [], tierRanks: new Map() } }],
    ['a spent quota', 'pass limit_client: quota_exceeded', { clientQuotas: [{ policy: policy({ quota: 1 }), cost: 2, partitionOf: () => 'p' }] }],
    ['the first of several reasons', 'pass check_network: network_denied', { ...guarded(REJECTED), deniedNetworks: HERE }],
    ['nothing that is wrong', 'allow', guarded()],
  ])('lets pass %s, and says what would have been said', async (_title, expected, on) => {
    expect(says(await decide({ on }))).toBe(expected)
  })

  it.each<[string, string, Partial<Route>]>([
    ['a credential that stands there twice', 'deny credential_ambiguous', guarded({ finds: 'ambiguous' })],
    ['what Postern would answer itself', 'deny credential_rejected', { ...guarded(REJECTED), answer: () => ({ status: 200, headers: [], body: '' }) }],
    ['what Postern would answer itself, from a denied network', 'deny network_denied', { deniedNetworks: HERE, answer: () => ({ status: 200, headers: [], body: '' }) }],
  ])('refuses %s all the same', async (_title, expected, on) => {
    expect(says(await decide({ on }))).toBe(expected)
  })

  it('gives the upstream the name that was proven, and nobody where none was', async () => {
    const nameIn = async (on: Partial<Route>): Promise<unknown> => {
      const decision = await decide({ on })
      return decision.outcome === 'allow' && decision.mutation.set[0]?.[1]
    }
    expect(await nameIn({ ...guarded(), deniedNetworks: HERE })).toBe('alice')
    expect(await nameIn({ ...guarded(), clientQuotas: [{ policy: policy({ quota: 1 }), cost: 2, partitionOf: () => 'p' }] })).toBe('alice')
    expect(await nameIn({ ...guarded(), requirements: { scopes: ['x'], roles: [], claims: [], tierRanks: new Map() } })).toBe('alice')
    expect(await nameIn(guarded(REJECTED))).toBe('nobody')
  })

  it('leaves the quotas to requests that would have got that far', async () => {
    const limiter = createMemoryLimiter()
    const quota = { policy: policy({ quota: 5 }), cost: 1, partitionOf: () => 'p' }
    const quotas = { clientQuotas: [quota], principalQuotas: () => [{ ...quota, cost: 2 }] }
    await decide({ on: { ...guarded(), ...quotas, deniedNetworks: HERE }, limiter })
    expect(limiter.size()).toBe(0)
    await decide({ on: { ...guarded(), ...quotas }, limiter })
    expect(limiter.look([{ policy: quota.policy, partition: 'p', cost: 0 }], 1_000_000)[0]?.remaining).toBe(2)
  })

  it('opens no other route: refusals elsewhere stand', async () => {
    const entries = [{ pattern: '/watched', route: route({ observe: true, ...guarded(REJECTED) }) }, { pattern: '/strict', route: route(guarded(REJECTED)) }]
    expect(says(await decide({ entries }, { path: '/watched' }))).toBe('pass authenticate: credential_rejected')
    expect(says(await decide({ entries }, { path: '/strict' }))).toBe('deny credential_rejected')
    expect(says(await decide({ entries }, { path: '/nowhere' }))).toBe('deny route_not_found')
  })
})

describe('a gateway that only observes', () => {
  const unmatched = route({ id: 'unmatched', observe: true })
  const strict = [{ pattern: '/strict', route: route(guarded(REJECTED)) }, { pattern: '/never', route: route({ deny: 'forbidden' }) }]

  it('lets pass what no route matches', async () => {
    expect(await decide({ entries: strict, unmatched }, { path: '/nowhere' })).toMatchObject({ outcome: 'allow', route: { id: 'unmatched' }, observed: { stage: 'match_route', denial: { code: 'route_not_found' } } })
  })

  it('refuses on routes that enforce', async () => {
    expect(says(await decide({ entries: strict, unmatched }, { path: '/strict' }))).toBe('deny credential_rejected')
    expect(says(await decide({ entries: strict, unmatched }, { path: '/never' }))).toBe('deny forbidden')
  })

  it('takes a preflight for the request that it is, so that naming a method opens no enforced path', async () => {
    const entries = [{ pattern: '/both', methods: new Set(['OPTIONS', 'GET']), route: route(guarded(REJECTED)) }, { pattern: '/both', methods: new Set(['DELETE']), route: route({ observe: true, deny: 'forbidden' }) }]
    for (const method of ['PURGE', 'DELETE']) expect(says(await decide({ entries, unmatched }, { path: '/both', ...announcing(method) }))).toBe('deny credential_rejected')
    expect(says(await decide({ entries, unmatched }, { path: '/nowhere', ...announcing('PURGE') }))).toBe('pass match_route: route_not_found')
  })

  it('answers preflights where it has a CORS policy, as ever', async () => {
    expect(says(await decide({ on: { ...guarded(REJECTED), cors: CORS, deniedNetworks: HERE } }, announcing('GET')))).toBe('answer')
  })
})
