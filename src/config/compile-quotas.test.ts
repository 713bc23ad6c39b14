import { describe, expect, it } from 'vitest'
import { principal, request } from '../../test/support/described.ts'
import type { Principals } from '../model/principal.ts'
import { compilePolicy, compileQuota, type QuotaContext } from './compile-quotas.ts'
import type { Mistake } from './mistake.ts'
import { quota, type QuotaConfig } from './schema.ts'

const mistakes: Mistake[] = []
const context: QuotaContext = { kinds: new Map([['jwt', 'jwt'], ['key', 'api_key'], ['session', 'session']]), countedAs: new Map([['profile', 'session']]), routeId: 'r', partitionSecret: new Uint8Array(32), mistakes }
const config = (more: Partial<Record<keyof QuotaConfig, unknown>>): QuotaConfig => quota.parse({ name: 'q', limit: '10/minute', ...more })
const as = (id: string, subject: string, credentialId?: string): Principals => {
  const one = principal(subject, { authenticatorId: id, ...(credentialId !== undefined && { credentialId }) })
  return { primary: one, byAuthenticator: new Map([[id, one]]), requiredScopes: new Map() }
}
const nobody: Principals = { primary: { kind: 'anonymous', authenticatorId: 'none' }, byAuthenticator: new Map(), requiredScopes: new Map() }
const partition = (more: Partial<Record<keyof QuotaConfig, unknown>>, who?: Principals, sketch = {}): string | undefined => compileQuota(config(more), [], context)?.rule.partitionOf(request(sketch), who)

describe('a partition that is worked out once for the same fields and principals', () => {
  it.each<[Parameters<typeof config>[0], boolean]>([
    [{ key: 'principal' }, true], [{ key: 'user' }, true], [{ key: 'credential' }, true], [{ key: 'api_key' }, true], [{ key: 'client_ip' }, true], [{ key: 'ip' }, true], [{ key: 'route' }, true], [{ key: 'header:x-tenant' }, true], [{ key: 'jwt.id' }, true], [{ key: 'key.principal' }, true],
    [{ key: 'principal', when: 'identified' }, true], [{ key: 'principal', skip: ['jwt'] }, true],
    [{ key: 'body.email' }, false], [{ key: 'body.user.id' }, false], [{ key: 'body.user.principal' }, false], [{ key: 'principal', when: { 'query.stream': ['true'] } }, false], [{ key: 'client_ip', when: { 'query.stream': ['true'] } }, false],
  ])('%j: %s', (more, steady) => {
    expect(compileQuota(config(more), [], context)?.rule.steady).toBe(steady)
  })
})

