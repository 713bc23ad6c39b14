import { mkdtempSync, rmSync } from 'node:fs'
import { request as httpRequest } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createClient, type SupabaseClient } from '@supabase/supabase-js'
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { startFunctionsApi, type FunctionsApi } from '../support/functions-api.ts'
import { startGoTrue, type GoTrue } from '../support/gotrue.ts'
import { runPostern, startPostern, type RunningPostern } from '../support/running-postern.ts'
import { secretsFoundIn } from '../support/secret-search.ts'
import { ask, mintTokens, USER_ID, type Ask, type Asked, type Tokens } from './asking.ts'

const CONFIG = 'config/myweave.yaml'
const CHAT = '/functions/v1/chat'
const NO_KEY = { error: 'Unauthorized', message: 'Missing API key' }
const BAD_KEY = { error: 'Unauthorized', message: 'Invalid API key' }
const BAD_TOKEN = { error: 'Unauthorized', message: 'Invalid or expired token' }
const FORBIDDEN = { error: 'Forbidden', message: 'Insufficient permissions' }
const NO_APIKEY = { message: 'No API key found in request', hint: 'No `apikey` request header or url param was found.' }
const BAD_APIKEY = { message: 'Invalid API key', hint: 'Double check your Supabase `anon` or `service_role` API key.' }
const CORS_LIST = 'authorization, x-client-info, apikey, content-type'
const PEPPER = 'pepper-of-the-myweave-suite'
const ADMIN_TOKEN = 'admin-token-of-the-myweave-suite'
const PASSWORD = 'correct-horse-battery-staple'

let functions: FunctionsApi
let project: GoTrue
let stranger: GoTrue
let tokens: Tokens
let folder: string
let postern: RunningPostern
let key: string
let keyId: string
const refusals: string[] = []
const secrets = [PEPPER, ADMIN_TOKEN, PASSWORD, 'correct-horse-wrong']

const basics = (): Record<string, string> => ({ SUPABASE_URL: project.url, SUPABASE_ANON_KEY: project.anonKey, UPSTREAM_URL: functions.url, KEY_STORE: join(folder, 'keys.db'), KEY_PEPPER: PEPPER, ADMIN_TOKEN, TRUSTED_PROXIES: '127.0.0.1/32' })

async function createKey(on: RunningPostern, ...more: string[]): Promise<{ id: string; key: string }> {
  const { stdout, stderr } = await on.command('keys', 'create', '--config', CONFIG, '--owner', 'app-1', ...more, '--json')
  if (stdout === '') throw new Error(stderr)
  const made = JSON.parse(stdout) as { id: string; key: string }
  secrets.push(made.key)
  return made
}

beforeAll(async () => {
  ;[functions, project, stranger] = await Promise.all([startFunctionsApi(), startGoTrue(), startGoTrue()])
  tokens = await mintTokens(project, stranger)
  project.accounts.add({ email: 'ada@example.com', password: PASSWORD })
  folder = mkdtempSync(join(tmpdir(), 'postern-myweave-'))
  postern = await startPostern({ config: CONFIG, env: { ...basics(), PER_MINUTE: '500' } })
  ;({ id: keyId, key } = await createKey(postern, '--name', 'pilot of the suite'))
  secrets.push(...Object.values(tokens).filter((token) => token !== project.anonKey))
  await vi.waitFor(async () => expect((await chat({ 'X-API-Key': key })).status).toBe(200))
})
afterAll(async () => {
  await postern.stop()
  await Promise.all([functions.close(), project.close(), stranger.close()])
  rmSync(folder, { recursive: true })
})

let hits = 0
beforeEach(() => {
  hits = functions.seen.length
  project.forget()
})
const untouched = (): void => expect(functions.seen.length).toBe(hits)
const lastSeen = () => functions.seen.at(-1)?.headers ?? {}

let address = 0
/** Every request of a client of its own, unless it says who it is: log-ins are counted per address. */
const someone = (): string => `203.0.113.${(address = (address + 1) % 250)}`

async function send(on: RunningPostern, path: string, { headers = {}, method = 'POST', body = '{"message":"Hello"}' }: Ask = {}): Promise<Asked> {
  const withBody = method === 'POST' ? { body } : {}
  const answer = await ask(on.url, path, { method, headers: { 'X-Forwarded-Proto': 'https', 'X-Forwarded-For': someone(), ...(method === 'POST' ? { 'Content-Type': 'application/json' } : {}), ...headers }, ...withBody })
  if (answer.status >= 400) refusals.push(`${JSON.stringify(answer.headers)}${answer.body}`)
  return answer
}
const chat = (headers: Ask['headers'] = {}, body?: string): Promise<Asked> => send(postern, CHAT, { headers, ...(body === undefined ? {} : { body }) })
const grant = (type: string, body: unknown, headers: Ask['headers'] = { apikey: project.anonKey }): Promise<Asked> => send(postern, `/auth/v1/token?grant_type=${type}`, { headers, body: JSON.stringify(body) })
const bearer = (token: string): Record<string, string> => ({ Authorization: `Bearer ${token}` })

