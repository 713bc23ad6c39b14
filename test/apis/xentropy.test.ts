import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { raw, startAnswering } from '../support/answering.ts'
import type { EchoUpstream } from '../support/echo-upstream.ts'
import { startGoTrue, type GoTrue } from '../support/gotrue.ts'
import { runPostern, startPostern, type RunningPostern } from '../support/running-postern.ts'
import { ask, flip, lastSeen, mintTokens, startApi, USER_ID, type Ask, type Asked, type Tokens } from './asking.ts'
import { expectNoLeaks, expectQuiet, gather } from './leaks.ts'
import { admin, managedKeys } from './managed.ts'

const CONFIG = 'config/xentropy.yaml'
const CONTENT = '/api/content'
const PASSWORD_GRANT = '/api/auth/v1/token?grant_type=password'
const UNAUTHENTICATED = { error: { code: 'UNAUTHENTICATED', message: 'Missing or invalid token' } }
const FORBIDDEN = { error: { code: 'FORBIDDEN', message: 'Token is valid but lacks permissions' } }
const RATE_LIMITED = { error: { code: 'RATE_LIMITED', message: 'Too many requests' } }
const NOT_FOUND = { error: { code: 'NOT_FOUND', message: 'Not found' } }
const ADMIN_TOKEN = 'admin-token-of-xentropy-tests'

let folder: string
let api: EchoUpstream
let project: GoTrue
let stranger: GoTrue
let tokens: Tokens
let postern: RunningPostern
const gathered = gather()
const keys = managedKeys({ postern: () => postern, config: CONFIG, gathered })

const environment = (): Record<string, string> => ({
  UPSTREAM_URL: `http://127.0.0.1:${api.port}`, SUPABASE_URL: project.url, SUPABASE_ANON_KEY: project.anonKey,
  KEY_STORE: join(folder, 'store', 'keys.db'), KEY_PEPPER: 'pepper-of-xentropy-tests', ADMIN_TOKEN, REQUIRE_HTTPS: 'false', POSTERN_DRAIN_DELAY: '0',
  // Every case that signs in is a client of its own, so that none spends the budget of another.
  TRUSTED_PROXIES: '127.0.0.1/32',
})

async function withPostern(env: Readonly<Record<string, string>>, run: (postern: RunningPostern) => Promise<void>, config = CONFIG): Promise<void> {
  const own = await startPostern({ config, env })
  try {
    await run(own)
  } finally {
    await own.stop()
  }
  expectQuiet(gathered, own)
}

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'postern-xentropy-'))
  mkdirSync(join(folder, 'store'))
  ;[api, project, stranger] = await Promise.all([startApi(), startGoTrue(), startGoTrue()])
  tokens = await mintTokens(project, stranger)
  gathered.secret(project.anonKey, ADMIN_TOKEN, 'pepper-of-xentropy-tests', 'correct horse', ...Object.values(tokens))
  postern = await startPostern({ config: CONFIG, env: environment() })
})
afterAll(async () => {
  await postern.stop()
  await Promise.all([api.close(), project.close(), stranger.close()])
  rmSync(folder, { recursive: true })
})

let hits = 0
beforeEach(() => {
  hits = api.seen.length
  project.forget()
})
const get = (path: string, headers: Ask['headers'] = {}, more: Ask = {}): Promise<Asked> => ask(postern.url, path, { headers, ...more }).then(gathered.answered)
const bearer = (token: string): Record<string, string> => ({ Authorization: `Bearer ${token}` })
const untouched = (): void => expect(api.seen.length).toBe(hits)
const wait = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

let clients = 0
/** Headers of a JSON request from an address that nobody used before. */
const fromSomewhere = (): Record<string, string> => ({ 'Content-Type': 'application/json', 'X-Forwarded-For': `203.0.113.${(clients += 1)}` })
const login = (body: unknown, headers: Record<string, string> = fromSomewhere(), path = PASSWORD_GRANT): Promise<Asked> => get(path, headers, { method: 'POST', body: typeof body === 'string' ? body : JSON.stringify(body) })
const tokenCalls = (): ReturnType<GoTrue['seen']> => project.seen('/auth/v1/token')

