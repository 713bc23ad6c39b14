import { createServerClient } from '@supabase/ssr'
import { exportSPKI, importJWK, SignJWT } from 'jose'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { NO_ANSWERS, raw, type Answer } from '../../test/support/answering.ts'
import { startGoTrue, type GoTrue } from '../../test/support/gotrue.ts'
import type { Account } from '../../test/support/gotrue-accounts.ts'
import { provider } from '../../test/support/provider.ts'

const JWKS = '/auth/v1/.well-known/jwks.json'
const USER = '/auth/v1/user'
let project: GoTrue
let stranger: GoTrue
let account: Account
const now = Date.now()
beforeAll(async () => {
  ;[project, stranger] = await Promise.all([startGoTrue({ clock: () => now }), startGoTrue({ clock: () => now })])
})
beforeEach(() => {
  account = project.accounts.add({ appMetadata: { roles: ['editor'], tier: 'pro' }, userMetadata: { roles: ['admin'], tier: 'enterprise' } })
  project.forget()
  project.fail(USER, undefined)
  project.fail(JWKS, undefined)
})
afterAll(() => Promise.all([project.close(), stranger.close()]))

const settings = (more: object = {}) => ({ type: 'supabase', url: project.url, api_key: project.anonKey, ...more })
const local = (more: object = {}) => provider(settings(more), { clock: () => now })
const remote = (more: object = {}) => local({ verify: 'remote', ...more })
const refused = (reason: string) => ({ kind: 'rejected', reason })
const faulty = (answer: Answer) => (_request: unknown, response: Parameters<Answer>[0]) => answer(response, { method: '', target: '', headers: {}, body: '' })