async function withPostern(env: Record<string, string>, run: (other: RunningPostern) => Promise<void>): Promise<void> {
  const other = await startPostern({ config: CONFIG, env: { ...basics(), ...env } })
  try {
    await run(other)
    expect(await secretsFoundIn({ postern: other }, secrets)).toEqual([])
  } finally {
    // Nothing is under way, so there is nothing to drain.
    other.child.kill('SIGKILL')
    await other.stop()
  }
}

describe('myWeave: key and token', () => {
  it('W1 refuses a call without a key, in a form that browsers may read', async () => {
    const answer = await chat()
    expect([answer.status, answer.json]).toEqual([401, NO_KEY])
    expect(answer.headers).toMatchObject({ 'access-control-allow-origin': '*', 'cache-control': 'no-store' })
    expect(answer.headers['www-authenticate']).toMatch(/^\w+/)
    untouched()
  })

  it('W2 takes a key alone as an application: nobody is logged in, and the key stays here', async () => {
    const before = Math.floor(Date.now() / 1_000)
    await withPostern({ KEY_STORE: join(folder, 'fresh.db') }, async (other) => {
      const fresh = await createKey(other)
      const answer = await send(other, CHAT, { headers: { 'X-API-Key': fresh.key, 'X-Auth-User-Id': 'victim', 'X-Auth-Authenticated': 'true' } })
      expect(answer.status).toBe(200)
      expect(answer.headers).toMatchObject({ 'x-ratelimit-limit': '60', 'x-ratelimit-remaining': '59', 'access-control-allow-origin': '*' })
      expect(Number(answer.headers['x-ratelimit-reset'])).toBeGreaterThanOrEqual(before)
      expect(Number(answer.headers['x-ratelimit-reset'])).toBeLessThanOrEqual(Math.ceil(Date.now() / 1_000) + 60)
      expect(answer.headers['access-control-allow-credentials']).toBeUndefined()
      expect(lastSeen()).toMatchObject({ 'x-auth-authenticated': 'false', 'x-auth-client-id': fresh.id })
      expect(Object.keys(lastSeen())).not.toContain('x-api-key')
      expect(Object.keys(lastSeen())).not.toContain('x-auth-user-id')
    })
  })

  it('W3 takes a key and a token as this user of this application, and leaves the token to the function', async () => {
    expect((await chat({ 'X-API-Key': key, ...bearer(tokens.ok) })).status).toBe(200)
    expect(lastSeen()).toMatchObject({ 'x-auth-user-id': USER_ID, 'x-auth-authenticated': 'true', 'x-auth-client-id': keyId, authorization: `Bearer ${tokens.ok}` })
    expect(lastSeen()['x-api-key']).toBeUndefined()
    expect(project.seen('/auth/v1/user')).toEqual([])
  })

  it('W4 refuses a token without a key', async () => {
    const answer = await chat(bearer(tokens.ok))
    expect([answer.status, answer.json]).toEqual([401, NO_KEY])
    untouched()
  })

  it.each(['expired', 'other', 'none', 'confused', 'flipped'] as const)('W5 refuses a good key with a token that is %s, and never treats it as nobody', async (kind) => {
    const answer = await chat({ 'X-API-Key': key, ...bearer(tokens[kind]) })
    expect([answer.status, answer.json]).toEqual([401, BAD_TOKEN])
    expect(answer.headers['access-control-allow-origin']).toBe('*')
    untouched()
  })

  it.each([['text that is no token', 'Bearer nonsense'], ['another scheme', 'Basic dXNlcjpwYXNz'], ['a bearer that a script wrote', 'Bearer null']])('refuses a good key with %s in Authorization', async (_what, value) => {
    expect((await chat({ 'X-API-Key': key, Authorization: value })).status).toBe(401)
    untouched()
  })

  it('refuses the service key in the place of a user', async () => {
    const service = await project.sign({ iss: 'supabase', ref: 'abcdefgh', role: 'service_role', iat: 1_700_000_000, exp: 2_015_360_000 }, { algorithm: 'HS256' })
    secrets.push(service)
    expect((await chat({ 'X-API-Key': key, ...bearer(service) })).json).toEqual(BAD_TOKEN)
    untouched()
  })

  it('ignores the anon key in Authorization, where client libraries put it while nobody is logged in', async () => {
    expect((await chat({ 'X-API-Key': key, ...bearer(project.anonKey) })).status).toBe(200)
    expect(lastSeen()['x-auth-authenticated']).toBe('false')
    expect(lastSeen()['x-auth-user-id']).toBeUndefined()
    expect((await chat(bearer(project.anonKey))).json).toEqual(NO_KEY)
  })

  it('asks the project about a token that only its shared secret can prove, once', async () => {
    const account = project.accounts.byId(USER_ID)!
    const token = await project.accessToken(account, {}, 'HS256')
    secrets.push(token)
    for (let n = 0; n < 2; n += 1) expect((await chat({ 'X-API-Key': key, ...bearer(token) })).status).toBe(200)
    expect(lastSeen()['x-auth-user-id']).toBe(USER_ID)
    expect(project.seen('/auth/v1/user').map(({ headers }) => headers['apikey'])).toEqual([project.anonKey])
  })

  it.each([['bearer '], ['BEARER '], ['']])('takes the token after %j', async (scheme) => {
    expect((await chat({ 'X-API-Key': key, Authorization: `${scheme}${tokens.ok}` })).status).toBe(200)
    expect(lastSeen()['x-auth-user-id']).toBe(USER_ID)
    expect((await chat({ 'X-API-Key': key, Authorization: `${scheme}${tokens.expired}` })).json).toEqual(BAD_TOKEN)
  })

  it.each([['x-api-key'], ['X-Api-Key']])('takes the key header as %s', async (name) => {
    expect((await chat({ [name]: key })).status).toBe(200)
  })

  it.each([
    ['a key of another form', 'nonsense'],
    ['a key with a typing error', () => `${key.slice(0, -1)}${key.endsWith('a') ? 'b' : 'a'}`],
    ['the anon key', () => project.anonKey],
    ['an empty key', ''],
  ])('W14 refuses %s', async (_what, value) => {
    const answer = await chat({ 'X-API-Key': typeof value === 'string' ? value : value() })
    expect([answer.status, answer.json]).toEqual([401, value === '' ? answer.json : BAD_KEY])
    untouched()
  })

  it.each([['X-API-Key'], ['Authorization']])('refuses two lines of %s with 400', async (name) => {
    expect((await chat({ 'X-API-Key': key, [name]: [name === 'Authorization' ? `Bearer ${tokens.ok}` : key, 'other'] })).status).toBe(400)
    untouched()
  })

  it('W14 refuses a revoked key within a second, and a key that had an end after it', async () => {
    const revoked = await createKey(postern, '--name', 'to be revoked')
    const brief = await createKey(postern, '--expires', '1s')
    await expect.poll(async () => (await chat({ 'X-API-Key': revoked.key })).status).toBe(200)
    expect((await postern.command('keys', 'revoke', revoked.id, '--config', CONFIG)).code).toBe(0)
    await expect.poll(async () => (await chat({ 'X-API-Key': revoked.key })).json, { timeout: 1_500 }).toEqual(BAD_KEY)
    await expect.poll(async () => (await chat({ 'X-API-Key': brief.key })).json, { timeout: 2_500 }).toEqual(BAD_KEY)
  })

  it('issues keys without an end unless one is given, with a note and an owner', async () => {
    const listed = await postern.command('keys', 'list', '--config', CONFIG, '--json')
    const text = listed.stdout
    expect(text).toContain('pilot of the suite')
    expect(text).toContain('app-1')
    expect(text).not.toContain(key)
    const { items } = JSON.parse(text) as { items: { id: string; expires_at?: string }[] }
    expect(items.find(({ id }) => id === keyId)?.expires_at ?? null).toBeNull()
  })

  it('says 503 while the project cannot be asked about a token, and goes on serving keys', async () => {
    project.fail('/auth/v1/user', (_request, response) => void response.writeHead(500).end())
    const token = await project.accessToken(project.accounts.byId(USER_ID)!, {}, 'HS256')
    secrets.push(token)
    const answer = await chat({ 'X-API-Key': key, ...bearer(token) })
    expect([answer.status, answer.headers['access-control-allow-origin']]).toEqual([503, '*'])
    untouched()
    expect((await chat({ 'X-API-Key': key })).status).toBe(200)
    project.fail('/auth/v1/user', undefined)
  })
})

