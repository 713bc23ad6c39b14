import { encode } from '@auth/core/jwt'
import { createHmac } from 'node:crypto'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { json, raw, startAnswering, type AnsweringServer } from '../../test/support/answering.ts'
import { provider } from '../../test/support/provider.ts'
import { SILENT } from '../model/event.ts'
import { compileAuthenticators } from './compile-authenticators.ts'
import type { Mistake } from './mistake.ts'
import { createResources } from './resources.ts'
import { configSchema } from './schema.ts'
import { writeOutShortForms } from './short-form.ts'

let server: AnsweringServer
beforeAll(async () => {
  server = await startAnswering()
})
beforeEach(() => {
  server.seen.length = 0
})
afterAll(() => server.close())

const SECRET = 'test-secret-0123456789abcdef0123456789abcdef'
const at = (mistakes: readonly Mistake[]): readonly string[] => mistakes.map(({ path }) => path.slice(2).join('.'))

describe('an authenticator whose variables are unset', () => {
  it.each([
    ['supabase', { url: '', api_key: '' }],
    ['introspection', { url: '', client_id: '', client_secret: '' }],
    ['introspection', {}],
    ['session', { secrets: ['', ''], endpoint: '' }],
    ['remote', { url: '', in: [{ header: 'X-Ticket' }] }],
  ])('is off with a warning, and nothing else: %s %j', (type, written) => {
    const { compiled, mistakes, warnings } = provider({ type, ...written })
    expect([compiled, mistakes.length, warnings.length]).toEqual([undefined, 0, 1])
    expect(warnings[0]?.message).toContain('is off')
  })

  it.each([
    ['introspection', { url: 'https://idp.example/i', client_id: 'a', client_secret: '' }, 'client_secret'],
    ['introspection', { url: 'https://idp.example/i', client_id: '', client_secret: 's' }, 'client_id'],
    ['introspection', { url: '', client_id: 'a', client_secret: 's' }, 'url'],
    ['introspection', { url: 'https://idp.example/i', client_auth: 'bearer' }, 'token'],
    ['introspection', { url: 'https://idp.example/i', client_auth: 'private_key_jwt', client_id: 'a' }, 'private_key'],
    ['supabase', { url: 'https://a.supabase.co', recheck: '60s' }, 'api_key'],
    ['supabase', { url: 'https://a.supabase.co', fetch_user: true }, 'api_key'],
    ['supabase', { url: 'https://a.supabase.co', hs256: 'remote' }, 'api_key'],
    ['session', { provider: 'better_auth', secrets: SECRET }, 'provider'],
    ['session', { provider: 'better_auth', endpoint: 'https://app.example/s', cookie_cache: 'compact' }, 'cookie_cache'],
  ])('is a mistake when only half of them are: %s %j', (type, written, path) => {
    const { compiled, mistakes } = provider({ type, ...written })
    expect([compiled, at(mistakes)]).toEqual([undefined, [path]])
  })
})

describe('what no config may say', () => {
  it.each([
    ['session', { secrets: SECRET, endpoint: 'http://app.example/api/auth/session' }, 'endpoint'],
    ['introspection', { issuer: 'http://idp.example', client_id: 'a', client_secret: 's' }, 'issuer'],
    ['introspection', { url: 'http://idp.example/i', client_id: 'a', client_secret: 's' }, 'url'],
    ['remote', { url: 'http://auth.example', in: [{ header: 'X-Ticket' }] }, 'url'],
    ['introspection', { url: 'https://idp.example/i', client_id: 'a', client_secret: 's', audience: '' }, 'audience'],
    ['supabase', { url: 'https://a.supabase.co', audience: '' }, 'audience'],
    ['supabase', { url: 'https://a.supabase.co', role: '' }, 'role'],
    ['remote', { url: 'https://auth.example', in: [{ header: 'X-Ticket' }], headers: { 'x-ticket': 'ours' } }, 'headers.x-ticket'],
    ['remote', { url: 'https://auth.example', in: [{ header: 'Host' }] }, 'in.0.header'],
    ['session', { secrets: SECRET, cookie_cache: 'jwe' }, 'cookie_cache'],
    ['session', { provider: 'better_auth', endpoint: 'https://app.example/s', cookies: 'sid' }, 'cookies'],
    ['session', { secrets: Array.from({ length: 11 }, (_value, index) => `${SECRET}${index}`) }, 'secrets'],
  ])('%s %j', (type, written, path) => {
    const { compiled, mistakes } = provider({ type, ...written })
    expect([compiled, at(mistakes)]).toEqual([undefined, [path]])
  })

  it.each([['session', { secrets: SECRET, endpoint: 'http://app:3000/api/auth/session' }], ['remote', { url: 'http://auth:3000', in: [{ cookie: 'sid' }] }]])('%s over plain HTTP, unless that is meant', (type, written) => {
    expect(provider({ type, ...written, allow_http: true }).mistakes).toEqual([])
  })

  it('warns about a session secret that can be guessed', () => {
    expect(provider({ type: 'session', secrets: 'short' })).toMatchObject({ mistakes: [], warnings: [{ path: ['authenticators', 'provider', 'secrets'] }] })
  })
})

