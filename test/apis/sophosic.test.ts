import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { json, raw, startAnswering, type AnsweringServer } from '../support/answering.ts'
import type { EchoUpstream } from '../support/echo-upstream.ts'
import { startGoTrue, type GoTrue } from '../support/gotrue.ts'
import { runPostern, startPostern, type RunningPostern } from '../support/running-postern.ts'
import { ask, lastSeen, mintTokens, startApi, USER_ID, type Ask, type Asked, type Tokens } from './asking.ts'
import { expectNoLeaks, expectQuiet, gather } from './leaks.ts'
import { admin, managedKeys, type MadeKey } from './managed.ts'

const CONFIG = 'config/sophosic.yaml'
const CHAT = '/api/chat/v5'
const ME = '/api/auth/me'
const UNAUTHORIZED = { error: 'Unauthorized', message: 'Invalid or missing API key', statusCode: 401 }
const FORBIDDEN = { error: 'Forbidden', message: 'Insufficient permissions', statusCode: 403 }
const SITE = 'https://sophosic.ai'
const ADMIN_TOKEN = 'admin-token-of-sophosic-tests'
const CLIENT_SECRET = 'client-secret-of-sophosic-tests'

let folder: string
let api: EchoUpstream
let project: GoTrue
let stranger: GoTrue
let issuer: AnsweringServer
let tokens: Tokens
let postern: RunningPostern
let pro: MadeKey
const gathered = gather()
const keys = managedKeys({ postern: () => postern, config: CONFIG, gathered })

/** What the issuer knows about opaque tokens. */
const OPAQUE: Readonly<Record<string, Record<string, unknown>>> = {
  'opaque-profile-token': { active: true, sub: 'third_1', scope: 'read_profile', client_id: 'app', email: 'third@example.com' },
  'opaque-data-token': { active: true, sub: 'third_1', scope: 'read_profile read_data', client_id: 'app' },
  'opaque-expired-token': { active: true, sub: 'third_1', scope: 'read_data', exp: 1_700_000_000 },
  'opaque-nobody-token': { active: true, scope: 'read_data' },
}

const environment = (): Record<string, string> => ({
  UPSTREAM_URL: `http://127.0.0.1:${api.port}`, SUPABASE_URL: project.url, SUPABASE_ANON_KEY: project.anonKey,
  KEY_STORE: join(folder, 'store', 'keys.db'), KEY_PEPPER: 'pepper-of-sophosic-tests', ADMIN_TOKEN, REQUIRE_HTTPS: 'false', POSTERN_DRAIN_DELAY: '0',
  OAUTH_INTROSPECTION_URL: `${issuer.url}/oauth/introspect`, OAUTH_CLIENT_ID: 'resource-server', OAUTH_CLIENT_SECRET: CLIENT_SECRET,
})

async function withPostern(env: Readonly<Record<string, string>>, run: (postern: RunningPostern) => Promise<void>): Promise<void> {
  const own = await startPostern({ config: CONFIG, env })
  try {
    await run(own)
  } finally {
    await own.stop()
  }
  expectQuiet(gathered, own)
}

const introspects = (): void => issuer.answer((response, { body }) => json(OPAQUE[new URLSearchParams(body).get('token') ?? ''] ?? { active: false })(response, { method: '', target: '', headers: {}, body }))

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'postern-sophosic-'))
  mkdirSync(join(folder, 'store'))
  ;[api, project, stranger, issuer] = await Promise.all([startApi(), startGoTrue(), startGoTrue(), startAnswering()])
  introspects()
  tokens = await mintTokens(project, stranger)
  gathered.secret(project.anonKey, ADMIN_TOKEN, CLIENT_SECRET, 'pepper-of-sophosic-tests', ...Object.keys(OPAQUE), ...Object.values(tokens))
  postern = await startPostern({ config: CONFIG, env: environment() })
  pro = await keys.create('--owner', 'user_abc123', '--email', 'developer@example.com', '--tier', 'pro')
})
afterAll(async () => {
  await postern.stop()
  await Promise.all([api.close(), project.close(), stranger.close(), issuer.close()])
  rmSync(folder, { recursive: true })
})