describe('myWeave: grants', () => {
  it('W7 hands a log-in through as it is, with the public key and without an API key', async () => {
    const answer = await grant('password', { email: 'ada@example.com', password: PASSWORD }, { apikey: project.anonKey, ...bearer('to-be-dropped'), Cookie: 'a=b', 'X-API-Key': key })
    expect(answer.status).toBe(200)
    expect(answer.json).toMatchObject({ token_type: 'bearer', expires_in: 3_600, user: { email: 'ada@example.com' } })
    const { access_token: access, refresh_token: refresh } = answer.json as { access_token: string; refresh_token: string }
    secrets.push(access, refresh)
    expect(answer.headers['sb-auth-user-id']).toBeDefined()
    expect(answer.headers['access-control-allow-origin']).toBe('*')
    const [seen, ...more] = project.seen('/auth/v1/token')
    expect(more).toEqual([])
    expect(seen?.headers).toMatchObject({ apikey: project.anonKey })
    for (const name of ['authorization', 'cookie', 'x-api-key']) expect(seen?.headers[name], name).toBeUndefined()
    expect(JSON.parse(seen?.body ?? '')).toEqual({ email: 'ada@example.com', password: PASSWORD })
    expect((await chat({ 'X-API-Key': key, ...bearer(access) })).status).toBe(200)
  })

  it('hands the refusal of the project through as it is', async () => {
    const answer = await grant('password', { email: 'ada@example.com', password: 'correct-horse-wrong' })
    expect([answer.status, answer.json]).toEqual([400, { code: 400, error_code: 'invalid_credentials', msg: 'Invalid login credentials' }])
    expect(answer.headers['x-sb-error-code']).toBe('invalid_credentials')
  })

  it('W9 sends two refreshes at once as two, and none again when the project breaks off', async () => {
    const { refresh_token: token } = (await grant('password', { email: 'ada@example.com', password: PASSWORD })).json as { refresh_token: string }
    secrets.push(token)
    project.forget()
    const both = await Promise.all([grant('refresh_token', { refresh_token: token }), grant('refresh_token', { refresh_token: token })])
    expect(both.map(({ status }) => status)).toEqual([200, 200])
    expect(project.seen('/auth/v1/token')).toHaveLength(2)
    for (const { json } of both) secrets.push((json as { refresh_token: string }).refresh_token)
    project.forget()
    project.fail('/auth/v1/token', (request) => void request.socket.destroy())
    const broken = await grant('refresh_token', { refresh_token: token })
    project.fail('/auth/v1/token', undefined)
    expect(broken.status).toBe(502)
    expect(project.seen('/auth/v1/token')).toHaveLength(1)
  })

  it.each([
    ['no apikey', {}, NO_APIKEY],
    ['a wrong apikey', { apikey: 'sb_publishable_wrong' }, BAD_APIKEY],
    ['only an API key', () => ({ 'X-API-Key': key }), NO_APIKEY],
  ])('refuses %s in the words of the platform', async (_what, headers, body) => {
    const answer = await grant('password', { email: 'ada@example.com', password: PASSWORD }, typeof headers === 'function' ? headers() : headers)
    expect([answer.status, answer.json]).toEqual([401, body])
    expect(answer.headers['www-authenticate']).toMatch(/^\w+/)
    expect(answer.headers['access-control-allow-origin']).toBe('*')
    expect(project.requests).toEqual([])
  })

  it.each([
    ['POST', '/auth/v1/token?grant_type=id_token'],
    ['POST', '/auth/v1/token?grant_type=pkce'],
    ['POST', '/auth/v1/token?grant_type=web3'],
    ['POST', '/auth/v1/token?grant_type=PASSWORD'],
    ['POST', '/auth/v1/token'],
    ['POST', '/auth/v1/token/?grant_type=password'],
    ['POST', '/auth/v1/token?grant_type=password&grant_type=pkce'],
    ['POST', '/auth/v1/token?grant_type=pkce&grant_type=password'],
    ['GET', '/auth/v1/token?grant_type=password'],
    ['GET', '/auth/v1/admin/users'],
    ['POST', '/auth/v1/signup'],
    ['GET', '/auth/v1/user'],
    ['GET', '/rest/v1/threads'],
    ['GET', '/'],
  ])('W17 has nothing at %s %s', async (method, path) => {
    const answer = await send(postern, path, { method, headers: { apikey: project.anonKey, 'X-API-Key': key }, ...(method === 'POST' ? { body: JSON.stringify({ email: 'ada@example.com', password: PASSWORD }) } : {}) })
    expect([400, 404, 405]).toContain(answer.status)
    if (!path.includes('&') && !path.includes('token?grant_type=password')) expect(answer.status).toBe(404)
    expect(project.requests).toEqual([])
    untouched()
  })

  it('refuses a log-in whose body could be read in two ways, or is none', async () => {
    const headers = { apikey: project.anonKey }
    const path = '/auth/v1/token?grant_type=password'
    for (const body of ['{"email":"a@example.com","email":"ada@example.com"}', 'email=a', '{']) expect((await send(postern, path, { headers, body })).status, body).toBe(400)
    expect((await send(postern, path, { headers, body: JSON.stringify({ email: 'x'.repeat(20_000) }) })).status).toBe(413)
    expect(project.requests).toEqual([])
  })

  it('counts log-ins per account, whatever the address and the case, and refreshes not at all there', async () => {
    const attempt = (n: number): Promise<Asked> => grant('password', { email: n % 2 ? 'Grace@Example.com' : 'grace@example.com', password: 'correct-horse-wrong' })
    for (let n = 0; n < 10; n += 1) expect((await attempt(n)).status).toBe(400)
    const refused = await attempt(10)
    expect(refused.status).toBe(429)
    expect(refused.json).toEqual({ error: 'Rate limit exceeded', message: 'Too many requests. Please try again later.', retryAfter: Number(refused.headers['retry-after']) })
    expect(project.seen('/auth/v1/token')).toHaveLength(10)
    expect((await grant('password', { email: 'ada@example.com', password: PASSWORD })).status).toBe(200)
    expect(postern.output()).not.toMatch(/grace@example/i)
  })

  it('counts log-ins and refreshes per address', async () => {
    const headers = { apikey: project.anonKey, 'X-Forwarded-For': '198.51.100.7' }
    for (let n = 0; n < 30; n += 1) await grant('refresh_token', { refresh_token: 'nothing' }, headers)
    expect((await grant('refresh_token', { refresh_token: 'nothing' }, headers)).status).toBe(429)
    expect(project.seen('/auth/v1/token')).toHaveLength(30)
  })
})