describe('xentropy tokens', () => {
  it('X1 refuses a request without a token, and names no error in the challenge', async () => {
    const answer = await get(CONTENT)
    expect([answer.status, answer.json]).toEqual([401, UNAUTHENTICATED])
    expect(answer.headers['www-authenticate']).toMatch(/^Bearer\b/)
    expect(answer.headers['www-authenticate']).not.toContain('error=')
    expect([answer.headers['cache-control'], answer.headers['content-type']?.split(';')[0]]).toEqual(['no-store', 'application/json'])
    untouched()
  })

  it('X2 X17 lets a login through without asking anybody, whatever the case of the scheme', async () => {
    expect((await get(CONTENT, bearer(tokens.ok))).status).toBe(200)
    expect(lastSeen(api)).toMatchObject({ 'x-auth-user-id': USER_ID, 'x-auth-method': 'session', authorization: `Bearer ${tokens.ok}` })
    expect((await get(CONTENT, { authorization: `bearer ${tokens.ok}` })).status).toBe(200)
    expect(project.seen('/auth/v1/user').length).toBe(0)
  })

  it('X2 fetches the key set once', async () => {
    project.forget()
    await withPostern(environment(), async ({ url }) => {
      const answers = await Promise.all(Array.from({ length: 10 }, () => ask(url, CONTENT, { headers: bearer(tokens.ok) })))
      expect(answers.every(({ status }) => status === 200)).toBe(true)
      expect(project.seen('/auth/v1/.well-known/jwks.json').length).toBe(1)
    })
  })

  it('X3 says when a token has expired', async () => {
    const answer = await get(CONTENT, bearer(tokens.expired))
    expect([answer.status, answer.json]).toEqual([401, { error: { code: 'TOKEN_EXPIRED', message: 'Token has expired' } }])
    expect(answer.headers['www-authenticate']).toMatch(/^Bearer error="invalid_token", error_description="The access token expired"/)
    untouched()
  })

  it.each(['none', 'confused', 'flipped', 'other', 'anon'] as const)('X4 refuses a token that is %s', async (kind) => {
    const answer = await get(CONTENT, bearer(tokens[kind]))
    expect([answer.status, answer.json]).toEqual([401, UNAUTHENTICATED])
    expect(answer.headers['www-authenticate']).toMatch(/^Bearer error="invalid_token"/)
    untouched()
  })

  it.each<readonly [string, Record<string, unknown>]>([
    ['an anonymous user', { is_anonymous: true }],
    ['a third-party client', { client_id: 'third-party' }],
    ['another audience', { aud: 'other' }],
    ['another role', { role: 'service_role' }],
    ['no subject', { sub: undefined }],
    ['a time to come', { nbf: Math.floor(Date.now() / 1_000) + 600 }],
  ])('refuses a token of %s', async (_title, claims) => {
    const token = await project.accessToken(project.accounts.byId(USER_ID)!, claims)
    const answer = await get(CONTENT, bearer(token))
    expect([answer.status, answer.json]).toEqual([401, UNAUTHENTICATED])
    untouched()
  })

  it.each([['Basic', 'Basic dXNlcjpwYXNz'], ['one word', 'xyz'], ['an unknown shape', 'Bearer not-a-token'], ['nothing', 'Bearer ']])('refuses an Authorization of %s', async (_title, value) => {
    const answer = await get(CONTENT, { Authorization: value })
    expect([answer.status, answer.json]).toEqual([401, UNAUTHENTICATED])
    expect(answer.headers['www-authenticate']).toMatch(/^Bearer/)
    untouched()
  })

  it('X5 asks the project about a token that is signed the old way', async () => {
    const old = await project.accessToken(project.accounts.byId(USER_ID)!, {}, 'HS256')
    gathered.secret(old)
    expect((await get(CONTENT, bearer(old))).status).toBe(200)
    expect(project.seen('/auth/v1/user').map(({ headers }) => [headers['apikey'], headers.authorization])).toEqual([[project.anonKey, `Bearer ${old}`]])
    const answer = await get(CONTENT, bearer(flip(old)))
    expect([answer.status, answer.json]).toEqual([401, UNAUTHENTICATED])
  })

  it('X6 refuses such a token when that is switched off', async () => {
    const file = join(folder, 'off.yaml')
    writeFileSync(file, readFileSync(CONFIG, 'utf8').replace('hs256: remote', 'hs256: off'))
    const old = await project.accessToken(project.accounts.byId(USER_ID)!, {}, 'HS256')
    await withPostern(environment(), async ({ url }) => {
      const answer = await ask(url, CONTENT, { headers: bearer(old) })
      expect([answer.status, answer.json]).toEqual([401, UNAUTHENTICATED])
      expect((await ask(url, CONTENT, { headers: bearer(tokens.ok) })).status).toBe(200)
    }, file)
    expect(project.seen('/auth/v1/user').length).toBe(0)
  })

  it('accepts the other asymmetric algorithm', async () => {
    const rsa = await startGoTrue({ algorithm: 'RS256' })
    const token = await rsa.accessToken(rsa.accounts.add({ id: USER_ID }))
    await withPostern({ ...environment(), SUPABASE_URL: rsa.url, SUPABASE_ANON_KEY: rsa.anonKey }, async ({ url }) => expect((await ask(url, CONTENT, { headers: bearer(token) })).status).toBe(200))
    await rsa.close()
  })

  it('answers 400 to two tokens, and to a second spelling of the header', async () => {
    const answer = await get(CONTENT, { Authorization: [`Bearer ${tokens.ok}`, `Bearer ${tokens.ok}`] })
    expect([answer.status, Object.keys(answer.json as object)]).toEqual([400, ['error']])
    untouched()
  })

  it('removes what a client claims to be, on every route', async () => {
    await get(CONTENT, { ...bearer(tokens.ok), 'X-Auth-User-Id': 'victim', X_Auth_Scopes: 'all', 'X-Auth-Anything': 'x' })
    expect(JSON.stringify(lastSeen(api))).not.toMatch(/victim|"all"|x-auth-anything/)
    await login({ email: 'nobody@example.com', password: 'x' }, { ...fromSomewhere(), 'X-Auth-User-Id': 'victim' })
    expect(tokenCalls()[0]?.headers).not.toHaveProperty('x-auth-user-id')
  })

  it('notices a logout before the token expires when recheck is switched on', async () => {
    const file = join(folder, 'recheck.yaml')
    writeFileSync(file, readFileSync(CONFIG, 'utf8').replace(/# recheck: 60s/, 'recheck: 1s'))
    await withPostern(environment(), async ({ url }) => {
      const account = project.accounts.add({ email: 'leaver@example.com' })
      const token = await project.accessToken(account)
      expect((await ask(url, CONTENT, { headers: bearer(token) })).status).toBe(200)
      project.accounts.logout(account.id, undefined, 'global')
      await wait(1_100)
      const answer = await ask(url, CONTENT, { headers: bearer(token) })
      expect([answer.status, answer.json]).toEqual([401, UNAUTHENTICATED])
    }, file)
  })
})

describe('xentropy grants', () => {
  it('X8 passes a sign-in on once, with the key and nothing of the client, and answers verbatim', async () => {
    const body = '{ "email":"dev@example.com",\n "password":"correct horse" }'
    const answer = await login(body, { ...fromSomewhere(), apikey: 'evil', Cookie: 'a=b', 'X-Client-Info': 'supabase-js' })
    expect(answer.status).toBe(200)
    expect(answer.json).toMatchObject({ token_type: 'bearer', expires_in: 3_600, user: { id: USER_ID } })
    expect(answer.headers['sb-auth-user-id']).toBe(USER_ID)
    expect(tokenCalls().length).toBe(1)
    const [call] = tokenCalls()
    expect([call?.query.toString(), call?.body, call?.headers['apikey'], call?.headers.cookie, call?.headers.authorization, call?.headers['x-client-info']]).toEqual(['grant_type=password', body, project.anonKey, undefined, undefined, 'supabase-js'])
    gathered.secret((answer.json as { access_token: string }).access_token, (answer.json as { refresh_token: string }).refresh_token)
  })

  it('X8 removes an Authorization that the client sends along', async () => {
    await login({ email: 'dev@example.com', password: 'correct horse' }, { ...fromSomewhere(), ...bearer(project.anonKey) })
    expect(tokenCalls().map(({ headers }) => headers.authorization)).toEqual([undefined])
  })

  it('takes JSON with a charset, and a body without a length', async () => {
    const answer = await login({ email: 'dev@example.com', password: 'correct horse' }, { ...fromSomewhere(), 'Content-Type': 'application/json; charset=utf-8', 'Transfer-Encoding': 'chunked' })
    expect([answer.status, tokenCalls().length, tokenCalls()[0]?.body]).toEqual([200, 1, '{"email":"dev@example.com","password":"correct horse"}'])
  })

  it('believes an address only from a trusted proxy', async () => {
    await withPostern({ ...environment(), TRUSTED_PROXIES: '' }, async ({ url }) => {
      const statuses = []
      for (let n = 0; n < 21; n += 1) statuses.push((await ask(url, PASSWORD_GRANT, { method: 'POST', headers: fromSomewhere(), body: JSON.stringify({ email: `somebody-${n}@example.com`, password: 'x' }) })).status)
      expect([statuses.filter((status) => status === 400).length, statuses[20]]).toEqual([20, 429])
    })
  })

  it('X9 refreshes, and never makes one call of two', async () => {
    const { json } = await login({ email: 'dev@example.com', password: 'correct horse' })
    const refresh = (json as { refresh_token: string }).refresh_token
    project.forget()
    const answers = await Promise.all([1, 2].map(() => login({ refresh_token: refresh }, fromSomewhere(), '/api/auth/v1/token?grant_type=refresh_token')))
    expect(answers.map(({ status }) => status)).toEqual([200, 200])
    expect(tokenCalls().length).toBe(2)
  })

  it('X11 passes on what the project says to a wrong password', async () => {
    const answer = await login({ email: 'dev@example.com', password: 'wrong' })
    expect([answer.status, answer.body]).toEqual([400, '{"code":400,"error_code":"invalid_credentials","msg":"Invalid login credentials"}'])
  })

  it('passes any answer on as it is, and asks once however it fails', async () => {
    for (const [status, text] of [[422, '{"a": 1 }'], [500, '<html>'], [429, '{"code":429}']] as const) {
      project.forget()
      project.fail('/auth/v1/token', (_request, response) => void response.writeHead(status, { 'content-type': 'application/x-own', 'retry-after': '9' }).end(text))
      const answer = await login({ email: 'dev@example.com', password: 'x' })
      expect([answer.status, answer.body, answer.headers['content-type'], answer.headers['retry-after'], tokenCalls().length]).toEqual([status, text, 'application/x-own', '9', 1])
    }
    project.forget()
    project.fail('/auth/v1/token', (request) => void request.socket.destroy())
    const answer = await login({ email: 'dev@example.com', password: 'x' })
    project.fail('/auth/v1/token', undefined)
    expect([answer.status, answer.json, tokenCalls().length]).toEqual([502, { error: { code: 'UPSTREAM_UNAVAILABLE', message: 'The service cannot be reached' } }, 1])
  })

  it.each([
    ['another grant', 'POST', '/api/auth/v1/token?grant_type=id_token'],
    ['the PKCE grant', 'POST', '/api/auth/v1/token?grant_type=pkce'],
    ['no grant', 'POST', '/api/auth/v1/token'],
    ['a grant in capitals', 'POST', '/api/auth/v1/token?grant_type=PASSWORD'],
    ['GET', 'GET', PASSWORD_GRANT],
    ['PUT', 'PUT', PASSWORD_GRANT],
    ['a slash at the end', 'POST', '/api/auth/v1/token/?grant_type=password'],
    ['signing up', 'POST', '/api/auth/v1/signup'],
    ['the user', 'GET', '/api/auth/v1/user'],
    ['the administration', 'GET', '/api/auth/v1/admin/users'],
    ['the root of Auth', 'GET', '/api/auth'],
    ['the path of the project', 'POST', '/auth/v1/token?grant_type=password'],
  ])('is no open door to the project: %s is 404', async (_title, method, path) => {
    const answer = await get(path, { ...fromSomewhere(), ...bearer(tokens.ok) }, { method, ...(method === 'GET' ? {} : { body: '{}' }) })
    expect([answer.status, answer.json]).toEqual([404, NOT_FOUND])
    expect(project.requests.length).toBe(0)
    untouched()
  })

  it.each(['grant_type=password&grant_type=id_token', 'grant_type=password&grant%5ftype=id_token', 'grant_type=password&Grant_Type=id_token'])('refuses %s, of which the project might read another one', async (query) => {
    const answer = await get(`/api/auth/v1/token?${query}`, { ...fromSomewhere(), ...bearer(tokens.ok) }, { method: 'POST', body: '{}' })
    expect([answer.status, (answer.json as { error: { code: string } }).error.code, project.requests.length]).toEqual([400, 'BAD_REQUEST', 0])
    untouched()
  })

  it.each([
    ['a form', { 'Content-Type': 'application/x-www-form-urlencoded' }, 'email=a&password=b'],
    ['no media type', { 'Content-Type': '' }, '{"email":"a","password":"b"}'],
    ['broken JSON', {}, '{"email":'],
    ['an e-mail twice', {}, '{"email":"a@example.com","email":"b@example.com","password":"x"}'],
  ])('refuses a sign-in body of %s', async (_title, headers, body) => {
    const answer = await login(body, { ...fromSomewhere(), ...headers })
    expect([answer.status, (answer.json as typeof NOT_FOUND).error.code]).toEqual([400, 'BAD_REQUEST'])
    expect(tokenCalls().length).toBe(0)
  })

  it('refuses a sign-in body of more than 16 KiB', async () => {
    const answer = await login({ email: 'a', password: 'x'.repeat(20_000) })
    expect([answer.status, tokenCalls().length]).toEqual([413, 0])
  })

  it('X10 refuses the 21st sign-in from one address, and says for how long', async () => {
    const client = fromSomewhere()
    const statuses = []
    for (let n = 0; n < 20; n += 1) statuses.push((await login({ email: `user-${n}@example.com`, password: 'x' }, client)).status)
    expect(new Set(statuses)).toEqual(new Set([400]))
    const answer = await login({ email: 'user-20@example.com', password: 'x' }, client)
    expect([answer.status, answer.json]).toEqual([429, RATE_LIMITED])
    const seconds = Number(answer.headers['retry-after'])
    expect(Number.isInteger(seconds) && seconds >= 1 && seconds <= 300).toBe(true)
    expect(tokenCalls().length).toBe(20)
    expect((await login({ email: 'user-21@example.com', password: 'x' })).status).toBe(400)
  })

  it('refuses the 11th sign-in to one account, from wherever and however it is spelled', async () => {
    const spelled = ['target@example.com', 'Target@Example.COM', ' target@example.com ']
    for (let n = 0; n < 10; n += 1) expect((await login({ email: spelled[n % 3], password: `guess-${n}` })).status).toBe(400)
    const answer = await login({ email: 'TARGET@example.com', password: 'guess' })
    expect([answer.status, answer.json]).toEqual([429, RATE_LIMITED])
    expect(Number(answer.headers['retry-after'])).toBeGreaterThan(300)
    expect(tokenCalls().length).toBe(10)
    gathered.secret('target@example.com', 'guess-1')
    expect((await login({ refresh_token: 'x' }, fromSomewhere(), '/api/auth/v1/token?grant_type=refresh_token')).status).toBe(400)
  })

  it('counts refreshes by address only', async () => {
    const client = fromSomewhere()
    for (let n = 0; n < 20; n += 1) await login({ refresh_token: `r-${n}` }, client, '/api/auth/v1/token?grant_type=refresh_token')
    expect((await login({ refresh_token: 'r' }, client, '/api/auth/v1/token?grant_type=refresh_token')).status).toBe(429)
  })
})

describe('xentropy personal access tokens', () => {
  it('X12 X13 lets one do what its scopes say', async () => {
    const { key } = await keys.create('--owner', 'user_1', '--scopes', 'content:read')
    expect(key).toMatch(/^xen_pat_[0-9A-Za-z]{49}$/)
    expect((await get(CONTENT, bearer(key))).status).toBe(200)
    expect(lastSeen(api)).toMatchObject({ 'x-auth-user-id': 'user_1', 'x-auth-method': 'pat', 'x-auth-scopes': 'content:read' })
    expect(lastSeen(api)).not.toHaveProperty('authorization')
    hits = api.seen.length
    const answer = await get(CONTENT, bearer(key), { method: 'POST', body: '{}' })
    expect([answer.status, answer.json]).toEqual([403, FORBIDDEN])
    expect(answer.headers['www-authenticate']).toMatch(/^Bearer error="insufficient_scope", scope="content:write"/)
    untouched()
    const both = await keys.create('--owner', 'user_1', '--scopes', 'content:read,content:write')
    expect((await get(CONTENT, bearer(both.key), { method: 'POST', body: '{}' })).status).toBe(200)
    expect(lastSeen(api)['x-auth-scopes']).toBe('content:read content:write')
  })

  it('X13 lets one without scopes do nothing, in either direction', async () => {
    const { key } = await keys.create('--owner', 'user_1')
    for (const method of ['GET', 'HEAD', 'POST', 'DELETE']) expect((await get(CONTENT, bearer(key), { method })).status).toBe(403)
    untouched()
  })

  it('say nothing of scopes to the API for a login', async () => {
    await get(CONTENT, { ...bearer(tokens.ok), 'X-Auth-Scopes': 'content:write' })
    expect(lastSeen(api)).not.toHaveProperty('x-auth-scopes')
  })

  it('X14 refuses one that does not exist, is mistyped or has expired', async () => {
    const { key } = await keys.create('--owner', 'user_1', '--scopes', 'content:read', '--expires', '1s')
    expect((await get(CONTENT, bearer(key))).status).toBe(200)
    const mistyped = `${key.slice(0, -1)}${key.endsWith('a') ? 'b' : 'a'}`
    for (const wrong of [mistyped, 'xen_pat_', `xen_pat_${'a'.repeat(49)}`]) {
      const answer = await get(CONTENT, bearer(wrong))
      expect([answer.status, answer.json]).toEqual([401, UNAUTHENTICATED])
      expect(answer.headers['www-authenticate']).toMatch(/^Bearer error="invalid_token"/)
    }
    await wait(1_100)
    const answer = await get(CONTENT, bearer(key))
    expect([answer.status, answer.json]).toEqual([401, { error: { code: 'TOKEN_EXPIRED', message: 'Token has expired' } }])
  })

  it('X15 refuses one within a second of its end', async () => {
    const { id, key } = await keys.create('--owner', 'user_1', '--scopes', 'content:read')
    expect((await get(CONTENT, bearer(key))).status).toBe(200)
    await keys.revoke(id)
    await wait(1_000)
    const answer = await get(CONTENT, bearer(key))
    expect([answer.status, answer.json]).toEqual([401, UNAUTHENTICATED])
    const { items, text } = await keys.list()
    expect(items.find((item) => item['id'] === id)).toMatchObject({ state: 'revoked' })
    expect([...gathered.secrets].filter((secret) => text.includes(secret))).toEqual([])
  })

  it('X16 refuses one whose owner is suspended with FORBIDDEN', async () => {
    const { key } = await keys.create('--owner', 'user_2', '--scopes', 'content:read', '--status', 'suspended')
    const answer = await get(CONTENT, bearer(key))
    expect([answer.status, answer.json]).toEqual([403, FORBIDDEN])
    untouched()
  })

  it('are managed over the admin API', async () => {
    const made = await admin(postern, ADMIN_TOKEN, ['POST', '/v1/keys', { owner: 'user_3', scopes: ['content:read'], name: 'ci', expires: '90d' }])
    expect(made.status).toBe(201)
    const key = String(made.body['key'])
    gathered.secret(key)
    expect((await get(CONTENT, bearer(key))).status).toBe(200)
    const shown = await admin(postern, ADMIN_TOKEN, ['GET', `/v1/keys/${made.body['id']}`])
    expect([shown.status, shown.text.includes(key), shown.body['owner']]).toEqual([200, false, 'user_3'])
    expect((await admin(postern, ADMIN_TOKEN, ['DELETE', `/v1/keys/${made.body['id']}`])).status).toBe(204)
    await wait(1_000)
    expect((await get(CONTENT, bearer(key))).status).toBe(401)
    expect((await admin(postern, 'wrong-token', ['GET', '/v1/keys'])).status).toBe(401)
  })
})

describe('xentropy limits', () => {
  it('count per caller over reading and writing, and say so', async () => {
    await withPostern({ ...environment(), API_PER_MINUTE: '4' }, async ({ url }) => {
      const call = (method: string, token: string): Promise<Asked> => ask(url, CONTENT, { method, headers: bearer(token) })
      const answers = [await call('GET', tokens.ok), await call('POST', tokens.ok), await call('GET', tokens.ok), await call('GET', tokens.ok), await call('POST', tokens.ok)]
      expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200, 429])
      expect(answers[4]?.json).toEqual(RATE_LIMITED)
      expect(answers[0]?.headers['ratelimit-policy']).toBe('"api";q=4;w=60')
      expect(answers[0]?.headers['ratelimit']).toMatch(/^"api";r=3;t=(60|59)$/)
      expect(Number(answers[4]?.headers['retry-after'])).toBeGreaterThanOrEqual(1)
      const other = await project.accessToken(project.accounts.add({ email: 'other@example.com' }))
      expect((await call('GET', other)).status).toBe(200)
    })
  })
})

