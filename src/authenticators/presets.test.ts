import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { exportJWK, generateKeyPair, SignJWT, type CryptoKey } from 'jose'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { provider } from '../../test/support/provider.ts'
import { PRESET_EXAMPLES } from '../config/presets-page.ts'
import { authenticator as schema } from '../config/schema-authenticators.ts'
import { PRESET_NAMES, presetSettings, type PresetName } from './presets.ts'

const NOW = 1_800_000_000
const ALGORITHMS = ['RS256', 'ES256', 'ES384', 'EdDSA', 'PS256'] as const
let directory = ''
let file = ''
const keys = new Map<string, CryptoKey>()
beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'presets-'))
  file = join(directory, 'jwks.json')
  const published = await Promise.all(ALGORITHMS.map(async (alg) => {
    const { publicKey, privateKey } = await generateKeyPair(alg, { extractable: true })
    keys.set(alg, privateKey)
    return { ...(await exportJWK(publicKey)), kid: alg, alg, use: 'sig' }
  }))
  writeFileSync(file, JSON.stringify({ keys: published }))
})
afterAll(() => rmSync(directory, { recursive: true }))

type Claims = Readonly<Record<string, unknown>>

interface Case {
  /** Written beside the preset. */
  readonly beside?: object
  readonly algorithm?: string
  readonly good: Claims
  readonly says: object
  /** Changes of the good token that make it a wrong one. */
  readonly wrong: Readonly<Record<string, Claims>>
}

const GUID = (digit: number): string => PRESET_EXAMPLES.entra[digit === 1 ? 'tenant_id' : 'client_id']