describe('myWeave: limits', () => {
  /** Another store per test, since counters go by the id of the key. */
  const limited = async (env: Record<string, string>, run: (call: (headers?: Ask['headers']) => Promise<Asked>, other: RunningPostern) => Promise<void>): Promise<void> => {
    const store = join(folder, `limits-${Object.values(env).join('-')}.db`)
    await withPostern({ ...env, KEY_STORE: store }, async (other) => {
      const made = await createKey(other)
      await run((headers = {}) => send(other, CHAT, { headers: { 'X-API-Key': made.key, ...headers } }), other)
    })
  }

  it('W10 refuses the 61st call of a minute exactly as documented', async () => {
    await limited({}, async (call) => {
      const remaining: number[] = []
      for (let n = 0; n < 60; n += 1) remaining.push(Number((await call()).headers['x-ratelimit-remaining']))
      expect(remaining).toEqual(Array.from({ length: 60 }, (_each, n) => 59 - n))
      const refused = await call()
      const after = Number(refused.headers['retry-after'])
      expect([refused.status, refused.json]).toEqual([429, { error: 'Rate limit exceeded', message: 'Too many requests. Please try again later.', retryAfter: after }])
      expect(after).toBeGreaterThanOrEqual(1)
      expect(after).toBeLessThanOrEqual(60)
      expect(refused.headers).toMatchObject({ 'x-ratelimit-limit': '60', 'x-ratelimit-remaining': '0', 'access-control-allow-origin': '*', 'cache-control': 'no-store' })
    })
  })

  it.each([
    ['hour', { PER_MINUTE: '50', PER_HOUR: '3', PER_DAY: '40' }, 3, 3_600],
    ['day', { PER_MINUTE: '50', PER_HOUR: '40', PER_DAY: '3' }, 3, 86_400],
    ['minute', { PER_MINUTE: '3', PER_HOUR: '40', PER_DAY: '50' }, 3, 60],
  ])('holds all three windows at once: the %s ends first', async (_window, env, limit, longest) => {
    await limited(env, async (call) => {
      for (let n = 0; n < limit; n += 1) expect((await call()).status).toBe(200)
      const refused = await call()
      const { retryAfter } = refused.json as { retryAfter: number }
      expect([refused.status, String(retryAfter)]).toEqual([429, refused.headers['retry-after']])
      expect(retryAfter).toBeLessThanOrEqual(longest)
      expect(retryAfter).toBeGreaterThan(longest - 30)
      // A refused call is not spent from the windows that had room.
      const left = Number(refused.headers['x-ratelimit-remaining'])
      expect(refused.headers['x-ratelimit-limit']).toBe(env.PER_MINUTE)
      expect(left).toBe(Number(env.PER_MINUTE) - limit)
      expect(refused.headers['ratelimit-policy']).toMatch(/"minute";q=\d+;w=60.*"hour";q=\d+;w=3600.*"day";q=\d+;w=86400/)
      expect(refused.headers['ratelimit']).toMatch(/"minute".*"hour".*"day"/)
    })
  })

  it('counts per key, with and without a user, and neither preflights nor refusals', async () => {
    await limited({ PER_MINUTE: '2' }, async (call, other) => {
      for (let n = 0; n < 4; n += 1) {
        await ask(other.url, CHAT, { method: 'OPTIONS', headers: { Origin: 'https://app.example', 'Access-Control-Request-Method': 'POST', 'X-Forwarded-Proto': 'https' } })
        expect((await call(bearer(tokens.expired))).status).toBe(401)
      }
      expect((await call(bearer(tokens.ok))).headers['x-ratelimit-remaining']).toBe('1')
      expect((await call()).headers['x-ratelimit-remaining']).toBe('0')
      expect((await call()).status).toBe(429)
      const second = await createKey(other)
      expect((await send(other, CHAT, { headers: { 'X-API-Key': second.key } })).status).toBe(200)
    })
  })
})