let hits = 0
beforeEach(() => {
  hits = api.seen.length
  project.forget()
  issuer.seen.length = 0
})
const get = (path: string, headers: Ask['headers'] = {}, more: Ask = {}): Promise<Asked> => ask(postern.url, path, { headers, ...more }).then(gathered.answered)
const post = (path: string, headers: Ask['headers'] = {}): Promise<Asked> => get(path, { 'Content-Type': 'application/json', ...headers }, { method: 'POST', body: '{}' })
const bearer = (token: string): Record<string, string> => ({ Authorization: `Bearer ${token}` })
const untouched = (): void => expect(api.seen.length).toBe(hits)
const wait = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))
const free = (): Promise<MadeKey> => keys.create('--owner', 'user_free', '--email', 'free@example.com', '--tier', 'free')
const session = async (appMetadata: Record<string, unknown> = {}, userMetadata: Record<string, unknown> = {}): Promise<string> => {
  const token = await project.accessToken(project.accounts.add({ email: 'session@example.com', appMetadata, userMetadata }))
  gathered.secret(token)
  return token
}

describe('sophosic credentials', () => {
  it('S1 refuses a request without one', async () => {
    const answer = await post(CHAT)
    expect([answer.status, answer.json]).toEqual([401, UNAUTHORIZED])
    expect(answer.headers['www-authenticate']).toMatch(/^Bearer\b/)
    expect(answer.headers['www-authenticate']).not.toContain('error=')
    expect([answer.headers['cache-control'], answer.headers['content-type']?.split(';')[0]]).toEqual(['no-store', 'application/json'])
    untouched()
  })

  it('S2 lets a key through, keeps it from the API, and counts exactly', async () => {
    const before = Math.floor(Date.now() / 1_000)
    const first = await post(CHAT, bearer(pro.key))
    expect([first.status, first.headers['x-ratelimit-limit'], first.headers['x-ratelimit-remaining']]).toEqual([200, '1000', '999'])
    const reset = Number(first.headers['x-ratelimit-reset'])
    expect(Number.isInteger(reset) && reset > before && reset <= Math.floor(Date.now() / 1_000) + 3_600).toBe(true)
    expect(lastSeen(api)).toMatchObject({ 'x-auth-user-id': 'user_abc123', 'x-auth-tier': 'pro' })
    expect(lastSeen(api)).not.toHaveProperty('authorization')
    expect(first.headers['ratelimit-policy']).toBe('"hour";q=1000;w=3600, "burst";q=100;w=60')
    expect(first.headers['ratelimit']).toMatch(/^"hour";r=999;t=\d+, "burst";r=99;t=\d+$/)
    const second = await post(CHAT, bearer(pro.key))
    expect([second.headers['x-ratelimit-remaining'], second.headers['x-ratelimit-reset']]).toEqual(['998', String(reset)])
  })

  it('S3 lets a session through with its own token, which row-level security needs', async () => {
    const answer = await post(CHAT, bearer(tokens.ok))
    expect([answer.status, answer.headers['x-ratelimit-limit']]).toEqual([200, '100'])
    expect(lastSeen(api)).toMatchObject({ authorization: `Bearer ${tokens.ok}`, 'x-auth-user-id': USER_ID, 'x-auth-tier': 'free' })
    expect(project.seen('/auth/v1/user').length).toBe(0)
  })

  it.each([
    ['an unknown key', `sk_live_${'a'.repeat(49)}`],
    ['a short key', 'sk_live_abc'],
    ['a key of another shape', 'pk_live_abcdefghijklmnop'],
    ['a word', 'YOUR_API_KEY'],
  ])('S5 refuses %s', async (_title, key) => {
    for (const path of [CHAT, '/api/other', ME]) {
      const answer = await get(path, bearer(key))
      expect([answer.status, answer.json]).toEqual([401, UNAUTHORIZED])
      expect(answer.headers['www-authenticate']).toMatch(/^Bearer/)
    }
    untouched()
  })

  it.each(['expired', 'other', 'none', 'confused', 'flipped', 'anon'] as const)('S5 refuses a session token that is %s', async (kind) => {
    const answer = await post(CHAT, bearer(tokens[kind]))
    expect([answer.status, answer.json]).toEqual([401, UNAUTHORIZED])
    untouched()
  })

  it('never sends a key or a session to the issuer of other tokens', async () => {
    await post(CHAT, bearer(pro.key))
    await post(CHAT, bearer(`sk_live_${'b'.repeat(49)}`))
    await post(CHAT, bearer(tokens.ok))
    await post(CHAT, bearer(tokens.flipped))
    expect(issuer.seen.length).toBe(0)
  })

  it('takes a tier from app_metadata and never from what users can edit', async () => {
    await post(CHAT, bearer(await session({ tier: 'pro' })))
    expect(lastSeen(api)['x-auth-tier']).toBe('pro')
    const answer = await post(CHAT, bearer(await session({}, { tier: 'enterprise' })))
    expect([lastSeen(api)['x-auth-tier'], answer.headers['x-ratelimit-limit']]).toEqual(['free', '100'])
  })

  it('removes what a client claims to be', async () => {
    await post(CHAT, { ...bearer(pro.key), 'X-Auth-User-Id': 'victim', X_Auth_Tier: 'enterprise', 'X.Auth.Tier': 'enterprise' })
    expect(JSON.stringify(lastSeen(api))).not.toMatch(/victim|enterprise/)
  })

  it('answers 400 to two credentials', async () => {
    const answer = await get(CHAT, { Authorization: [`Bearer ${pro.key}`, `Bearer ${tokens.ok}`] })
    expect([answer.status, Object.keys(answer.json as object)]).toEqual([400, ['error', 'message', 'statusCode']])
    untouched()
  })
})