describe('the MCP route of xentropy', () => {
  const METADATA = 'https://api.xentropy.ai/.well-known/oauth-protected-resource/mcp'

  it.each(['/.well-known/oauth-protected-resource/mcp', '/.well-known/oauth-protected-resource'])('is described at %s, to any page and without a token', async (path) => {
    const answer = await get(path, { Origin: 'https://inspector.example' })
    expect([answer.status, answer.headers['access-control-allow-origin'], answer.headers['content-type']]).toEqual([200, '*', 'application/json'])
    expect(answer.json).toEqual({ resource: 'https://api.xentropy.ai/mcp', authorization_servers: [project.issuer], bearer_methods_supported: ['header'] })
    untouched()
  })

  it.each(['/mcp', '/mcp/sse'])('names that description when %s is asked without a token', async (path) => {
    const answer = await get(path, { Origin: 'https://inspector.example' }, { method: 'POST', body: '{}' })
    expect([answer.status, answer.json]).toEqual([401, UNAUTHENTICATED])
    expect(answer.headers['www-authenticate']).toMatch(/^Bearer /)
    expect(answer.headers['www-authenticate']).toContain(`resource_metadata="${METADATA}"`)
    expect(answer.headers['www-authenticate']).not.toContain('error=')
    expect(answer.headers['access-control-allow-origin']).toBe('*')
    expect(answer.headers['access-control-expose-headers']?.toLowerCase()).toContain('www-authenticate')
    untouched()
  })

  it('names it to a wrong token too', async () => {
    const answer = await get('/mcp', bearer(tokens.flipped))
    expect(answer.status).toBe(401)
    expect(answer.headers['www-authenticate']).toContain('error="invalid_token"')
    expect(answer.headers['www-authenticate']).toContain(`resource_metadata="${METADATA}"`)
  })

  it('takes logins and personal access tokens, and keeps both to itself', async () => {
    const { key } = await keys.create('--owner', 'agent_1')
    for (const [token, user] of [[tokens.ok, USER_ID], [key, 'agent_1']] as const) {
      expect((await get('/mcp', bearer(token), { method: 'POST', body: '{}' })).status).toBe(200)
      expect(lastSeen(api)['x-auth-user-id']).toBe(user)
      // What serves a model must not be able to speak to other services in the user's name.
      expect(lastSeen(api)).not.toHaveProperty('authorization')
    }
  })

  it('answers preflights', async () => {
    const answer = await get('/mcp', { Origin: 'https://inspector.example', 'Access-Control-Request-Method': 'POST', 'Access-Control-Request-Headers': 'authorization,mcp-session-id' }, { method: 'OPTIONS' })
    expect([answer.status, answer.headers['access-control-allow-origin']]).toEqual([204, '*'])
    expect(answer.headers['access-control-allow-headers']?.toLowerCase()).toContain('mcp-session-id')
    untouched()
  })
})

