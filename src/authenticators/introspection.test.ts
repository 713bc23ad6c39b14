import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { exportJWK, exportPKCS8, generateKeyPair } from 'jose'
import { Provider } from 'oidc-provider'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { json, NO_ANSWERS, raw, startAnswering, type Answer, type AnsweringServer } from '../../test/support/answering.ts'
import { request } from '../../test/support/described.ts'
import { SILENT } from '../model/event.ts'
import type { Verification } from '../model/ports.ts'
import { createAuthority } from './authority.ts'
import { createIntrospectionAuthenticator, type IntrospectionSettings } from './introspection.ts'
import { createIntrospectionClient, type IntrospectionEndpoint } from './introspection-client.ts'
import { fetchJson } from './side-call.ts'
import { createVerdictCache } from './verdict-cache.ts'

const BASIC = { kind: 'basic', clientId: 'orders-api', clientSecret: 'p@ss:word/+' } as const

function authenticator(endpoint: IntrospectionEndpoint, overrides: Partial<IntrospectionSettings> = {}, timeoutMs = 2_000) {
  const authority = createAuthority({ dependency: 'idp', operation: 'introspection', timeoutMs, fetchJson, observer: SILENT, clock: Date.now })
  const built = createIntrospectionAuthenticator({
    id: 'oauth', carriers: [{ kind: 'bearer', scheme: 'required' }], introspect: createIntrospectionClient({ endpoint, authority, clock: Date.now }), issuers: [], audience: [], claims: new Map(),
    cache: createVerdictCache({ name: 'introspection', ttlMs: 30_000, negativeTtlMs: 5_000, maxEntries: 100, observer: SILENT }),
    pointers: { subject: ['/sub'], email: ['/email'], roles: ['/roles'], scopes: ['/scope'] }, clockToleranceMs: 5_000, maxTokenLength: 4_096,
    challenge: { scheme: 'Bearer', parameters: [] }, forwardCredential: 'keep', ...overrides,
  })
  const verify = async (token: string, now = Date.now()): Promise<Verification | { kind: string } | undefined> => {
    const found = built.extract(request({ headers: { authorization: `Bearer ${token}` } }))
    return found?.kind === 'credential' ? built.verify(found, now) : found
  }
  return { verify }
}