describe('sophosic /api/auth/me', () => {
  it('S4 answers for a key', async () => {
    const answer = await get(ME, bearer(pro.key))
    const { created_at: createdAt, ...rest } = answer.json as Record<string, unknown>
    expect([answer.status, rest]).toEqual([200, { id: 'user_abc123', email: 'developer@example.com', tier: 'pro' }])
    expect(createdAt).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/)
    expect(Math.abs(Date.parse(String(createdAt)) - Date.now())).toBeLessThan(60_000)
    expect([answer.headers['content-type'], answer.headers['cache-control']]).toEqual(['application/json', 'no-store'])
    untouched()
  })

  it('S6 answers for a session, and asks the project once', async () => {
    const token = await session({ tier: 'pro' })
    const answers = [await get(ME, bearer(token)), await get(ME, bearer(token))]
    const { sub } = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()) as { sub: string }
    for (const answer of answers) expect([answer.status, answer.json]).toEqual([200, { id: sub, email: 'session@example.com', tier: 'pro', created_at: '2025-01-01T00:00:00Z' }])
    expect(project.seen('/auth/v1/user').map(({ headers }) => headers['apikey'])).toEqual([project.anonKey])
    untouched()
  })

  it('answers for a third party that may read the profile', async () => {
    const answer = await get(ME, bearer('opaque-profile-token'))
    expect([answer.status, answer.json]).toEqual([200, { id: 'third_1', email: 'third@example.com', tier: 'free', created_at: null }])
    untouched()
  })

  it('knows of a ban at once, and does not answer halves while the project is away', async () => {
    const account = project.accounts.add({ email: 'banned@example.com', banned: true })
    const banned = await get(ME, bearer(await project.accessToken(account)))
    expect([banned.status, banned.json]).toEqual([403, FORBIDDEN])
    project.fail('/auth/v1/user', (_request, response) => void response.writeHead(500).end())
    const away = await get(ME, bearer(await session()))
    project.fail('/auth/v1/user', undefined)
    expect([away.status, away.headers['retry-after'] !== undefined, (away.json as typeof FORBIDDEN).statusCode]).toEqual([503, true, 503])
  })

  it('answers HEAD like GET, without the body', async () => {
    const answer = await get(ME, bearer(pro.key), { method: 'HEAD' })
    expect([answer.status, answer.body]).toEqual([200, ''])
    untouched()
  })

  it('takes no other method and no other path for it', async () => {
    await post(ME, bearer(pro.key))
    expect(api.seen.length).toBe(hits + 1)
    expect((await get('/other', bearer(pro.key))).status).toBe(404)
  })
})