describe('xentropy over plain HTTP', () => {
  it('is refused by default, unless a trusted proxy says that it was HTTPS', async () => {
    const { REQUIRE_HTTPS: _off, ...env } = environment()
    const refused = [403, { error: { code: 'HTTPS_REQUIRED', message: 'HTTPS is required' } }]
    await withPostern(env, async ({ url }) => {
      const plain = await ask(url, CONTENT, { headers: bearer(tokens.ok) })
      expect([plain.status, plain.json]).toEqual(refused)
      expect((await ask(url, PASSWORD_GRANT, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: '{}' })).status).toBe(403)
      untouched()
      expect((await ask(url, CONTENT, { headers: { ...bearer(tokens.ok), 'X-Forwarded-Proto': 'https' } })).status).toBe(200)
    })
    await withPostern({ ...env, TRUSTED_PROXIES: '' }, async ({ url }) => {
      const claimed = await ask(url, CONTENT, { headers: { ...bearer(tokens.ok), 'X-Forwarded-Proto': 'https' } })
      expect([claimed.status, claimed.json]).toEqual(refused)
    })
  })
})

describe('xentropy with half of its environment', () => {
  it.each([
    ['a key store without a pepper', { KEY_PEPPER: '' }, 'pepper'],
    ['a pepper without a key store', { KEY_STORE: '' }, 'store'],
    ['no project', { SUPABASE_URL: '' }, 'SUPABASE_URL'],
  ])('does not start with %s', async (_title, more, named) => {
    const { code, stderr } = await runPostern(['run', '--config', CONFIG], { LISTEN: '127.0.0.1:0', OPS_LISTEN: '127.0.0.1:0', ADMIN_LISTEN: '127.0.0.1:0', ...environment(), ...more })
    expect(code).toBe(78)
    expect(stderr).toContain(named)
  })

  it('works without keys of its own, and says that they are off', async () => {
    const { KEY_STORE: _store, KEY_PEPPER: _pepper, ADMIN_TOKEN: _token, ...env } = environment()
    await withPostern(env, async (own) => {
      expect((await ask(own.url, CONTENT, { headers: bearer(tokens.ok) })).status).toBe(200)
      expect((await ask(own.url, CONTENT, { headers: bearer(`xen_pat_${'a'.repeat(49)}`) })).json).toEqual(UNAUTHENTICATED)
      expect(own.output()).toMatch(/pat/)
      await expect(fetch(`${own.adminUrl}/v1/keys`)).rejects.toThrow()
    })
  })
})