describe('a session from the config', () => {
  it('is read with any listed secret, and asked about only when it is not sealed', async () => {
    server.answer(json({ user: { id: 'db-1' } }))
    const { ask } = provider({ type: 'session', secrets: [SECRET, ''], endpoint: `${server.url}/api/auth/session` })
    const sealed = await encode({ token: { sub: 'user-1' }, secret: SECRET, salt: 'authjs.session-token' })
    expect(await ask({ cookie: `authjs.session-token=${sealed}` })).toMatchObject({ principal: { subject: 'user-1' } })
    expect(server.seen).toEqual([])
    expect(await ask({ cookie: 'authjs.session-token=opaque' })).toMatchObject({ principal: { subject: 'db-1' } })
  })

  it('of Auth.js alone does not know the older cookie', async () => {
    expect(await provider({ type: 'session', provider: 'authjs', secrets: SECRET }).ask({ cookie: 'next-auth.session-token=x' })).toBeUndefined()
  })

  it('of better-auth is verified and asked about', async () => {
    server.answer(json({ user: { id: 'u', role: 'editor' }, session: { expiresAt: '2999-01-01T00:00:00Z' } }))
    const { ask } = provider({ type: 'session', provider: 'better_auth', secrets: SECRET, endpoint: `${server.url}/api/auth/get-session` })
    const token = 'hVXgTs7yTKPpzoDEcKlJrQwxy1jDJhVX'
    const signed = encodeURIComponent(`${token}.${createHmac('sha256', SECRET).update(token).digest('base64')}`)
    expect(await ask({ cookie: `better-auth.session_token=${signed}` })).toMatchObject({ principal: { subject: 'u', roles: ['editor'] } })
    expect(server.seen).toMatchObject([{ target: '/api/auth/get-session', headers: { cookie: `better-auth.session_token=${signed}` } }])
  })
})

describe('introspection from the config', () => {
  const written = () => ({ type: 'introspection', url: `${server.url}/i`, client_id: 'api', client_secret: 's' })

  it('may keep an answer while the issuer is down, never past the expiry of the token', async () => {
    const now = Date.now()
    server.answer(json({ active: true, sub: 'u', exp: Math.floor(now / 1_000) + 120 }))
    const [strict, lenient] = [provider({ ...written(), cache: '30s' }), provider({ ...written(), cache: '30s', on_error: 'allow_cached' })]
    for (const { bearer } of [strict, lenient]) await bearer('t', now)
    server.answer(raw(503, ''))
    expect(await strict.bearer('t', now + 60_000)).toMatchObject({ kind: 'unavailable' })
    expect(await lenient.bearer('t', now + 60_000)).toMatchObject({ kind: 'authenticated' })
    expect(await lenient.bearer('t', now + 130_000)).toMatchObject({ kind: 'unavailable' })
  })

  it('demands claims and gives a default tier', async () => {
    server.answer(json({ active: true, sub: 'u', client_id: 'web' }))
    expect(await provider({ ...written(), claims: { client_id: 'mobile' } }).bearer('t')).toMatchObject({ reason: 'jwt_claim_mismatch' })
    expect(await provider({ ...written(), claims: { client_id: ['mobile', 'web'] }, map: { default_tier: 'free' } }).bearer('t')).toMatchObject({ principal: { tier: 'free' } })
  })
})

describe('a remote check from the config', () => {
  it('sends Authorization as it came, with headers of its own', async () => {
    server.answer(json({ data: { id: 'u', plan: 'pro' } }))
    const { ask } = provider({ type: 'remote', url: server.url, in: [{ bearer: true }], also: 'X-Tenant', headers: { 'X-Service': 'postern' }, map: { subject: '/data/id' }, attributes: { plan: '/data/plan' } })
    expect(await ask({ authorization: 'Ticket abc', 'x-tenant': 't' })).toMatchObject({ principal: { subject: 'u', attributes: { plan: 'pro' } } })
    expect(server.seen).toMatchObject([{ headers: { authorization: 'Ticket abc', 'x-tenant': 't', 'x-service': 'postern' } }])
  })
})

describe('the short form', () => {
  it('of every provider is one list entry', () => {
    const source = {
      version: 1,
      upstream: 'http://127.0.0.1:3000',
      auth: [
        { supabase: { url: 'https://abcdefgh.supabase.co', cookie: 'auto' } },
        { session: { secrets: SECRET } },
        { introspection: { issuer: 'https://idp.example.com', client_id: 'orders-api', client_secret: 's', audience: 'orders-api', scopes: ['orders.read'], cache: '30s', on_error: 'deny' } },
        { remote: { url: 'https://auth.example.com/whoami', header: 'X-Ticket' } },
        { jwt: { preset: { auth0: { domain: 'acme.eu.auth0.com' } }, audience: 'orders-api' } },
      ],
    }
    const { tree, mistakes: shape } = writeOutShortForms(source)
    const mistakes: Mistake[] = [...shape]
    const { authenticators, readiness } = compileAuthenticators(configSchema.parse(tree), createResources({ clock: Date.now, observer: SILENT }), mistakes)
    expect(mistakes).toEqual([])
    expect([...authenticators].map(([name, { authenticator }]) => `${name} ${authenticator.kind}`)).toEqual(['supabase supabase', 'session session', 'introspection introspection', 'remote remote', 'jwt jwt'])
    expect(authenticators.get('supabase')?.authenticator.carriers).toEqual([{ kind: 'cookie', name: 'sb-abcdefgh-auth-token' }, { kind: 'cookie', name: 'sb-abcdefgh-auth-token.*' }])
    expect(authenticators.get('introspection')?.scopes).toEqual(['orders.read'])
    expect(readiness.map(({ name }) => name)).toEqual(['https://abcdefgh.supabase.co/auth/v1', 'https://acme.eu.auth0.com/'])
  })
})