describe('introspection at a real issuer', () => {
  let server: Server
  let issuer = ''
  let provider: Provider
  let signing: { pem: string; jwk: object }
  beforeAll(async () => {
    const { privateKey, publicKey } = await generateKeyPair('ES256', { extractable: true })
    signing = { pem: await exportPKCS8(privateKey), jwk: { ...(await exportJWK(publicKey)), kid: 'k1', alg: 'ES256', use: 'sig' } }
    server = createServer((incoming, response) => provider.callback()(incoming, response))
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    const client = { grant_types: ['client_credentials'], redirect_uris: [], response_types: [] }
    provider = new Provider(issuer, {
      clients: [
        { client_id: 'orders-api', client_secret: BASIC.clientSecret, ...client },
        { client_id: 'posting-api', client_secret: 'posted', token_endpoint_auth_method: 'client_secret_post', ...client },
        { client_id: 'signing-api', token_endpoint_auth_method: 'private_key_jwt', jwks: { keys: [signing.jwk] }, token_endpoint_auth_signing_alg: 'ES256', ...client },
      ],
      scopes: ['orders.read'],
      features: {
        devInteractions: { enabled: false }, clientCredentials: { enabled: true }, introspection: { enabled: true, allowedPolicy: () => true },
        resourceIndicators: { enabled: true, getResourceServerInfo: () => ({ scope: 'orders.read', accessTokenFormat: 'opaque', audience: 'https://orders.example' }) },
      },
    })
  })
  afterAll(() => new Promise((resolve) => server.close(resolve)))

  const clientToken = async (): Promise<string> => {
    const answer = await fetch(`${issuer}/token`, {
      method: 'POST', body: new URLSearchParams({ grant_type: 'client_credentials', scope: 'orders.read', resource: 'https://orders.example' }),
      headers: { authorization: `Basic ${btoa(`orders-api:${encodeURIComponent(BASIC.clientSecret)}`)}` },
    })
    return ((await answer.json()) as { access_token: string }).access_token
  }
  const userToken = async () => {
    const grant = new provider.Grant({ accountId: 'user-1', clientId: 'orders-api' })
    grant.addOIDCScope('openid')
    const grantId = await grant.save()
    const token = await new provider.AccessToken({ accountId: 'user-1', client: await provider.Client.find('orders-api'), grantId, scope: 'openid', gty: 'authorization_code' }).save()
    return { token, grant }
  }

  it('finds the endpoint by discovery, and names the subject, the scopes and the expiry', async () => {
    const { verify } = authenticator({ issuer, credential: BASIC }, { issuers: [issuer] })
    expect(await verify((await userToken()).token)).toMatchObject({ kind: 'authenticated', principal: { subject: 'user-1', scopes: new Set(['openid']), expiresAt: expect.any(Number) } })
  })

  it.each([
    ['client_secret_basic', () => BASIC],
    ['client_secret_post', () => ({ kind: 'post', clientId: 'posting-api', clientSecret: 'posted' }) as const],
    ['private_key_jwt', () => ({ kind: 'private_key_jwt', clientId: 'signing-api', key: signing.pem, keyId: 'k1', algorithm: 'ES256' }) as const],
  ])('is allowed to ask by %s', async (_title, credential) => {
    const { verify } = authenticator({ issuer, credential: credential() }, { audience: ['https://orders.example'], pointers: { subject: ['/client_id'], email: [], roles: [], scopes: ['/scope'] } })
    expect(await verify(await clientToken())).toMatchObject({ principal: { subject: 'orders-api', scopes: new Set(['orders.read']) } })
  })

  it('refuses a token of another audience, a revoked one and one that was never issued', async () => {
    const { verify } = authenticator({ issuer, credential: BASIC }, { audience: ['https://billing.example'] })
    expect(await verify(await clientToken())).toMatchObject({ kind: 'rejected', reason: 'jwt_audience_mismatch' })
    const { token, grant } = await userToken()
    await grant.destroy()
    expect(await verify(token)).toEqual({ kind: 'rejected', reason: 'token_inactive' })
    expect(await verify('never-issued')).toEqual({ kind: 'rejected', reason: 'token_inactive' })
  })

  it('calls our own wrong secret a misconfiguration, never a bad token', async () => {
    const { verify } = authenticator({ issuer, credential: { ...BASIC, clientSecret: 'wrong' } })
    expect(await verify((await userToken()).token)).toMatchObject({ kind: 'unavailable', misconfigured: true, dependency: 'idp' })
  })

  it('calls an unreadable private key a misconfiguration and does not quote it', async () => {
    const { verify } = authenticator({ issuer, credential: { kind: 'private_key_jwt', clientId: 'signing-api', key: 'not-a-key', algorithm: 'ES256' } })
    const verdict = await verify('token')
    expect(verdict).toMatchObject({ kind: 'unavailable', misconfigured: true })
    expect(JSON.stringify(verdict)).not.toContain('not-a-key')
  })
})