describe('myWeave: browsers', () => {
  it('W12 answers a preflight without a credential, exactly as documented', async () => {
    const answer = await ask(postern.url, CHAT, { method: 'OPTIONS', headers: { Origin: 'https://app.example', 'Access-Control-Request-Method': 'POST', 'Access-Control-Request-Headers': 'authorization,content-type', 'X-Forwarded-Proto': 'https' } })
    expect([answer.status, answer.body]).toEqual([204, ''])
    expect(answer.headers).toMatchObject({ 'access-control-allow-origin': '*', 'access-control-allow-headers': CORS_LIST })
    expect(answer.headers['access-control-allow-methods']).toMatch(/POST/)
    expect(answer.headers['access-control-allow-credentials']).toBeUndefined()
    untouched()
  })

  it('answers the preflight of a log-in as well', async () => {
    const answer = await ask(postern.url, '/auth/v1/token?grant_type=password', { method: 'OPTIONS', headers: { Origin: 'https://app.example', 'Access-Control-Request-Method': 'POST', 'Access-Control-Request-Headers': 'apikey,content-type', 'X-Forwarded-Proto': 'https' } })
    expect([answer.status, answer.headers['access-control-allow-headers']]).toEqual([204, CORS_LIST])
    expect(project.requests).toEqual([])
  })

  it('lets a page read the limits', async () => {
    const answer = await chat({ 'X-API-Key': key, Origin: 'https://app.example' })
    expect(answer.headers['access-control-expose-headers']).toBe('X-RateLimit-Limit, X-RateLimit-Remaining, X-RateLimit-Reset, Retry-After')
    expect(answer.headers['access-control-allow-origin']).toBe('*')
  })

  it.each([['/functions/v1/chat', 401], ['/auth/v1/admin/users', 404], ['/elsewhere', 404]])('gives refusals at %s the same fields', async (path, status) => {
    const answer = await send(postern, path, { headers: { Origin: 'https://app.example' } })
    expect([answer.status, answer.headers['access-control-allow-origin']]).toEqual([status, '*'])
  })

  it('warns that a page cannot send X-API-Key', async () => {
    const checked = await runPostern(['check', '--config', CONFIG], basics())
    expect(checked.code).toBe(0)
    expect(`${checked.stdout}${checked.stderr}`.replaceAll(/\s+/g, ' ')).toMatch(/cors\.headers.*X-API-Key/)
    expect(postern.output()).toMatch(/cors\.headers.*X-API-Key/)
  })
})