describe('sophosic limits', () => {
  it('S7 refuses the 21st request of a minute, and says for how long', async () => {
    const { key } = await free()
    const answers = []
    for (let n = 0; n < 21; n += 1) answers.push(await post(CHAT, bearer(key)))
    expect(answers.map(({ status }) => status)).toEqual([...Array.from({ length: 20 }, () => 200), 429])
    const last = answers[20]!
    const { retryAfter } = last.json as { retryAfter: number }
    expect(last.json).toEqual({ error: 'Too Many Requests', message: 'Rate limit exceeded', statusCode: 429, retryAfter })
    expect([Number.isInteger(retryAfter), retryAfter >= 1 && retryAfter <= 60, last.headers['retry-after']]).toEqual([true, true, String(retryAfter)])
    expect(answers.slice(0, 20).map(({ headers }) => headers['x-ratelimit-remaining'])).toEqual(Array.from({ length: 20 }, (_each, n) => String(99 - n)))
    expect([last.headers['x-ratelimit-limit'], last.headers['x-ratelimit-remaining']]).toEqual(['100', '80'])
    expect(api.seen.length).toBe(hits + 20)
    // The limit is the key's: another key of the same owner has one of its own.
    expect((await post(CHAT, bearer((await free()).key))).headers['x-ratelimit-remaining']).toBe('99')
  })

  it('admits exactly the burst of many requests at once', async () => {
    const { key } = await free()
    const answers = await Promise.all(Array.from({ length: 40 }, () => post(CHAT, bearer(key))))
    expect(answers.filter(({ status }) => status === 200).length).toBe(20)
    expect(answers.filter(({ status }) => status === 429).length).toBe(20)
  })

  it('S8 says how long the hour lasts when that is spent, over every route', async () => {
    await withPostern({ ...environment(), FREE_HOURLY: '3', FREE_BURST: '1000', PRO_HOURLY: '5', PRO_BURST: '2' }, async ({ url }) => {
      const { key } = await free()
      const call = (path: string, token = key): Promise<Asked> => ask(url, path, { headers: bearer(token) })
      const answers = [await call(CHAT), await call(ME), await call('/api/other'), await call(CHAT)]
      expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 429])
      expect(answers.map(({ headers }) => headers['x-ratelimit-remaining'])).toEqual(['2', '1', '0', '0'])
      const { retryAfter } = answers[3]!.json as { retryAfter: number }
      expect([retryAfter > 3_500 && retryAfter <= 3_600, answers[3]?.headers['retry-after']]).toEqual([true, String(retryAfter)])
      expect((await call(CHAT, pro.key)).headers['x-ratelimit-limit']).toBe('5')
      expect([(await call(CHAT, pro.key)).status, (await call(CHAT, pro.key)).status]).toEqual([200, 429])
    })
  })

  it('counts a user once for all of his requests, whichever way they are checked', async () => {
    const token = await session()
    const answers = [await post(CHAT, bearer(token)), await get(ME, bearer(token)), await get('/api/other', bearer(token))]
    expect(answers.map(({ headers }) => headers['x-ratelimit-remaining'])).toEqual(['99', '98', '97'])
  })

  it('counts refused credentials and permissions for nobody', async () => {
    const { key } = await free()
    await get('/api/agents/x', bearer(key))
    await get(CHAT, { Authorization: `Bearer ${key}x` })
    expect((await post(CHAT, bearer(key))).headers['x-ratelimit-remaining']).toBe('99')
  })

  it('leaves enterprise unlimited', async () => {
    const { key } = await keys.create('--owner', 'big', '--tier', 'enterprise')
    const answer = await post(CHAT, bearer(key))
    expect([answer.status, answer.headers['x-ratelimit-limit']]).toEqual([200, undefined])
    const answers = await Promise.all(Array.from({ length: 120 }, () => post(CHAT, bearer(key))))
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]))
  })

  it('gives a key the limits that were agreed for it alone', async () => {
    const { key } = await keys.create('--owner', 'big', '--tier', 'enterprise', '--limits', '3/hour,100/minute')
    const answers = []
    for (let n = 0; n < 4; n += 1) answers.push(await post(CHAT, bearer(key)))
    expect(answers.map(({ status, headers }) => [status, headers['x-ratelimit-limit'], headers['x-ratelimit-remaining']])).toEqual([[200, '3', '2'], [200, '3', '1'], [200, '3', '0'], [429, '3', '0']])
    expect((await get('/api/agents/x', bearer(key))).status).toBe(429)
  })

  it('gives a key without a tier, and a session with a tier that does not exist, those of the lowest', async () => {
    const { key } = await keys.create('--owner', 'someone')
    expect((await post(CHAT, bearer(key))).headers['x-ratelimit-limit']).toBe('100')
    expect((await post(CHAT, bearer(await session({ tier: 'platinum' })))).headers['x-ratelimit-limit']).toBe('100')
  })
})