/** One good token per issuer as that issuer makes them, and the ways of being wrong that only it knows. Issuer, audience and expiry are tried for all. */
const CASES: Readonly<Record<PresetName, Case>> = {
  supabase: {
    algorithm: 'ES256', good: { iss: 'https://abcdefgh.supabase.co/auth/v1', sub: 'u', aud: 'authenticated', role: 'authenticated', app_metadata: { roles: ['editor'] }, user_metadata: { roles: ['admin'] } },
    says: { subject: 'u', roles: ['editor'] }, wrong: { 'another role': { role: 'anon' }, 'no role': { role: undefined }, 'an anonymous user': { is_anonymous: true } },
  },
  auth0: {
    beside: { audience: 'orders-api' }, good: { iss: 'https://acme.eu.auth0.com/', sub: 'auth0|1', aud: ['orders-api', 'https://acme.eu.auth0.com/userinfo'], azp: 'web', scope: 'openid', permissions: ['orders:read'] },
    says: { subject: 'auth0|1', scopes: new Set(['orders:read']) }, wrong: { 'no slash at the end of the issuer': { iss: 'https://acme.eu.auth0.com' }, 'an ID token': { aud: 'orders-api', at_hash: 'x' } },
  },
  keycloak: {
    good: { iss: 'https://id.example.com/realms/acme', sub: 'u', aud: 'account', azp: 'web', typ: 'Bearer', scope: 'openid orders', realm_access: { roles: ['user'] }, resource_access: { web: { roles: ['editor'] } } },
    says: { subject: 'u', roles: ['editor'], scopes: new Set(['openid', 'orders']) },
    wrong: { 'another client': { azp: 'mobile' }, 'no client': { azp: undefined }, 'an ID token': { typ: 'ID' }, 'a refresh token': { typ: 'Refresh' }, 'no typ': { typ: undefined }, 'another realm': { iss: 'https://id.example.com/realms/other' } },
  },
  okta: {
    beside: { audience: 'api://default' }, good: { iss: 'https://acme.okta.com/oauth2/default', sub: 'ada@example.com', uid: '00u1', cid: '0oa1', aud: 'api://default', scp: ['orders.read'], groups: ['staff'] },
    says: { subject: '00u1', roles: ['staff'], scopes: new Set(['orders.read']) }, wrong: { 'a token of the organisation': { iss: 'https://acme.okta.com' }, 'nobody': { uid: undefined, cid: undefined } },
  },
  cognito: {
    good: { iss: 'https://cognito-idp.eu-central-1.amazonaws.com/eu-central-1_AbCdEfGhI', sub: 'u', client_id: '4abc', token_use: 'access', scope: 'orders/read', 'cognito:groups': ['staff'] },
    says: { subject: 'u', roles: ['staff'], scopes: new Set(['orders/read']) },
    wrong: { 'an ID token': { token_use: 'id', aud: '4abc', client_id: undefined }, 'another client': { client_id: 'other' }, 'no client': { client_id: undefined }, 'no use': { token_use: undefined }, 'another pool': { iss: 'https://cognito-idp.eu-central-1.amazonaws.com/eu-central-1_Other' } },
  },
  firebase: {
    good: { iss: 'https://securetoken.google.com/acme-app', sub: 'u', aud: 'acme-app', auth_time: NOW - 5, email: 'u@example.com' },
    says: { subject: 'u', email: 'u@example.com' }, wrong: { 'a session cookie': { iss: 'https://session.firebase.google.com/acme-app' }, 'no time of login': { auth_time: undefined } },
  },
  entra: {
    good: { iss: `https://login.microsoftonline.com/${GUID(1)}/v2.0`, sub: 'pairwise', oid: 'person-1', tid: GUID(1), aud: GUID(2), ver: '2.0', scp: 'orders.read', roles: ['editor'], preferred_username: 'u@example.com' },
    says: { subject: 'person-1', roles: ['editor'], scopes: new Set(['orders.read']), email: 'u@example.com' },
    wrong: { 'another tenant': { tid: GUID(2) }, 'a token for Graph': { aud: '00000003-0000-0000-c000-000000000000' }, 'version 1': { ver: '1.0', iss: `https://sts.windows.net/${GUID(1)}/` }, 'nobody': { oid: undefined } },
  },
  google: {
    good: { iss: 'accounts.google.com', sub: '1', aud: '1234.apps.googleusercontent.com', azp: '1234.apps.googleusercontent.com', at_hash: 'x', email: 'u@example.com' },
    says: { subject: '1', email: 'u@example.com' }, wrong: { 'the issuer with a slash': { iss: 'https://accounts.google.com/' } },
  },
  zitadel: {
    good: { iss: 'https://acme.zitadel.cloud', sub: 'u', aud: ['987654321', 'web'], 'urn:zitadel:iam:org:project:987654321:roles': { editor: { org1: 'acme' } } },
    says: { subject: 'u', roles: ['editor'] }, wrong: { 'another project': { aud: ['123', 'web'] } },
  },
  logto: {
    algorithm: 'ES384', good: { iss: 'https://acme.logto.app/oidc', sub: 'u', aud: 'https://api.example.com', scope: 'orders', client_id: 'web' },
    says: { subject: 'u', scopes: new Set(['orders']) }, wrong: { 'a token of an organisation': { aud: 'urn:logto:organization:1' }, 'an issuer without the path': { iss: 'https://acme.logto.app' } },
  },
  workos: {
    good: { iss: 'https://api.workos.com/user_management/client_01', sub: 'user_1', sid: 'session_1', role: 'member', permissions: ['orders:read'] },
    says: { subject: 'user_1', roles: ['member'], scopes: new Set(['orders:read']) }, wrong: { 'another client': { iss: 'https://api.workos.com/user_management/client_02' }, 'no session': { sid: undefined } },
  },
  clerk: {
    good: { iss: 'https://clerk.example.com', sub: 'user_1', azp: 'https://app.example.com', sid: 'sess_1', org_role: 'org:admin', org_permissions: ['orders:read'] },
    says: { subject: 'user_1', roles: ['org:admin'], scopes: new Set(['orders:read']) },
    wrong: { 'another origin': { azp: 'https://evil.example' }, 'no origin': { azp: undefined }, 'an unfinished login': { sts: 'pending' } },
  },
  better_auth: {
    algorithm: 'EdDSA', good: { iss: 'https://app.example.com', sub: 'u', aud: 'https://app.example.com', email: 'u@example.com', role: 'editor' },
    says: { subject: 'u', email: 'u@example.com', roles: ['editor'] }, wrong: { 'another application': { aud: 'https://other.example.com' } },
  },
}

const config = (name: PresetName, beside: object = {}) => ({ type: 'jwt', preset: { [name]: PRESET_EXAMPLES[name] }, ...CASES[name].beside, ...beside })
const under = (name: PresetName) => provider(config(name, { jwks_file: file }), { clock: () => NOW * 1_000 })
const signed = (name: PresetName, changes: Claims = {}): Promise<string> => {
  const { algorithm = 'RS256', good } = CASES[name]
  const claims = Object.fromEntries(Object.entries({ iat: NOW - 10, exp: NOW + 600, ...good, ...changes }).filter(([, value]) => value !== undefined))
  return new SignJWT(claims).setProtectedHeader({ alg: algorithm, kid: algorithm, typ: 'JWT' }).sign(keys.get(algorithm)!)
}