describe('myWeave: streams', () => {
  interface Arrival { readonly at: number; readonly text: string }
  const open = (path: string): Promise<{ headersAt: number; headers: Record<string, unknown>; arrivals: Arrival[]; ended: Promise<void>; abort: () => void }> =>
    new Promise((resolve, reject) => {
      const outgoing = httpRequest(`${postern.url}${path}`, { method: 'POST', agent: false, headers: { 'X-API-Key': key, 'X-Forwarded-Proto': 'https', 'Content-Type': 'application/json' } }, (incoming) => {
        const arrivals: Arrival[] = []
        incoming.setEncoding('utf8').on('data', (text: string) => arrivals.push({ at: Date.now(), text })).on('error', () => undefined)
        resolve({ headersAt: Date.now(), headers: incoming.headers, arrivals, ended: new Promise((done) => incoming.on('close', () => done())), abort: () => outgoing.destroy() })
      })
      outgoing.on('error', reject).end('{"message":"Hello"}')
    })

  it('W13 passes every event on as it comes, after the headers', async () => {
    const from = functions.sentAt.length
    const { headersAt, headers, arrivals, ended } = await open('/functions/v1/stream')
    expect(headers).toMatchObject({ 'content-type': 'text/event-stream', 'x-ratelimit-limit': '500' })
    await ended
    const sent = functions.sentAt.slice(from)
    expect(arrivals.map(({ text }) => text).join('')).toBe('data: {"n":1}\n\ndata: {"n":2}\n\ndata: {"n":3}\n\n')
    expect(arrivals).toHaveLength(3)
    expect(headersAt).toBeLessThanOrEqual(sent[0] ?? 0)
    for (const [index, { at }] of arrivals.entries()) expect(at - (sent[index] ?? 0)).toBeLessThan(150)
  })

  it('ends the function when the client goes away', async () => {
    const before = functions.aborted()
    const { arrivals, abort } = await open('/functions/v1/endless')
    await expect.poll(() => arrivals.length).toBeGreaterThan(0)
    abort()
    await expect.poll(() => functions.aborted()).toBe(before + 1)
  })

  it('holds back a large upload while the function does not read, and loses nothing of it', async () => {
    const size = 64 * 1024 * 1024
    const piece = Buffer.alloc(64 * 1024, 'x')
    let accepted = 0
    const status = new Promise<number>((resolve, reject) => {
      const outgoing = httpRequest(`${postern.url}/functions/v1/slow-reader`, { method: 'POST', agent: false, headers: { 'X-API-Key': key, 'X-Forwarded-Proto': 'https', 'Content-Type': 'application/octet-stream', 'Content-Length': size } }, (incoming) => {
        incoming.resume().on('end', () => resolve(incoming.statusCode ?? 0))
      })
      const write = (): void => {
        while (accepted < size) {
          accepted += piece.length
          if (!outgoing.write(piece)) return void outgoing.once('drain', write)
        }
        outgoing.end()
      }
      outgoing.on('error', reject)
      write()
    })
    let last = -1
    await expect.poll(() => accepted > 0 && accepted === last || !(last = accepted), { interval: 300 }).toBe(true)
    expect(accepted).toBeLessThan(32 * 1024 * 1024)
    const before = functions.uploaded()
    functions.read()
    expect(await status).toBe(200)
    expect(functions.uploaded() - before).toBe(size)
  })
})