describe('sophosic permissions', () => {
  it('S9 S11 keeps agents for pro and above', async () => {
    const { key } = await free()
    const refused = await get('/api/agents/x', bearer(key))
    expect([refused.status, refused.json]).toEqual([403, FORBIDDEN])
    expect((await get('/api/agents/x', bearer(await session()))).json).toEqual(FORBIDDEN)
    untouched()
    expect((await get('/api/agents/x', bearer(pro.key))).status).toBe(200)
    expect((await get('/api/agents/x', bearer((await keys.create('--owner', 'big', '--tier', 'enterprise')).key))).status).toBe(200)
    expect((await get('/api/agents/x', bearer(await session({ tier: 'pro' })))).status).toBe(200)
  })

  it('S10 refuses the key of a suspended owner', async () => {
    const { key } = await keys.create('--owner', 'user_bad', '--tier', 'pro', '--status', 'suspended')
    const answer = await post(CHAT, bearer(key))
    expect([answer.status, answer.json]).toEqual([403, FORBIDDEN])
    untouched()
  })

  it('S16 wants the scope of the route from a third party', async () => {
    const answer = await post(CHAT, bearer('opaque-profile-token'))
    expect([answer.status, answer.json]).toEqual([403, FORBIDDEN])
    expect(answer.headers['www-authenticate']).toMatch(/^Bearer error="insufficient_scope", scope="read_data"/)
    untouched()
    expect((await post(CHAT, bearer('opaque-data-token'))).status).toBe(200)
    expect(lastSeen(api)).toMatchObject({ 'x-auth-user-id': 'third_1', 'x-auth-tier': 'free', 'x-auth-method': 'oauth' })
    const other = await get('/api/other', bearer('opaque-data-token'))
    expect([other.status, other.json]).toEqual([401, UNAUTHORIZED])
  })
})