describe('a token checked here', () => {
  it('names the user with one key fetch and no other call', async () => {
    const { bearer } = local()
    const token = await project.accessToken(account)
    for (let time = 0; time < 3; time += 1) {
      expect(await bearer(token)).toMatchObject({ kind: 'authenticated', principal: { subject: account.id, email: account.email, authenticatorId: 'provider', roles: ['editor'], tier: 'pro', credentialId: expect.any(String), attributes: { role: 'authenticated' } } })
    }
    expect(project.requests.map(({ path }) => path)).toEqual([JWKS])
  })

  it('takes roles and tier from app_metadata only, and a default tier', async () => {
    const plain = project.accounts.add({ userMetadata: { roles: ['admin'], tier: 'enterprise' }, appMetadata: {} })
    expect(await local({ map: { default_tier: 'free' } }).bearer(await project.accessToken(plain))).toMatchObject({ principal: { roles: [], tier: 'free' } })
  })

  const cases: readonly (readonly [string, string, () => Promise<string>, object?])[] = [
    ['expired', 'jwt_expired', () => project.accessToken(account, { exp: Math.floor(now / 1_000) - 60 })],
    ['the anon key', 'jwt_anon_key', async () => project.anonKey],
    ['the anon key by asking', 'jwt_anon_key', async () => project.anonKey, { verify: 'remote' }],
    ['a service key', 'jwt_role_not_allowed', () => project.sign({ iss: 'supabase', role: 'service_role' }, { algorithm: 'HS256' })],
    ['no subject', 'subject_invalid', () => project.accessToken(account, { sub: undefined as never })],
    ['another audience', 'jwt_audience_mismatch', () => project.accessToken(account, { aud: 'mcp' })],
    ['the role of nobody', 'jwt_role_not_allowed', () => project.accessToken(account, { role: 'anon' })],
    ['no role', 'jwt_claim_missing', () => project.accessToken(account, { role: undefined })],
    ['an anonymous user', 'jwt_anonymous_user', () => project.accessToken(account, { is_anonymous: true })],
    ['an anonymous user in an odd spelling', 'jwt_anonymous_user', () => project.accessToken(account, { is_anonymous: 'true' })],
    ['a third-party client', 'jwt_oauth_client', () => project.accessToken(account, { client_id: 'app' })],
    ['the none algorithm', 'jwt_alg_not_allowed', async () => `${Buffer.from('{"alg":"none"}').toString('base64url')}.${Buffer.from(JSON.stringify({ iss: project.issuer, sub: account.id })).toString('base64url')}.`],
    ['a key of another project', 'jwt_unknown_kid', () => stranger.accessToken(stranger.accounts.add({ id: account.id }), { iss: project.issuer })],
    ['HS256 by the published key', 'remote_rejected', async () => {
      const { keys } = await (await fetch(`${project.url}${JWKS}`)).json() as { keys: [JsonWebKey & { kty: string; kid: string }] }
      const key = await importJWK(keys[0], 'ES256', { extractable: true })
      return new SignJWT({ iss: project.issuer, sub: account.id, aud: 'authenticated', role: 'authenticated', exp: 4_102_444_800 }).setProtectedHeader({ alg: 'HS256', kid: keys[0].kid }).sign(new TextEncoder().encode(await exportSPKI(key as never)))
    }],
    ['HS256 where that is off', 'jwt_alg_not_allowed', () => project.accessToken(account, {}, 'HS256'), { hs256: 'off' }],
  ]
  it.each(cases.map(([title, reason, token, more = {}]) => ({ title, reason, token, more })))('is refused: $title', async ({ reason, token, more }) => {
    expect(await local(more).bearer(await token())).toMatchObject(refused(reason))
  })

  it('of anonymous users and third-party clients counts when the config says so', async () => {
    expect(await local({ anonymous_users: true }).bearer(await project.accessToken(account, { is_anonymous: true }))).toMatchObject({ kind: 'authenticated' })
    expect(await local({ oauth_clients: true }).bearer(await project.accessToken(account, { client_id: 'app' }))).toMatchObject({ kind: 'authenticated' })
  })

  it('of another project is left to others', async () => {
    expect(await local().bearer(await stranger.accessToken(stranger.accounts.add({})))).toMatchObject({ kind: 'not_applicable', reason: 'jwt_issuer_mismatch', evidence: { seen: stranger.issuer, expected: [project.issuer] } })
  })

  it('with HS256 is checked by the legacy secret without a call, or else by asking', async () => {
    const token = await project.accessToken(account, {}, 'HS256')
    expect(await local({ legacy_secret: project.hsSecret }).bearer(token)).toMatchObject({ principal: { subject: account.id } })
    expect(await local({ legacy_secret: `${project.hsSecret}x` }).bearer(token)).toMatchObject(refused('jwt_signature_invalid'))
    expect(project.requests).toEqual([])
    expect(await local().bearer(token)).toMatchObject({ principal: { subject: account.id, tier: 'pro' } })
    expect(project.requests.map(({ path }) => path)).toEqual([USER])
  })

  it('is asked about when the project publishes no key, and nobody can tell without a key for the gateway', async () => {
    const bare = await startGoTrue({ clock: () => now })
    bare.publishNoKeys()
    const token = await bare.accessToken(bare.accounts.add({}), {}, 'ES256')
    const made = (apiKey: string) => provider({ type: 'supabase', url: bare.url, api_key: apiKey }, { clock: () => now })
    await made(bare.anonKey).bearer(token)
    expect(bare.seen(USER)).toHaveLength(1)
    expect(await made('').bearer(token)).toMatchObject({ kind: 'unavailable', misconfigured: true })
    await bare.close()
  })

  it('cannot be checked while no key set was ever fetched', async () => {
    project.fail(JWKS, faulty(raw(503, '')))
    expect(await local().bearer(await project.accessToken(account))).toMatchObject({ kind: 'unavailable', dependency: project.issuer })
  })

  it('is rechecked as often as the config says: a logout and a ban take effect before its expiry', async () => {
    const { bearer } = local({ recheck: '60s' })
    const token = await project.accessToken(account)
    const start = now
    await bearer(token)
    account.banned = true
    expect(await bearer(token, start + 59_000)).toMatchObject({ kind: 'authenticated' })
    expect(await bearer(token, start + 60_000)).toMatchObject(refused('account_suspended'))
    expect(project.seen(USER)).toHaveLength(2)
    project.fail(USER, faulty(raw(503, '')))
    expect(await bearer(token, start + 70_000)).toMatchObject({ kind: 'unavailable' })
  })

  it('brings the user\'s record when asked to, and does without it while the project is down', async () => {
    const { bearer } = local({ fetch_user: true })
    const token = await project.accessToken(account)
    expect(await bearer(token)).toMatchObject({ principal: { attributes: { created_at: account.createdAt } } })
    await bearer(token)
    expect(project.seen(USER)).toHaveLength(1)
    project.fail(USER, faulty(raw(503, '')))
    expect(await local({ fetch_user: true }).bearer(token)).toMatchObject({ kind: 'authenticated', principal: { subject: account.id } })
  })
})