describe('who shares a counter', () => {
  it('people of one project are the same, whichever entry of the config checked them', () => {
    expect(partition({}, as('profile', 'alice'))).toBe(partition({}, as('session', 'alice')))
    expect(partition({}, as('profile', 'alice'))).not.toBe(partition({}, as('jwt', 'alice')))
  })

  it('a client address is counted before authentication', () => {
    expect(compileQuota(config({ key: 'client_ip' }), [], context)?.stage).toBe('client')
    expect(partition({ key: 'client_ip' }, undefined, { ip: '192.0.2.7' })).toBe('ip:192.0.2.7')
  })

  it('equal subjects of different authenticators are counted apart, an anonymous one by its address', () => {
    expect(partition({ key: 'principal' }, as('jwt', 'a'))).not.toBe(partition({ key: 'principal' }, as('key', 'a')))
    expect(partition({ key: 'principal' }, nobody, { ip: '192.0.2.7' })).toBe('ip:192.0.2.7')
  })

  it('two keys of one owner are counted apart by credential and together by principal', () => {
    expect(partition({ key: 'credential' }, as('key', 'a', 'k1'))).not.toBe(partition({ key: 'credential' }, as('key', 'a', 'k2')))
    expect(partition({ key: 'principal' }, as('key', 'a', 'k1'))).toBe(partition({ key: 'principal' }, as('key', 'a', 'k2')))
  })

  it('a new token of the same user does not open a new counter', () => {
    expect(partition({ key: 'credential' }, as('jwt', 'a', 'jti-1'))).toBe(partition({ key: 'credential' }, as('jwt', 'a', 'jti-2')))
  })

  it('a header counts only behind a trusted proxy', () => {
    const headers = { 'x-tenant': 'acme' }
    expect(partition({ key: 'header:X-Tenant' }, undefined, { headers })).toBe('ip:192.0.2.1')
    const rule = compileQuota(config({ key: 'header:X-Tenant' }), [], context)?.rule
    const seen = request({ headers })
    expect(rule?.partitionOf({ ...seen, client: { ...seen.client, trustedHops: 1 } })).toBe('header:x-tenant:acme')
  })

  it('a member of the body is folded, hashed and never kept in clear', () => {
    const of = (email: unknown): string | undefined => partition({ key: 'body.email|lower|hmac' }, undefined, { body: { email } })
    expect(of('Ada@Example.com ')).toBe(of('ada@example.com'))
    expect(of('ada@example.com')).not.toMatch(/ada/)
    expect(of(['ada@example.com'])).toBe(of('ada@example.com'))
    expect(of([])).toBeUndefined()
    expect(of(undefined)).toBeUndefined()
  })

  it('a named authenticator counts only when it was the one that proved somebody', () => {
    expect(partition({ key: 'key.id' }, as('key', 'a', 'k1'))).toBe('credential:key:k1')
    expect(partition({ key: 'key.id' }, as('jwt', 'a'))).toBeUndefined()
  })

  it('a key that means nothing is a mistake with the words that would', () => {
    const found: Mistake[] = []
    expect(compileQuota(config({ key: 'usr' }), ['rate_limit', 0], { ...context, mistakes: found })).toBeUndefined()
    expect(found).toEqual([{ path: ['rate_limit', 0, 'key'], message: expect.stringContaining('"usr" – expected client_ip') }])
  })
})

describe('when a quota applies', () => {
  it.each<[string, Partial<Record<keyof QuotaConfig, unknown>>, Principals, string, boolean]>([
    ['anonymous only, nobody', { key: 'client_ip', when: 'anonymous' }, nobody, '', true],
    ['anonymous only, somebody', { key: 'client_ip', when: 'anonymous' }, as('jwt', 'a'), '', false],
    ['identified only, somebody', { when: 'identified' }, as('jwt', 'a'), '', true],
    ['identified only, nobody', { when: 'identified' }, nobody, '', false],
    ['an exempt authenticator', { skip: 'session' }, as('session', 'a'), '', false],
    ['another authenticator', { skip: 'session' }, as('key', 'a'), '', true],
    ['the query fits', { key: 'client_ip', when: { 'query.grant_type': 'password' } }, nobody, 'grant_type=password', true],
    ['the query does not fit', { key: 'client_ip', when: { 'query.grant_type': 'password' } }, nobody, 'grant_type=refresh_token', false],
  ])('%s', (_title, more, who, query, expected) => {
    expect(partition(more, who, { query }) !== undefined).toBe(expected)
  })

  it('is after authentication as soon as it depends on who asks', () => {
    expect(compileQuota(config({ key: 'client_ip', when: 'anonymous' }), [], context)?.stage).toBe('principal')
  })
})

describe('a quota policy', () => {
  it.each([
    [{ limit: '100/minute' }, { quota: 100, windowMs: 60_000, algorithm: 'fixed' }],
    [{ limit: 20, window: '5m' }, { quota: 20, windowMs: 300_000, algorithm: 'fixed' }],
    [{ limit: '100', window: '1h' }, { quota: 100, windowMs: 3_600_000 }],
    [{ limit: '100/minute', burst: 20 }, { algorithm: 'gcra', burst: 20 }],
    [{ limit: '60/10s', algorithm: 'sliding' }, { quota: 60, windowMs: 10_000, algorithm: 'sliding' }],
  ])('%j is %j', (written, expected) => {
    expect(compilePolicy(config(written), '')).toMatchObject(expected)
  })

  it('keeps tiers that use one name apart', () => {
    expect(compilePolicy(config({}), 'free')?.id).not.toBe(compilePolicy(config({}), 'pro')?.id)
  })
})
