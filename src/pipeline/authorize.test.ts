import { describe, expect, it } from 'vitest'
import { createCidrSet } from '../base/cidr.ts'
import { principal, request, route, type RequestSketch } from '../../test/support/described.ts'
import type { IdentifiedPrincipal, Principals } from '../model/principal.ts'
import type { Requirements, Route } from '../model/route.ts'
import { authorize } from './authorize.ts'

const alone = (one: IdentifiedPrincipal, scopes: readonly string[] = []): Principals => ({ primary: one, byAuthenticator: new Map([[one.authenticatorId, one]]), requiredScopes: new Map([[one.authenticatorId, scopes]]) })
const needs = (more: Partial<Requirements>): Partial<Route> => ({ requirements: { scopes: [], roles: [], claims: [], tierRanks: new Map([['free', 0], ['pro', 1]]), ...more } })
const verdict = (on: Partial<Route>, principals: Principals, sketch: RequestSketch = {}): string => authorize(route(on), request(sketch), principals)?.code ?? 'allowed'

describe('authorize', () => {
  it.each<[string, string, Partial<Route>, Partial<IdentifiedPrincipal>]>([
    ['all scopes are held', 'allowed', needs({ scopes: ['a', 'b'] }), { scopes: new Set(['a', 'b', 'c']) }],
    ['one scope is missing', 'scope_insufficient', needs({ scopes: ['a', 'b'] }), { scopes: new Set(['a']) }],
    ['one of the roles is held', 'allowed', needs({ roles: ['admin', 'owner'] }), { roles: ['owner'] }],
    ['no role is held', 'forbidden', needs({ roles: ['admin'] }), { roles: ['user'] }],
    ['the tier is high enough', 'allowed', needs({ minTier: 'free' }), { tier: 'pro' }],
    ['the tier is too low', 'tier_insufficient', needs({ minTier: 'pro' }), { tier: 'free' }],
    ['the tier is unknown', 'tier_insufficient', needs({ minTier: 'free' }), { tier: 'gold' }],
    ['there is no tier', 'tier_insufficient', needs({ minTier: 'free' }), {}],
    ['the claim has a listed value', 'allowed', needs({ claims: [{ path: ['org', 'id'], values: ['1'] }] }), { attributes: { org: { id: '1' } } }],
    ['the claim lists a listed value', 'allowed', needs({ claims: [{ path: ['amr'], values: ['mfa'] }] }), { attributes: { amr: ['pwd', 'mfa'] } }],
    ['the claim has another value', 'forbidden', needs({ claims: [{ path: ['org', 'id'], values: ['1'] }] }), { attributes: { org: { id: '2' } } }],
    ['the claim is only on the prototype', 'forbidden', needs({ claims: [{ path: ['constructor', 'name'], values: ['Object'] }] }), { attributes: {} }],
    ['the key may be used from here', 'allowed', {}, { allowedNetworks: createCidrSet(['192.0.2.0/24']) }],
    ['the key may not be used from here', 'forbidden', {}, { allowedNetworks: createCidrSet(['10.0.0.0/8']) }],
  ])('when %s: %s', (_title, expected, on, who) => {
    expect(verdict(on, alone(principal('alice', who)))).toBe(expected)
  })

  it('demands the scopes of the use that answered, from its own principal', () => {
    expect(verdict({}, alone(principal('alice', { scopes: new Set(['content:read']) }), ['content:write']))).toBe('scope_insufficient')
    expect(verdict({}, alone(principal('alice', { scopes: new Set(['content:write']) }), ['content:write']))).toBe('allowed')
  })

  it('demands nothing of nobody on a public route, and refuses nobody where something is demanded', () => {
    const nobody: Principals = { primary: { kind: 'anonymous', authenticatorId: 'none' }, byAuthenticator: new Map(), requiredScopes: new Map() }
    expect(verdict({}, nobody)).toBe('allowed')
    expect(verdict(needs({ roles: ['admin'] }), nobody)).toBe('forbidden')
    expect(verdict(needs({ scopes: ['a'] }), nobody)).toBe('scope_insufficient')
  })
})