describe.each(PRESET_NAMES)('the preset %s', (name) => {
  it('compiles as the page shows it', () => {
    expect(provider(config(name)).mistakes).toEqual([])
  })

  it('takes a token as its issuer makes them', async () => {
    expect(await under(name).bearer(await signed(name))).toMatchObject({ kind: 'authenticated', principal: CASES[name].says })
  })

  const changes: Readonly<Record<string, Claims>> = { 'another issuer': { iss: 'https://issuer.example' }, 'one that has expired': { exp: NOW - 60 }, ...('aud' in CASES[name].good && name !== 'keycloak' ? { 'another audience': { aud: 'somebody-else' }, 'no audience': { aud: undefined } } : {}), ...CASES[name].wrong }
  it.each(Object.entries(changes))('refuses %s', async (_title, change) => {
    expect(await under(name).bearer(await signed(name, change))).toMatchObject({ kind: expect.stringMatching(/^(rejected|not_applicable)$/) })
  })

  it('refuses another algorithm than its issuer uses', async () => {
    const alg = ALGORITHMS.find((each) => !presetSettings({ [name]: PRESET_EXAMPLES[name] })?.algorithms.includes(each))
    const token = await new SignJWT({ iat: NOW - 10, exp: NOW + 600, ...CASES[name].good }).setProtectedHeader({ alg: alg ?? 'none', kid: alg ?? '' }).sign(keys.get(alg ?? '')!)
    expect(await under(name).bearer(token)).toMatchObject({ kind: 'rejected', reason: 'jwt_alg_not_allowed' })
  })
})

describe('presets', () => {
  it.each(['auth0', 'okta'] as const)('%s without an audience is a mistake: nothing would say for whom a token is', (name) => {
    expect(provider({ type: 'jwt', preset: { [name]: PRESET_EXAMPLES[name] } }).mistakes).toMatchObject([{ path: ['authenticators', 'provider', 'audience'] }])
  })

  it('keycloak with neither a client nor an audience is a mistake', () => {
    const preset = { keycloak: { url: 'https://id.example.com', realm: 'acme' } }
    expect(provider({ type: 'jwt', preset }).mistakes).toHaveLength(1)
    expect(provider({ type: 'jwt', preset, audience: 'orders-api' }).mistakes).toEqual([])
  })

  it('give way to what is written beside them', async () => {
    const { bearer } = provider(config('auth0', { jwks_file: file, map: { subject: '/azp', roles: '/permissions' }, claims: { azp: 'web' } }), { clock: () => NOW * 1_000 })
    expect(await bearer(await signed('auth0'))).toMatchObject({ principal: { subject: 'web', roles: ['orders:read'] } })
    expect(await bearer(await signed('auth0', { azp: 'mobile' }))).toMatchObject({ kind: 'rejected', reason: 'jwt_claim_mismatch' })
  })

  it('google may be limited to one Workspace domain', async () => {
    const { bearer } = provider({ type: 'jwt', preset: { google: { ...PRESET_EXAMPLES.google, hosted_domain: 'acme.example' } }, jwks_file: file }, { clock: () => NOW * 1_000 })
    expect(await bearer(await signed('google', { hd: 'acme.example' }))).toMatchObject({ kind: 'authenticated' })
    expect(await bearer(await signed('google'))).toMatchObject({ kind: 'rejected' })
  })

  it.each([
    ['none', {}],
    ['two', { auth0: { domain: 'a.example' }, google: { client_id: 'c' } }],
    ['an unknown one', { auth1: { domain: 'a.example' } }],
    ['a domain that is a URL', { auth0: { domain: 'https://a.example' } }],
    ['a domain with somebody else\'s host', { auth0: { domain: 'a.example@evil.example' } }],
    ['a domain with a path', { clerk: { domain: 'a.example/x', origins: 'https://a' } }],
    ['a realm with a path', { keycloak: { url: 'https://a.example', realm: '../master' } }],
    ['a realm that is a step up', { keycloak: { url: 'https://a.example', realm: '..' } }],
    ['no origins', { clerk: { domain: 'a.example', origins: '' } }],
  ])('are exactly one with clean parameters: %s', (_title, preset) => {
    expect(schema.safeParse({ type: 'jwt', preset }).success).toBe(false)
  })
})