describe('introspection at a misbehaving issuer', () => {
  let idp: AnsweringServer
  beforeAll(async () => {
    idp = await startAnswering()
  })
  beforeEach(() => {
    idp.seen.length = 0
  })
  afterAll(() => idp.close())
  const at = (overrides: Partial<IntrospectionSettings> = {}, timeoutMs = 2_000) => authenticator({ url: `${idp.url}/introspect`, credential: BASIC }, overrides, timeoutMs)
  const seconds = Math.floor(Date.now() / 1_000)
  const active = { active: true, sub: 'user-1', exp: seconds + 600 }

  const undecided: readonly (readonly [string, Answer])[] = [
    ['"true"', raw(200, '{"active":"true","sub":"x"}')],
    ['1', raw(200, '{"active":1,"sub":"x"}')],
    ['null', raw(200, '{"active":null,"sub":"x"}')],
    ['missing', raw(200, '{"sub":"x"}')],
    ['both false and true', raw(200, '{"active":false,"sub":"x","active":true}')],
    ['true inside another object', raw(200, '{"data":{"active":true,"sub":"x"}}')],
    ...NO_ANSWERS,
  ]
  it.each(undecided)('could not check when the answer is or has `active` as %s', async (_title, answer) => {
    idp.answer(answer)
    const verdict = await at({}, 300).verify('token')
    expect(verdict).toMatchObject({ kind: 'unavailable', dependency: 'idp' })
    expect(verdict).not.toHaveProperty('misconfigured')
  })

  it('passes on how long to wait', async () => {
    idp.answer(raw(429, '{}', { 'retry-after': '17' }))
    expect(await at().verify('token')).toMatchObject({ kind: 'unavailable', retryAfterMs: 17_000 })
  })

  it.each([
    ['401', raw(401, '{"error":"invalid_client"}')],
    ['401 with a challenge', raw(401, '', { 'www-authenticate': 'Basic realm="idp"' })],
    ['403', raw(403, '{}')],
    ['400 invalid_client', raw(400, '{"error":"invalid_client"}')],
  ])('is misconfigured when it is we who are refused: %s', async (_title, answer) => {
    idp.answer(answer)
    expect(await at().verify('token')).toMatchObject({ kind: 'unavailable', misconfigured: true })
  })

  it.each([
    ['inactive', { active: false, sub: 'x' }, 'token_inactive'],
    ['expired', { ...active, exp: seconds - 60 }, 'token_expired'],
    ['not yet valid', { ...active, nbf: seconds + 60 }, 'jwt_not_yet_valid'],
    ['an expiry as text', { ...active, exp: String(seconds + 600) }, 'jwt_claim_invalid'],
    ['without an audience where one is demanded', active, 'jwt_audience_mismatch', { audience: ['orders-api'] }],
    ['for another audience', { ...active, aud: ['billing-api', 'orders-api.evil'] }, 'jwt_audience_mismatch', { audience: ['orders-api'] }],
    ['of another issuer', { ...active, iss: 'https://other.example' }, 'jwt_issuer_mismatch', { issuers: ['https://idp.example'] }],
    ['of another client', { ...active, client_id: 'other' }, 'jwt_claim_mismatch', { claims: new Map([['client_id', ['mobile']]]) }],
    ['without a demanded member', active, 'jwt_claim_missing', { claims: new Map([['client_id', ['mobile']]]) }],
    ['bound to a key', { ...active, cnf: { jkt: 'x' } }, 'token_sender_constrained'],
    ['without a subject', { active: true }, 'subject_invalid'],
    ['with a subject that no header can hold', { ...active, sub: 'a\r\nb' }, 'subject_invalid'],
  ] as const)('refuses a token: %s', async (_title, answer, reason, overrides: Partial<IntrospectionSettings> = {}) => {
    idp.answer(json(answer))
    expect(await at(overrides).verify('token')).toMatchObject({ kind: 'rejected', reason })
  })

  it('sends the token as a form field, with our own credentials, and asks for no compression', async () => {
    idp.answer(json(active))
    await at().verify('to-ken+/~._=')
    expect(idp.seen).toMatchObject([{ method: 'POST', target: '/introspect', headers: { 'accept-encoding': 'identity', 'user-agent': 'postern', 'content-type': expect.stringContaining('application/x-www-form-urlencoded') } }])
    expect(new URLSearchParams(idp.seen[0]?.body).get('token')).toBe('to-ken+/~._=')
    expect(atob(String(idp.seen[0]?.headers.authorization).slice(6))).toBe(`orders-api:${'p%40ss%3Aword%2F%2B'}`)
  })

  it('may ask with a bearer token of its own', async () => {
    idp.answer(json(active))
    await authenticator({ url: idp.url, credential: { kind: 'bearer', token: 'ours' } }).verify('token')
    expect(idp.seen[0]?.headers.authorization).toBe('Bearer ours')
  })

  it('keeps a good answer thirty seconds but never past the expiry, and a bad one five', async () => {
    const now = Date.now()
    const { verify } = at({ clockToleranceMs: 0 })
    idp.answer(json({ ...active, exp: Math.floor(now / 1_000) + 10 }))
    await Promise.all([verify('a', now), verify('a', now)])
    await verify('a', now + 8_000)
    expect(idp.seen).toHaveLength(1)
    expect(await verify('a', now + 11_000)).toMatchObject({ reason: 'token_expired' })
    expect(idp.seen).toHaveLength(2)
    idp.answer(json({ active: false }))
    await verify('b', now)
    await verify('b', now + 4_000)
    await verify('b', now + 6_000)
    expect(idp.seen).toHaveLength(4)
  })

  it('never sends what is not a token: too long, or of other characters', async () => {
    expect(await at().verify('x'.repeat(4_097))).toEqual({ kind: 'rejected', reason: 'token_too_long' })
    expect(await at().verify('a"b')).toMatchObject({ kind: 'foreign' })
    expect(idp.seen).toEqual([])
  })

  it('is misconfigured when discovery names no endpoint or another issuer', async () => {
    idp.answer(json({ issuer: idp.url }))
    expect(await authenticator({ issuer: idp.url, credential: BASIC }).verify('t')).toMatchObject({ kind: 'unavailable', misconfigured: true })
    idp.answer(json({ issuer: 'https://other.example', introspection_endpoint: `${idp.url}/i` }))
    expect(await authenticator({ issuer: idp.url, credential: BASIC }).verify('t')).toMatchObject({ kind: 'unavailable' })
    expect(idp.seen.every(({ method }) => method === 'GET')).toBe(true)
  })
})