describe('myWeave: what a client says of itself', () => {
  const claim = (context: unknown): string => JSON.stringify({ message: 'Hello', context })

  it('is not looked at without BODY_POLICY', async () => {
    expect((await chat({ 'X-API-Key': key, ...bearer(tokens.ok) }, claim({ userId: 'someone-else' }))).status).toBe(200)
    expect((await chat({ 'X-API-Key': key, 'Content-Type': 'text/plain' }, 'anything')).status).toBe(200)
  })

  it('W15 must be what was proven with BODY_POLICY=on', async () => {
    await withPostern({ BODY_POLICY: 'on', PER_MINUTE: '500' }, async (other) => {
      const call = (headers: Ask['headers'], body: string): Promise<Asked> => send(other, CHAT, { headers: { 'X-API-Key': key, ...headers }, body })
      const wrong = await call(bearer(tokens.ok), claim({ userId: 'someone-else' }))
      expect([wrong.status, wrong.json]).toEqual([403, FORBIDDEN])
      expect((await call(bearer(tokens.ok), claim({ userId: [USER_ID] }))).status).toBe(403)
      const lie = await call({}, claim({ isAuthenticated: true }))
      expect([lie.status, lie.json]).toEqual([403, FORBIDDEN])
      expect((await call(bearer(project.anonKey), claim({ isAuthenticated: true }))).status).toBe(403)
      for (const yes of ['true', 1, {}]) expect((await call({}, claim({ isAuthenticated: yes }))).status, JSON.stringify(yes)).toBe(403)
      expect((await call(bearer(tokens.ok), `{"context":{"userId":"${USER_ID}","userId":"someone-else"}}`)).status).toBe(400)
      expect((await call({ 'Content-Type': 'text/plain' }, claim({ isAuthenticated: true }))).status).toBe(400)
      expect((await call({}, claim({ filler: 'x'.repeat(70_000) }))).status).toBe(413)
      untouched()
      const good = claim({ coachId: 'coach_xyz789', userId: USER_ID, isAuthenticated: true })
      expect((await call(bearer(tokens.ok), good)).status).toBe(200)
      expect(functions.seen.at(-1)?.body).toBe(good)
      expect((await call({}, claim({ coachId: 'coach_xyz789', isAuthenticated: false }))).status).toBe(200)
      expect((await call({}, claim(undefined))).status).toBe(200)
    })
  })
})