describe('authorize for a cookie', () => {
  const cookie = { kind: 'cookie', name: 'session' } as const
  const who = alone(principal('alice', { carrier: cookie, locations: [cookie] }))
  const listed = { csrf: { origins: new Set(['https://app.example']) } }
  it.each<[string, string, RequestSketch]>([
    ['a safe method passes whoever asks', 'allowed', { method: 'GET', headers: { origin: 'https://evil.example' } }],
    ['an unsafe one from a foreign origin is refused', 'forbidden', { method: 'POST', headers: { origin: 'https://evil.example' } }],
    ['an unsafe one from this very origin passes', 'allowed', { method: 'POST', headers: { origin: 'http://api.example' } }],
    ['the same host over another scheme is another origin', 'forbidden', { method: 'POST', headers: { origin: 'https://api.example' } }],
    ['a listed origin passes', 'allowed', { method: 'DELETE', headers: { origin: 'https://app.example' } }],
    ['the null origin is refused', 'forbidden', { method: 'POST', headers: { origin: 'null' } }],
    ['two origins are refused', 'forbidden', { method: 'POST', headers: { origin: ['https://app.example', 'https://evil.example'] } }],
    ['without origin, a cross-site fetch is refused', 'forbidden', { method: 'POST', headers: { 'sec-fetch-site': 'cross-site' } }],
    ['without origin, a same-site fetch is refused', 'forbidden', { method: 'POST', headers: { 'sec-fetch-site': 'same-site' } }],
    ['without origin, a same-origin fetch passes', 'allowed', { method: 'POST', headers: { 'sec-fetch-site': 'same-origin' } }],
    ['with neither, it is no page and passes', 'allowed', { method: 'POST' }],
    ['origin decides over sec-fetch-site', 'forbidden', { method: 'POST', headers: { origin: 'https://evil.example', 'sec-fetch-site': 'same-origin' } }],
    ['a WebSocket from a foreign page is refused although it is a GET', 'forbidden', { method: 'GET', upgrade: 'websocket', headers: { origin: 'https://evil.example' } }],
    ['a WebSocket from a listed page passes', 'allowed', { method: 'GET', upgrade: 'websocket', headers: { origin: 'https://app.example' } }],
  ])('%s: %s', (_title, expected, sketch) => {
    expect(verdict(listed, who, sketch)).toBe(expected)
  })

  it('does not ask a header credential where it comes from', () => {
    expect(verdict(listed, alone(principal('alice')), { method: 'POST', headers: { origin: 'https://evil.example' } })).toBe('allowed')
  })
})

describe('authorize on a route that reads the body', () => {
  const grants = { body: { maxBytes: 1, contentTypes: [], grantTypes: new Set(['password']) } }
  const nobody: Principals = { primary: { kind: 'anonymous', authenticatorId: 'none' }, byAuthenticator: new Map(), requiredScopes: new Map() }
  it.each<[string, string, RequestSketch]>([
    ['allowed in the query', 'allowed', { query: 'grant_type=password' }],
    ['allowed in the body', 'allowed', { body: { grant_type: 'password' } }],
    ['the same in both', 'allowed', { query: 'grant_type=password', body: { grant_type: 'password' } }],
    ['another one in the body', 'forbidden', { query: 'grant_type=password', body: { grant_type: 'web3' } }],
    ['another one in the query', 'forbidden', { query: 'grant_type=web3' }],
    ['none', 'forbidden', {}],
    ['twice', 'forbidden', { query: 'grant_type=password&grant_type=password' }],
    ['a list', 'forbidden', { body: { grant_type: ['password'] } }],
  ])('grant_type %s: %s', (_title, expected, sketch) => {
    expect(verdict(grants, nobody, sketch)).toBe(expected)
  })

  it('asks the compiled check', () => {
    const check = { body: { maxBytes: 1, contentTypes: [], check: (body: unknown) => (body as { ok?: boolean }).ok === true } }
    expect(verdict(check, nobody, { body: { ok: true } })).toBe('allowed')
    expect(verdict(check, nobody, { body: { ok: false } })).toBe('forbidden')
  })
})