describe('sophosic third-party tokens', () => {
  it('are introspected with our own credentials, once for many requests', async () => {
    const token = 'opaque-unknown-token-1'
    gathered.secret(token)
    const answers = await Promise.all(Array.from({ length: 5 }, () => post(CHAT, bearer(token))))
    expect(answers.map(({ status, json: body }) => [status, body])).toEqual(Array.from({ length: 5 }, () => [401, UNAUTHORIZED]))
    expect(issuer.seen.length).toBe(1)
    const [seen] = issuer.seen
    expect([seen?.method, seen?.target, new URLSearchParams(seen?.body).get('token'), seen?.headers['content-type']?.split(';')[0]]).toEqual(['POST', '/oauth/introspect', token, 'application/x-www-form-urlencoded'])
    expect(seen?.headers.authorization).toBe(`Basic ${Buffer.from(`resource-server:${CLIENT_SECRET}`).toString('base64')}`)
    gathered.secret(Buffer.from(`resource-server:${CLIENT_SECRET}`).toString('base64'))
  })

  it.each(['opaque-expired-token', 'opaque-nobody-token', 'opaque-with space'])('are refused: %s', async (token) => {
    const answer = await post(CHAT, bearer(token))
    expect([answer.status, answer.json]).toEqual([401, UNAUTHORIZED])
    untouched()
  })

  it.each([
    ['refuses our own credentials', raw(401, '{"error":"invalid_client"}'), 500],
    ['fails', raw(500, 'oops'), 503],
    ['does not say whether it is active', json({ sub: 'x', scope: 'read_data' }), 503],
    ['says so in a string', json({ active: 'true', sub: 'x', scope: 'read_data' }), 503],
  ])('are neither accepted nor refused when the issuer %s', async (title, answer, status) => {
    issuer.answer(answer)
    const got = await post(CHAT, bearer(`opaque-${title.length}-${status}`))
    introspects()
    expect([got.status, (got.json as typeof FORBIDDEN).statusCode]).toEqual([status, status])
    expect(got.headers['retry-after'] !== undefined).toBe(status === 503)
    untouched()
  })

  it('are off while nothing is set', async () => {
    const { OAUTH_INTROSPECTION_URL: _url, OAUTH_CLIENT_ID: _id, OAUTH_CLIENT_SECRET: _secret, ...env } = environment()
    await withPostern(env, async (own) => {
      const answer = await ask(own.url, CHAT, { headers: bearer('opaque-data-token') })
      expect([answer.status, answer.json]).toEqual([401, UNAUTHORIZED])
      expect((await ask(own.url, CHAT, { headers: bearer(pro.key) })).status).toBe(200)
      expect(own.output()).toContain('oauth')
    })
    expect(issuer.seen.length).toBe(0)
  })
})

describe('sophosic keys', () => {
  it('S12 rotate with an overlap', async () => {
    const old = await free()
    expect((await post(CHAT, bearer(old.key))).status).toBe(200)
    const fresh = await keys.rotate(old.id, '--overlap', '3s')
    const rotatedAt = Date.now()
    expect([fresh.replaces, fresh.key === old.key]).toEqual([old.id, false])
    expect([(await post(CHAT, bearer(old.key))).status, (await post(CHAT, bearer(fresh.key))).status]).toEqual([200, 200])
    await wait(3_100 - (Date.now() - rotatedAt))
    const answer = await post(CHAT, bearer(old.key))
    expect([answer.status, answer.json]).toEqual([401, UNAUTHORIZED])
    expect((await post(CHAT, bearer(fresh.key))).status).toBe(200)
    expect((await get(ME, bearer(fresh.key))).json).toMatchObject({ id: 'user_free', email: 'free@example.com', tier: 'free' })
  })

  it('S13 are shown once, by the admin API as by the command line', async () => {
    const made = await admin(postern, ADMIN_TOKEN, ['POST', '/v1/keys', { owner: 'user_x', email: 'x@example.com', tier: 'pro', scopes: ['a'], name: 'ci', expires: '90d' }])
    const key = String(made.body['key'])
    gathered.secret(key)
    expect([made.status, key.startsWith('sk_live_')]).toEqual([201, true])
    for (const path of [`/v1/keys/${made.body['id']}`, '/v1/keys']) {
      const { status, text } = await admin(postern, ADMIN_TOKEN, ['GET', path])
      expect([status, text.includes(key), /digest|hash|hmac/i.test(text)]).toEqual([200, false, false])
    }
    expect(await admin(postern, ADMIN_TOKEN, ['GET', '/v1/keys'])).toMatchObject({ body: { items: expect.any(Array), next: null } })
    expect((await post(CHAT, bearer(key))).status).toBe(200)
    const rotated = await admin(postern, ADMIN_TOKEN, ['POST', `/v1/keys/${made.body['id']}/rotate`, { overlap: '0s' }])
    gathered.secret(String(rotated.body['key']))
    expect([rotated.status, rotated.body['replaces']]).toEqual([201, made.body['id']])
    await wait(1_000)
    expect([(await post(CHAT, bearer(key))).status, (await post(CHAT, bearer(String(rotated.body['key'])))).status]).toEqual([401, 200])
    expect((await admin(postern, ADMIN_TOKEN, ['DELETE', `/v1/keys/${rotated.body['id']}`])).status).toBe(204)
    await wait(1_000)
    expect((await post(CHAT, bearer(String(rotated.body['key'])))).status).toBe(401)
    expect((await admin(postern, ADMIN_TOKEN, ['POST', '/v1/keys', { owner: 'x', tier: 'platinum' }])).status).toBe(400)
  })

  it('tell development from production by their prefix', async () => {
    const { key } = await keys.create('--owner', 'user_dev', '--tier', 'free', '--environment', 'test')
    expect([key.startsWith('sk_test_'), (await post(CHAT, bearer(key))).status]).toEqual([true, 200])
  })

  it('stop within a second of being revoked or expiring', async () => {
    const { id, key } = await free()
    expect((await post(CHAT, bearer(key))).status).toBe(200)
    await keys.revoke(id)
    const short = await keys.create('--owner', 'u', '--tier', 'free', '--expires', '1s')
    expect((await post(CHAT, bearer(short.key))).status).toBe(200)
    await wait(1_100)
    for (const each of [key, short.key]) expect((await post(CHAT, bearer(each))).json).toEqual(UNAUTHORIZED)
  })

  it('may have their pepper and the admin token in files', async () => {
    writeFileSync(join(folder, 'pepper'), 'pepper-of-sophosic-tests\n')
    writeFileSync(join(folder, 'token'), `${ADMIN_TOKEN}\n`)
    const { KEY_PEPPER: _pepper, ADMIN_TOKEN: _token, ...env } = environment()
    await withPostern({ ...env, POSTERN_AUTHENTICATORS_API_KEY_PEPPER_FILE: join(folder, 'pepper'), POSTERN_ADMIN_TOKEN_FILE: join(folder, 'token') }, async (own) => {
      expect((await ask(own.url, CHAT, { headers: bearer(pro.key) })).status).toBe(200)
      expect((await admin(own, ADMIN_TOKEN, ['GET', '/v1/keys'])).status).toBe(200)
    })
  })
})