describe('a token asked about', () => {
  it('costs one call with exactly our key and the token, and is remembered', async () => {
    const { bearer } = remote()
    const token = await project.accessToken(account)
    const [first] = await Promise.all([bearer(token), bearer(token), bearer(token)])
    expect(first).toMatchObject({ principal: { subject: account.id, email: account.email, tier: 'pro', attributes: { created_at: account.createdAt, role: 'authenticated' } } })
    await bearer(token, now + 29_000)
    expect(project.requests).toHaveLength(1)
    expect(project.requests[0]?.headers).toMatchObject({ apikey: project.anonKey, authorization: `Bearer ${token}`, 'user-agent': 'postern' })
    await bearer(token, now + 30_000)
    expect(project.requests).toHaveLength(2)
  })

  it('is asked about every time when nothing is kept', async () => {
    const { bearer } = remote({ cache: 0 })
    const token = await project.accessToken(account)
    await bearer(token)
    await bearer(token)
    expect(project.requests).toHaveLength(2)
  })

  const cases: readonly (readonly [string, string, () => Promise<string>])[] = [
    ['a bad signature', 'remote_rejected', () => stranger.accessToken(stranger.accounts.add({ id: account.id }))],
    ['an expired one', 'jwt_expired', () => project.accessToken(account, { exp: Math.floor(now / 1_000) - 60 })],
    ['one without a subject', 'remote_rejected', () => project.accessToken(account, { sub: undefined as never })],
    ['one whose subject is no UUID', 'remote_rejected', () => project.accessToken(account, { sub: 'x' })],
    ['a deleted user\'s', 'remote_rejected', async () => {
      const token = await project.accessToken(account)
      project.accounts.remove(account.id)
      return token
    }],
    ['a banned user\'s', 'account_suspended', async () => {
      account.banned = true
      return project.accessToken(account)
    }],
    ['one of a session that was ended', 'token_revoked', async () => {
      const token = await project.accessToken(account)
      project.accounts.logout(account.id, undefined, 'global')
      return token
    }],
    ['an anonymous user\'s', 'jwt_anonymous_user', () => project.accessToken(project.accounts.add({ isAnonymous: true }))],
    ['a third-party client\'s', 'jwt_oauth_client', () => project.accessToken(account, { client_id: 'app' })],
  ]
  it.each(cases)('is refused: %s', async (_title, reason, token) => {
    expect(await remote().bearer(await token())).toMatchObject(refused(reason))
  })

  it('of another project shows whose it is', async () => {
    expect(await remote().bearer(await stranger.accessToken(stranger.accounts.add({})))).toMatchObject({ reason: 'remote_rejected', evidence: { error_code: 'bad_jwt', iss: stranger.issuer, expected: project.issuer } })
  })

  it.each(['error_code', 'code', 'header'])('reads the verdict where this version of Auth puts it: %s', async (place) => {
    const body = place === 'header' ? {} : { [place]: 'user_banned', msg: 'User is banned' }
    project.fail(USER, faulty(raw(403, JSON.stringify(body), { 'content-type': 'application/json', ...(place === 'header' ? { 'x-sb-error-code': 'user_banned' } : {}) })))
    expect(await remote().bearer(await project.accessToken(account))).toMatchObject(refused('account_suspended'))
  })

  it('is accepted from a gateway that wraps the user', async () => {
    project.fail(USER, faulty(raw(200, JSON.stringify({ user: { id: account.id, email: 'wrapped@example.com' } }))))
    expect(await remote().bearer(await project.accessToken(account))).toMatchObject({ principal: { subject: account.id, email: 'wrapped@example.com' } })
  })

  it('is nobody\'s when our own key is wrong or the gateway answers for itself', async () => {
    const token = await project.accessToken(account)
    expect(await remote({ api_key: 'wrong' }).bearer(token)).toMatchObject({ kind: 'unavailable', misconfigured: true })
    project.fail(USER, faulty(raw(401, 'Unauthorized', { 'content-type': 'text/plain' })))
    expect(await remote().bearer(token)).toMatchObject({ kind: 'unavailable', misconfigured: true })
  })

  const undecided: readonly (readonly [string, Answer])[] = [
    ...NO_ANSWERS,
    ['429', raw(429, '{"error_code":"over_request_rate_limit"}', { 'retry-after': '9' })],
    ['403 without a code', raw(403, '{"message":"blocked"}')],
    ['403 with a code of another matter', raw(403, '{"error_code":"something_new"}')],
    ['400 about the audience header', raw(400, '{"error_code":"validation_failed"}')],
    ['200 with another user', raw(200, '{"id":"22222222-2222-4222-8222-222222222222"}')],
    ['200 with a number for an id', raw(200, '{"id":7}')],
    ['500 with a verdict', raw(500, '{"error_code":"bad_jwt"}')],
  ]
  it.each(undecided)('could not be checked: %s', async (_title, answer) => {
    project.fail(USER, faulty(answer))
    const token = await project.accessToken(account)
    const { bearer } = remote({ timeout: '300ms' })
    expect(await bearer(token)).toMatchObject({ kind: 'unavailable', dependency: 'provider' })
    project.fail(USER, undefined)
    expect(await bearer(token)).toMatchObject({ kind: 'authenticated' })
  })

  it('says how long to wait when there were too many', async () => {
    project.fail(USER, faulty(raw(429, '{"error_code":"over_request_rate_limit"}', { 'retry-after': '9' })))
    expect(await remote().bearer(await project.accessToken(account))).toMatchObject({ retryAfterMs: 9_000 })
  })
})