describe('myWeave: surroundings', () => {
  it('sends functions to the project itself without UPSTREAM_URL', async () => {
    const { UPSTREAM_URL: _left, ...env } = basics()
    const seen: (string | undefined)[] = []
    project.otherwise((request, response) => {
      seen.push(request.url)
      response.writeHead(200, { 'content-type': 'application/json' }).end('{"ok":true}')
    })
    const other = await startPostern({ config: CONFIG, env })
    try {
      expect((await send(other, CHAT, { headers: { 'X-API-Key': key, apikey: project.anonKey } })).status).toBe(200)
      expect(seen).toEqual([CHAT])
    } finally {
      project.otherwise(undefined)
      await other.stop()
    }
  })

  it('refuses plain HTTP unless told otherwise, without a redirect', async () => {
    const answer = await send(postern, CHAT, { headers: { 'X-API-Key': key, 'X-Forwarded-Proto': 'http' } })
    expect([answer.status, answer.headers.location]).toEqual([403, undefined])
    expect(answer.headers['access-control-allow-origin']).toBe('*')
    untouched()
    await withPostern({ REQUIRE_HTTPS: 'false' }, async (other) => {
      expect((await send(other, CHAT, { headers: { 'X-API-Key': key, 'X-Forwarded-Proto': 'http' } })).status).toBe(200)
    })
  })

  it('keeps every call guarded when no keys can be, and says so', async () => {
    await withPostern({ KEY_STORE: '', KEY_PEPPER: '', ADMIN_TOKEN: '' }, async (other) => {
      for (const headers of [{}, { 'X-API-Key': key }, { 'X-API-Key': '' }, { 'X-API-Key': key, ...bearer(tokens.ok) }, bearer(tokens.ok)]) expect([401, 500]).toContain((await send(other, CHAT, { headers })).status)
      untouched()
      expect(other.output()).toMatch(/is off/)
    })
  })

  it.each([
    ['a store without its pepper', { KEY_PEPPER: '' }],
    ['no whole number of calls', { PER_MINUTE: 'sixty' }],
    ['a policy that is neither on nor off', { BODY_POLICY: 'perhaps' }],
  ])('does not start with %s', async (_what, env) => {
    expect((await runPostern(['check', '--config', CONFIG], { ...basics(), ...env })).code).toBe(78)
  })

  it('writes one record per call, and counts calls', async () => {
    const before = postern.audit().length
    await chat({ 'X-API-Key': key, ...bearer(tokens.ok) })
    await expect.poll(() => postern.audit().length).toBe(before + 1)
    expect(postern.audit().at(-1)).toMatchObject({ 'event.outcome': 'success', 'postern.route': 'functions' })
    expect(JSON.stringify(postern.audit().at(-1))).toContain(keyId)
    const listed = await postern.command('keys', 'list', '--config', CONFIG, '--json')
    expect(listed.code).toBe(0)
  })
})

describe('myWeave: the real client library', () => {
  let client: SupabaseClient
  beforeAll(() => {
    const overHttps = (input: string | URL | Request, init: RequestInit = {}): Promise<Response> => {
      const headers = new Headers(init.headers)
      headers.set('X-Forwarded-Proto', 'https')
      headers.set('X-Forwarded-For', someone())
      return fetch(input, { ...init, headers })
    }
    client = createClient(postern.url, project.anonKey, { auth: { persistSession: false, autoRefreshToken: false }, global: { fetch: overHttps, headers: { 'X-API-Key': key } } })
  })

  it('calls a function while nobody is logged in, logs in, calls it as the user, and refreshes', async () => {
    expect((await client.functions.invoke('chat', { body: { message: 'Hello' } })).error).toBeNull()
    expect(lastSeen()['x-auth-authenticated']).toBe('false')
    const signedIn = await client.auth.signInWithPassword({ email: 'ada@example.com', password: PASSWORD })
    expect(signedIn.error).toBeNull()
    expect((await client.functions.invoke('chat', { body: { message: 'Hello' } })).error).toBeNull()
    expect(lastSeen()).toMatchObject({ 'x-auth-authenticated': 'true', 'x-auth-user-id': signedIn.data.user?.id })
    const refreshed = await client.auth.refreshSession()
    expect(refreshed.error).toBeNull()
    expect(refreshed.data.session?.refresh_token).not.toBe(signedIn.data.session?.refresh_token)
    secrets.push(signedIn.data.session?.access_token ?? '', refreshed.data.session?.access_token ?? '', refreshed.data.session?.refresh_token ?? '')
  })

  it('reads a streamed function as it comes', async () => {
    const { data, error } = await client.functions.invoke('stream', { body: { message: 'Hello' } })
    expect(error).toBeNull()
    expect(await (data as Response).text()).toContain('"n":3')
  })
})

describe('myWeave: after all of it', () => {
  it('no secret is in a line, a metric, a store file or a refusal', async () => {
    expect(refusals.length).toBeGreaterThan(40)
    expect(await secretsFoundIn({ postern, folder, refusals }, secrets)).toEqual([])
  })
})