describe('sophosic for browsers', () => {
  const PREFLIGHT = { Origin: SITE, 'Access-Control-Request-Method': 'POST', 'Access-Control-Request-Headers': 'authorization,content-type' }

  it('S14 answers a preflight without a credential and counts it for nobody', async () => {
    const { key } = await free()
    for (let n = 0; n < 30; n += 1) {
      const answer = await get(CHAT, n === 0 ? PREFLIGHT : { ...PREFLIGHT, ...bearer(key) }, { method: 'OPTIONS' })
      expect([answer.status, answer.headers['access-control-allow-origin'], answer.body]).toEqual([204, SITE, ''])
      expect(answer.headers.vary?.toLowerCase().split(/, */)).toContain('origin')
      expect(answer.headers['access-control-allow-headers']?.toLowerCase()).toContain('authorization')
      expect(answer.headers['access-control-max-age']).toBe('600')
    }
    untouched()
    expect((await post(CHAT, bearer(key))).headers['x-ratelimit-remaining']).toBe('99')
  })

  it('lets no other page in', async () => {
    for (const origin of ['https://evil.example', 'https://sophosic.ai.evil.example', 'http://sophosic.ai', 'null']) {
      expect((await get(CHAT, { ...PREFLIGHT, Origin: origin }, { method: 'OPTIONS' })).headers['access-control-allow-origin']).toBeUndefined()
      expect((await get(CHAT, { Origin: origin })).headers['access-control-allow-origin']).toBeUndefined()
    }
  })

  it('S15 gives answers and every refusal the same fields', async () => {
    const { key } = await free()
    const asked: [string, Ask['headers'], number][] = [[CHAT, {}, 401], ['/api/agents/x', bearer(key), 403], ['/nowhere', {}, 404], [CHAT, { Authorization: ['Bearer a', 'Bearer b'] }, 400], [CHAT, bearer(key), 200], [ME, bearer(key), 200]]
    for (let n = 0; n < 18; n += 1) await get(ME, bearer(key))
    asked.push([CHAT, bearer(key), 429])
    for (const [path, headers, status] of asked) {
      const answer = await get(path, { Origin: SITE, ...headers })
      expect([path, answer.status, answer.headers['access-control-allow-origin']]).toEqual([path, status, SITE])
      expect(answer.headers.vary?.toLowerCase()).toContain('origin')
      const exposed = answer.headers['access-control-expose-headers']?.toLowerCase() ?? ''
      for (const name of ['x-ratelimit-limit', 'x-ratelimit-remaining', 'x-ratelimit-reset', 'retry-after']) expect(exposed).toContain(name)
    }
  })

  it('lets in the pages that are configured', async () => {
    await withPostern({ ...environment(), CORS_ORIGINS: 'https://a.example, https://b.example' }, async ({ url }) => {
      for (const origin of ['https://a.example', 'https://b.example']) expect((await ask(url, CHAT, { headers: { Origin: origin } })).headers['access-control-allow-origin']).toBe(origin)
      expect((await ask(url, CHAT, { headers: { Origin: SITE } })).headers['access-control-allow-origin']).toBeUndefined()
    })
  })
})