describe('where a token stands', () => {
  it('may be Authorization without a scheme when the config says so', async () => {
    const token = await project.accessToken(account)
    expect(await local({ bearer_scheme: 'optional' }).ask({ authorization: token })).toMatchObject({ kind: 'authenticated' })
    expect(await local().ask({ authorization: token })).toMatchObject({ kind: 'foreign' })
  })

  it('does not count when the value is to be ignored', async () => {
    const { bearer } = local({ ignore: [project.anonKey, project.publishableKey, ''] })
    expect(await bearer(project.anonKey)).toBeUndefined()
    expect(await bearer(project.publishableKey)).toBeUndefined()
    expect(await bearer(await project.accessToken(account))).toMatchObject({ kind: 'authenticated' })
  })

  it('is foreign when it is no token: other authenticators share the header', async () => {
    expect(await local().bearer('ak_live_0123456789')).toMatchObject({ kind: 'foreign' })
  })

  it('may be the cookie of the real library, whose every chunk is a location', async () => {
    const jar = new Map<string, string>()
    const client = createServerClient(project.url, project.anonKey, {
      cookies: { getAll: () => [], setAll: (cookies) => cookies.forEach(({ name, value }) => value !== '' && jar.set(name, value)) },
    })
    const long = project.accounts.add({ email: 'long@example.com', userMetadata: { bio: 'x'.repeat(2_500) } })
    await client.auth.signInWithPassword({ email: long.email, password: long.password })
    const cookie = [...jar].map(([name, value]) => `${name}=${encodeURIComponent(value)}`).toReversed().join('; ')
    const { ask } = local({ in: [{ bearer: true }, { cookie: 'auto' }], ignore: [project.anonKey] })
    expect(jar.size).toBeGreaterThan(1)
    expect(await ask({ cookie, authorization: `Bearer ${project.anonKey}` })).toMatchObject({ principal: { subject: long.id, carrier: { kind: 'cookie' }, locations: [...jar.keys()].map((name) => ({ name })) } })
  })
})

describe('a project that is not configured', () => {
  it('is off without a url, and wrong with half of what it needs', () => {
    expect(provider({ type: 'supabase', url: '', api_key: '' })).toMatchObject({ compiled: undefined, warnings: [{ path: ['authenticators', 'provider', 'url'] }], mistakes: [] })
    expect(provider({ type: 'supabase', url: '', api_key: 'k' }).mistakes).toMatchObject([{ path: ['authenticators', 'provider', 'url'] }])
    expect(remote({ api_key: '' }).mistakes).toMatchObject([{ path: ['authenticators', 'provider', 'api_key'] }])
  })

  it('answers that it is misconfigured when it was started degraded', async () => {
    const { bearer, warnings } = provider({ type: 'supabase', url: '', api_key: '', start_degraded: true, verify: 'remote' })
    expect(await bearer(await project.accessToken(account))).toMatchObject({ kind: 'unavailable', misconfigured: true })
    expect(warnings).toHaveLength(1)
    expect(await bearer('nothing-of-ours')).toMatchObject({ kind: 'foreign' })
  })

  it.each([
    ['hs256: secret without one', { hs256: 'secret' }, ['hs256']],
    ['a short legacy secret', { legacy_secret: 'short' }, ['legacy_secret']],
    ['a role that users can edit', { map: { roles: '/user_metadata/role' } }, ['map', 'roles']],
    ['a tier that users can edit', { map: { tier: ['/app_metadata/tier', '/user_metadata/tier'] } }, ['map', 'tier']],
    ['plain HTTP to another host', { url: 'http://supabase.example' }, ['url']],
  ])('is a mistake: %s', (_title, more, path) => {
    expect(local(more).mistakes.map((mistake) => mistake.path.slice(2))).toEqual([path])
  })

  it('may be asked over plain HTTP in a private network when the config says so', () => {
    expect(local({ url: 'http://kong:8000', allow_http: true }).mistakes).toEqual([])
  })
})