describe('xentropy while something is away', () => {
  it('answers in its own shape', async () => {
    const upstream = await startAnswering(raw(403, '{"error":{"code":"FORBIDDEN","message":"mine"}}'))
    await withPostern({ ...environment(), UPSTREAM_URL: upstream.url }, async ({ url }) => {
      expect((await ask(url, CONTENT, { headers: bearer(tokens.ok) })).body).toBe('{"error":{"code":"FORBIDDEN","message":"mine"}}')
      await upstream.close()
      const down = await ask(url, CONTENT, { headers: bearer(tokens.ok) })
      expect([down.status, down.json]).toEqual([502, { error: { code: 'UPSTREAM_UNAVAILABLE', message: 'The service cannot be reached' } }])
      project.fail('/auth/v1/user', (_request, response) => void response.writeHead(500).end())
      const old = await project.accessToken(project.accounts.byId(USER_ID)!, {}, 'HS256')
      const unchecked = await ask(url, CONTENT, { headers: bearer(old) })
      project.fail('/auth/v1/user', undefined)
      expect([unchecked.status, unchecked.json, unchecked.headers['retry-after'] !== undefined]).toEqual([503, { error: { code: 'UNAVAILABLE', message: 'Try again later' } }, true])
    })
  })
})

describe('xentropy at the end', () => {
  it('said no secret to anybody', () => expectNoLeaks(gathered, postern, join(folder, 'store')))
})