describe('sophosic over plain HTTP', () => {
  it('is refused by default, unless a trusted proxy says that it was HTTPS', async () => {
    const { REQUIRE_HTTPS: _off, ...env } = environment()
    await withPostern({ ...env, TRUSTED_PROXIES: '127.0.0.1/32' }, async ({ url }) => {
      const plain = await ask(url, CHAT, { headers: bearer(pro.key) })
      expect([plain.status, (plain.json as typeof FORBIDDEN).statusCode]).toEqual([403, 403])
      untouched()
      expect((await ask(url, CHAT, { headers: { ...bearer(pro.key), 'X-Forwarded-Proto': 'https' } })).status).toBe(200)
    })
    await withPostern(env, async ({ url }) => expect((await ask(url, CHAT, { headers: { ...bearer(pro.key), 'X-Forwarded-Proto': 'https' } })).status).toBe(403))
  })
})

describe('sophosic with part of its environment', () => {
  it.each([
    ['a key store without a pepper', { KEY_PEPPER: '' }, 'pepper'],
    ['a pepper that is too short', { KEY_PEPPER: 'short' }, 'pepper'],
    ['an issuer without a client', { OAUTH_CLIENT_ID: '' }, 'client_id'],
    ['a limit that is no number', { FREE_HOURLY: 'many' }, 'limit'],
  ])('does not start with %s', async (_title, more, named) => {
    const { code, stderr } = await runPostern(['run', '--config', CONFIG], { LISTEN: '127.0.0.1:0', OPS_LISTEN: '127.0.0.1:0', ADMIN_LISTEN: '127.0.0.1:0', ...environment(), ...more })
    expect([code, stderr.includes(named) || stderr]).toEqual([78, true])
  })

  it('serves sessions alone, or keys alone, and never an open door', async () => {
    const { KEY_STORE: _store, KEY_PEPPER: _pepper, ADMIN_TOKEN: _token, ...sessions } = environment()
    await withPostern(sessions, async ({ url }) => {
      expect([(await ask(url, CHAT, { headers: bearer(tokens.ok) })).status, (await ask(url, CHAT, { headers: bearer(pro.key) })).status]).toEqual([200, 401])
    })
    const { SUPABASE_URL: _url, SUPABASE_ANON_KEY: _key, ...keysOnly } = environment()
    await withPostern(keysOnly, async ({ url }) => {
      expect([(await ask(url, CHAT, { headers: bearer(pro.key) })).status, (await ask(url, CHAT, { headers: bearer(tokens.ok) })).status]).toEqual([200, 401])
      expect((await ask(url, ME, { headers: bearer(pro.key) })).status).toBe(200)
    })
    hits = api.seen.length
    await withPostern({ UPSTREAM_URL: `http://127.0.0.1:${api.port}`, REQUIRE_HTTPS: 'false', POSTERN_DRAIN_DELAY: '0' }, async ({ url }) => {
      expect((await ask(url, CHAT, { headers: bearer(pro.key) })).status).toBeGreaterThanOrEqual(400)
      expect((await ask(url, CHAT)).status).toBeGreaterThanOrEqual(400)
    })
    untouched()
  })
})

describe('sophosic at the end', () => {
  it('said no secret to anybody', () => expectNoLeaks(gathered, postern, join(folder, 'store')))
})
