import { array, assert, constantFrom, property, record } from 'fast-check'
import { describe, expect, it } from 'vitest'
import { principal, request, route as makeRoute, use } from '../../test/support/described.ts'
import type { Memory } from '../base/memory.ts'
import { createCredentialMutator, createIdentityMutator } from '../config/compile-mutators.ts'
import { createMemoryLimiter } from '../limiters/memory.ts'
import type { Decision } from '../model/decision.ts'
import type { Principal } from '../model/principal.ts'
import type { QuotaRule } from '../model/quota.ts'
import type { AuthenticatorUse, Route } from '../model/route.ts'
import { createDecisionPoint } from './decide.ts'
import { createRouteTable } from './route-table.ts'

const POLICY = { id: 'p', name: 'p', quota: 1_000_000, windowMs: 1_000, algorithm: 'fixed', onUnavailable: 'deny', shadow: false, reported: false } as const

const PEOPLE: readonly Principal[] = [principal('alice'), principal('alice'), principal('bob', { scopes: new Set(['read']) }), { kind: 'anonymous', authenticatorId: 'jwt' }]
const HEADERS = [{ cookie: 's=1; t=2' }, { cookie: 't=3', 'x-api-key': 'k' }, {}].map((headers) => request({ headers }).headers)

const bySubject: QuotaRule = { policy: POLICY, cost: 1, steady: true, partitionOf: (_request, principals) => (principals?.primary.kind === 'identified' ? `principal:${principals.primary.subject}` : undefined) }
const byPath: QuotaRule = { policy: { ...POLICY, id: 'q', name: 'q' }, cost: 1, partitionOf: ({ target }) => `path:${target.path}` }

/** Two uses of one authenticator, which proves whoever is `proven`. */
function point(who: { proven: Principal }): { readonly routes: readonly Route[]; readonly decide: (route: Route, path: string, headers: typeof HEADERS[number], memory?: Memory) => Decision } {
  const plain = use()
  const authenticator = { ...plain.authenticator, verify: () => ({ kind: 'authenticated', principal: who.proven } as const) }
  const cookie: AuthenticatorUse = { ...plain, authenticator: { ...authenticator, carriers: [{ kind: 'cookie', name: 's' }] } }
  const mutators = [createCredentialMutator([cookie.authenticator]), createIdentityMutator([['X-User-Id', ({ primary }) => (primary.kind === 'identified' ? primary.subject : undefined)]], true)]
  const authentication = (one: AuthenticatorUse, scopes: readonly string[]) => ({ mode: 'any', uses: [{ ...one, authenticator, scopes }] } as const)
  const routes = [
    makeRoute({ id: 'a', authentication: authentication(plain, []), mutators, principalQuotas: () => [bySubject] }),
    makeRoute({ id: 'b', authentication: authentication(cookie, ['read']), mutators, principalQuotas: () => [bySubject, byPath] }),
  ]
  const { decide } = createDecisionPoint({ routes: createRouteTable([]).table, limiter: createMemoryLimiter(), clock: () => 1_000 })
  return { routes, decide: (route, path, headers, memory) => decide({ ...request({ path }), headers, memory }, { kind: 'match', route }) as Decision }
}

/** What a decision says of who asked, and what becomes of the request. How much is left depends on those before. */
const told = (decision: Decision): unknown => ({
  outcome: decision.outcome, denial: decision.outcome === 'deny' ? decision.denial : undefined, primary: decision.principals?.primary, by: decision.principals && [...decision.principals.byAuthenticator], required: decision.principals && [...decision.principals.requiredScopes],
  mutation: decision.outcome === 'allow' ? decision.mutation : undefined, policies: decision.limits.map(({ policy }) => policy.id),
})

describe('what is remembered of a connection', () => {
  it('changes no decision, whoever is proven next, on whatever route and with whatever fields', () => {
    const who = { proven: PEOPLE[0]! }
    const [remembering, anew] = [point(who), point(who)]
    const asked = record({ proven: constantFrom(...PEOPLE), route: constantFrom(0, 1), path: constantFrom('/x', '/y'), headers: constantFrom(...HEADERS) })
    assert(property(array(asked, { minLength: 2, maxLength: 30 }), (all) => {
      const memory: Memory = new Map()
      for (const { proven, route, path, headers } of all) {
        who.proven = proven
        expect(told(remembering.decide(remembering.routes[route]!, path, headers, memory))).toEqual(told(anew.decide(anew.routes[route]!, path, headers)))
      }
    }), { numRuns: 300 })
  })

  it('spends for each what it would spend anew', () => {
    const who = { proven: PEOPLE[0]! }
    const { routes, decide } = point(who)
    const memory: Memory = new Map()
    const left = (path: string): readonly number[] => decide(routes[1]!, path, HEADERS[0]!, memory).limits.map(({ remaining }) => POLICY.quota - remaining)
    who.proven = PEOPLE[2]!
    expect([left('/x'), left('/x'), left('/y')]).toEqual([[1, 1], [2, 2], [3, 1]])
    who.proven = principal('carol', { scopes: new Set(['read']) })
    expect([left('/x'), left('/y')]).toEqual([[1, 3], [2, 2]])
  })

  it('is the same change for the same principal and fields, and no longer than they are', () => {
    const who = { proven: PEOPLE[0]! }
    const { routes, decide } = point(who)
    const memory: Memory = new Map()
    const changed = (headers = HEADERS[0]!): unknown => {
      const decision = decide(routes[0]!, '/x', headers, memory)
      return decision.outcome === 'allow' && decision.mutation
    }
    const first = changed()
    expect(changed()).toBe(first)
    expect(changed(HEADERS[1])).not.toBe(first)
    who.proven = PEOPLE[2]!
    expect(changed()).toMatchObject({ set: [['X-User-Id', 'bob']] })
  })
})
