import { createHash, randomBytes } from 'node:crypto'
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { encode as encodeV5 } from '@auth/core/jwt'
import { hashSync } from 'bcryptjs'
import { encode as encodeV4 } from 'next-auth/jwt'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { startDashboardApp, type DashboardApp } from '../support/dashboard-app.ts'
import { runPostern, startPostern, type RunningPostern } from '../support/running-postern.ts'
import { secretsFoundIn } from '../support/secret-search.ts'
import { ask, type Ask, type Asked } from './asking.ts'

const CONFIG = 'config/nextauth-dashboard.yaml'
const MISSING = { error: 'API key is required. Provide it via x-api-key header or Authorization: Bearer token' }
const INVALID = { error: 'Invalid API key' }
const UNCONFIGURED = { error: 'Authentication service not configured. Please generate an API key in the dashboard.' }
const DENIED = { error: 'Access denied from this IP address' }
const LIMITED = { error: 'Rate limit exceeded' }

const SECRET = 'test-secret-0123456789abcdef0123456789abcdef'
const OLD_SECRET = 'old-secret-of-the-dashboard-0123456789abcdef'
const ADMIN_KEY = `admin-${randomBytes(20).toString('hex')}`
/** As the document says to make one by hand: no prefix and no checksum. */
const HAND_MADE = randomBytes(32).toString('hex')
const HASHED_KEY = randomBytes(32).toString('hex')
const PLAIN_KEY = randomBytes(32).toString('hex')
const PEPPER = 'pepper-of-the-dashboard-suite'
const ADMIN_TOKEN = 'admin-token-of-the-dashboard-suite'
const WRONG = 'wrong-key-of-the-dashboard-suite'
/** A session that anybody can check by hand: subject user-1, name Ada, until 2100. */
const V4_VECTOR = 'eyJhbGciOiJkaXIiLCJlbmMiOiJBMjU2R0NNIn0..AQEBAQEBAQEBAQEB.yz79zyipKzSo8CSpFnMcc2lQ4WZ8K8Lt9SvoDVa0iOHGIuph73JMEyKWFLqGNH6iQmBAZ6imutLujjoJcnrJbPI26Kc3LN05CZ6lNYDnc5HxElqpZwMLK-LzaY1KX6cTbDT6xSJj_GUZnOPyTToZnTxaT2bQDqhUv779fs4tbWUYj6O5GI0.75mXTMJQYkkL7gJQZU9lJw'
const V5_VECTOR = 'eyJhbGciOiJkaXIiLCJlbmMiOiJBMjU2Q0JDLUhTNTEyIiwia2lkIjoiOUU3UVh4NERDUTFPRHFucnNvSmVLeUJpVFVRaFhKWnpzRWV2TEJIOENoMm9fRGVqMjdPeGNDNUViYk1MT0ZoMGJHXzlRbm9JRVQxNWJWaGktZDZzekEifQ..AgICAgICAgICAgICAgICAg.N1hYon18f3vW_TEeqlGyqJaovggtpSRpoGnqzKb0IfTL7aQWBzOiXyMaLLpZY9ORxGr-JYh38EBBG0k8CfypWyjysdbaCwPhs4EO1Zi3UvQLqetnqhmv3-OUOWmalqtExHBdupVhYgP2CppssxXS8onAlERc0q30j_4urKEc5fZII01DNA5D3AeV4ZPddBLi.PMrAqT7nrqLOoPhKQdQirWeVkOIH0jW3MRuaVNe8X0M'

const V4 = 'next-auth.session-token'
const V5 = 'authjs.session-token'

let app: DashboardApp
let folder: string
let postern: RunningPostern
const refusals: string[] = []
const secrets = [SECRET, OLD_SECRET, ADMIN_KEY, HAND_MADE, HASHED_KEY, PLAIN_KEY, PEPPER, ADMIN_TOKEN, WRONG, V4_VECTOR, V5_VECTOR, 'opaque-session-of-grace', 'client-key-1', 'client-key-2', 'named-key-of-ci']

const trusted = { TRUSTED_PROXIES: '127.0.0.1/32' }
const secure = { 'X-Forwarded-Proto': 'https' }

/** What every start has; a test adds what it is about. */
const basics = (): Record<string, string> => ({ UPSTREAM_URL: app.url, ...trusted })

beforeAll(async () => {
  app = await startDashboardApp()
  folder = mkdtempSync(join(tmpdir(), 'postern-dashboard-'))
  app.sessions.set('opaque-session-of-grace', { user: { name: 'Grace', email: 'grace@example.com' }, expires: '2100-01-01T00:00:00.000Z' })
  writeFileSync(join(folder, 'api-keys.json'), JSON.stringify([
    { keyHash: hashSync(HASHED_KEY, 10), userId: 'alice', createdAt: '2025-01-01T00:00:00.000Z' },
    { key: PLAIN_KEY, userId: 'bob', createdAt: '2024-01-01T00:00:00.000Z' },
  ]))
  postern = await startPostern({
    config: CONFIG,
    env: {
      ...basics(), NEXTAUTH_SECRET: SECRET, NEXTAUTH_SECRET_OLD: OLD_SECRET, ADMIN_API_KEY: ADMIN_KEY, VALID_API_KEYS: `client-key-1, client-key-2,ci=named-key-of-ci,${HAND_MADE},${HASHED_KEY},${PLAIN_KEY}`,
      KEY_STORE: join(folder, 'keys.db'), KEY_PEPPER: PEPPER, API_KEYS_JSON: join(folder, 'api-keys.json'), ADMIN_TOKEN, SESSION_ORIGINS: 'https://app.example.com',
    },
  })
})
afterAll(async () => {
  await postern.stop()
  await app.close()
  rmSync(folder, { recursive: true })
})

let hits = 0
beforeEach(() => {
  hits = app.seen.length
})
const untouched = (): void => expect(app.seen.length).toBe(hits)
const lastSeen = () => app.seen.at(-1)?.headers ?? {}

/** As the proxy in front sends it: over HTTPS, from the test's own address. */
async function request(target: RunningPostern, headers: Ask['headers'] = {}, { path = '/api/ask', method = 'POST' }: { path?: string; method?: string } = {}): Promise<Asked> {
  const body = method === 'GET' ? {} : { body: '{"workspaceId":"workspace-123","question":"How does this code work?"}' }
  const answer = await ask(target.url, path, { method, headers: { ...secure, ...(method === 'GET' ? {} : { 'Content-Type': 'application/json' }), ...headers }, ...body })
  if (answer.status >= 400) refusals.push(`${JSON.stringify(answer.headers)}${answer.body}`)
  return answer
}
const post = (headers: Ask['headers'] = {}): Promise<Asked> => request(postern, headers)
const cookie = (...pairs: string[]): Record<string, string> => ({ Cookie: pairs.join('; ') })
const bearer = (key: string): Record<string, string> => ({ Authorization: `Bearer ${key}` })

/** Starts another one, with other variables, for as long as one test runs. */
async function withPostern(env: Record<string, string>, run: (other: RunningPostern) => Promise<void>): Promise<void> {
  const other = await startPostern({ config: CONFIG, env: { ...basics(), ...env } })
  try {
    await run(other)
    expect(await secretsFoundIn({ postern: other }, secrets.filter((secret) => !secret.startsWith('client-key')))).toEqual([])
  } finally {
    // Nothing is under way, so there is nothing to drain.
    other.child.kill('SIGKILL')
    await other.stop()
  }
}

const v4 = (claims: Record<string, unknown>, { secret = SECRET, salt = '' } = {}): Promise<string> => encodeV4({ token: claims, secret, salt })
const v5 = (claims: Record<string, unknown>, { secret = SECRET as string | string[], salt = V5 } = {}): Promise<string> => encodeV5({ token: claims, secret, salt, maxAge: 3_600 })
const chunks = (name: string, value: string, size = 3_936): string[] => (value.match(new RegExp(`.{1,${size}}`, 'g')) ?? []).map((part, index) => `${name}.${index}=${part}`)
const digestName = (key: string): string => `client-${createHash('sha256').update(key).digest('hex').slice(0, 8)}`

describe('the dashboard: keys', () => {
  it('G1 refuses a request without credentials in the words of the document', async () => {
    const answer = await post()
    expect([answer.status, answer.json]).toEqual([401, MISSING])
    expect(answer.headers['www-authenticate']).toMatch(/^\w+/)
    expect(answer.headers['cache-control']).toBe('no-store')
    expect(answer.headers['content-type']).toMatch(/^application\/json/)
    untouched()
  })

  it('G2 takes a client key in x-api-key and hides it from the application', async () => {
    expect((await post({ 'x-api-key': 'client-key-2' })).status).toBe(200)
    expect(lastSeen()).toMatchObject({ 'x-auth-user-id': digestName('client-key-2'), 'x-auth-method': 'client_keys' })
    expect(lastSeen()['x-api-key']).toBeUndefined()
    expect(app.seen.at(-1)).toMatchObject({ method: 'POST', path: '/api/ask', body: expect.stringContaining('workspace-123') })
  })

  it('G3 takes a client key as a bearer, in any case of the scheme, and hides it too', async () => {
    for (const scheme of ['Bearer', 'bearer']) {
      expect((await post({ Authorization: `${scheme} client-key-1` })).status).toBe(200)
      expect(lastSeen().authorization).toBeUndefined()
    }
  })

  it.each([['x-api-key', { 'x-api-key': WRONG }], ['Authorization', bearer(WRONG)], ['x-api-key, although Authorization holds a good one', { 'x-api-key': WRONG, ...bearer('client-key-1') }]])('G4 refuses a wrong key in %s', async (_where, headers) => {
    const answer = await post(headers)
    expect([answer.status, answer.json]).toEqual([401, INVALID])
    expect(answer.headers['www-authenticate']).toMatch(/^\w+/)
    untouched()
  })

  it('takes a key in Authorization without a scheme, as the dashboard does, and never one of another scheme', async () => {
    expect((await post({ Authorization: 'client-key-1' })).status).toBe(200)
    expect(lastSeen()).toMatchObject({ 'x-auth-user-id': digestName('client-key-1') })
    expect(lastSeen().authorization).toBeUndefined()
    for (const value of [WRONG, 'Basic client-key-1', 'Bearer client-key-1 client-key-2', 'Bearerclient-key-1']) expect((await post({ Authorization: value })).json, value).toEqual(INVALID)
  })

  it('takes x-api-key before Authorization', async () => {
    expect((await post({ 'x-api-key': 'client-key-2', ...bearer(WRONG) })).status).toBe(200)
    expect(lastSeen()['x-auth-user-id']).toBe(digestName('client-key-2'))
    expect(lastSeen().authorization).toBeUndefined()
  })

  it('G6 knows the admin key, as admin', async () => {
    expect((await post({ 'x-api-key': ADMIN_KEY })).status).toBe(200)
    expect(lastSeen()).toMatchObject({ 'x-auth-user-id': 'admin', 'x-auth-roles': 'admin', 'x-auth-method': 'admin_key' })
  })

  it('takes a key that was made by hand, and names a client after its own digest or the name it was given', async () => {
    expect((await post({ 'x-api-key': HAND_MADE })).status).toBe(200)
    expect(lastSeen()['x-auth-user-id']).toBe(digestName(HAND_MADE))
    expect((await post({ 'x-api-key': 'named-key-of-ci' })).status).toBe(200)
    expect(lastSeen()['x-auth-user-id']).toBe('ci')
    expect((await post({ 'x-api-key': 'ci=named-key-of-ci' })).status).toBe(401)
  })

  it.each([
    ['two x-api-key lines', { 'x-api-key': ['client-key-1', WRONG] }],
    ['two Authorization lines', { Authorization: ['Bearer client-key-1', `Bearer ${WRONG}`] }],
    ['an alias of x-api-key', { X_API_Key: 'client-key-1' }],
  ])('refuses %s with 400', async (_what, headers) => {
    expect((await post(headers)).status).toBe(400)
    untouched()
  })

  it.each([['an empty key', { 'x-api-key': '' }], ['an empty bearer', { Authorization: 'Bearer ' }]])('never lets %s in', async (_what, headers) => {
    expect((await post(headers)).status).toBe(401)
    untouched()
  })

  it('removes every identity that a client claims, on guarded and on open paths, in all spellings', async () => {
    const claims = { 'X-Auth-User-Id': 'admin', 'x_auth_roles': 'admin', 'X.Auth.Method': 'session', 'X-Auth-Anything': 'x' }
    for (const path of ['/api/ask', '/', '/api/auth/providers']) {
      await request(postern, { 'x-api-key': 'client-key-1', ...claims, 'X-Through-Postern': '1' }, { path, method: 'GET' })
      const names = Object.entries(lastSeen()).filter(([name]) => /^x.auth/.test(name)).map(([name, value]) => `${name}: ${value}`)
      expect(names.join('\n'), path).not.toMatch(/admin|session|anything/i)
    }
  })
})

describe('the dashboard: sessions', () => {
  it('G7 opens the v4 vector, names the user, and leaves the cookie to the application', async () => {
    expect((await post(cookie(`theme=dark`, `${V4}=${V4_VECTOR}`))).status).toBe(200)
    expect(lastSeen()).toMatchObject({ 'x-auth-method': 'session', 'x-auth-user-id': 'Ada', cookie: `theme=dark; ${V4}=${V4_VECTOR}` })
  })

  it('opens the v5 vector', async () => {
    expect((await post(cookie(`${V5}=${V5_VECTOR}`))).status).toBe(200)
    expect(lastSeen()).toMatchObject({ 'x-auth-method': 'session', 'x-auth-user-id': 'Ada' })
  })

  it.each([
    ['next-auth 4', async () => [`${V4}=${await v4({ sub: 'u-1', name: 'Ada' })}`]],
    ['next-auth 4 behind HTTPS', async () => [`__Secure-${V4}=${await v4({ sub: 'u-1', name: 'Ada' })}`]],
    ['@auth/core', async () => [`${V5}=${await v5({ sub: 'u-1', name: 'Ada' })}`]],
    ['@auth/core behind HTTPS', async () => [`__Secure-${V5}=${await v5({ sub: 'u-1', name: 'Ada' }, { salt: `__Secure-${V5}` })}`]],
    ['the secret before this one, with next-auth 4', async () => [`${V4}=${await v4({ sub: 'u-1', name: 'Ada' }, { secret: OLD_SECRET })}`]],
    ['the secret before this one, with @auth/core', async () => [`${V5}=${await v5({ sub: 'u-1', name: 'Ada' }, { secret: [OLD_SECRET] })}`]],
    ['next-auth 4, in chunks', async () => chunks(V4, await v4({ sub: 'u-1', name: 'Ada', picture: 'p'.repeat(4_000) }), 3_933)],
  ])('opens what was sealed by %s', async (_what, sealed) => {
    expect((await post(cookie(...(await sealed())))).status).toBe(200)
    expect(lastSeen()).toMatchObject({ 'x-auth-method': 'session', 'x-auth-user-id': 'Ada' })
  })

  it('G8 puts chunks together whatever order they come in', async () => {
    const parts = chunks(V5, await v5({ sub: 'u-1', name: 'Ada', picture: 'p'.repeat(7_000) }))
    expect(parts.length).toBeGreaterThan(2)
    expect((await post(cookie(...parts.toReversed()))).status).toBe(200)
    expect(lastSeen()['x-auth-user-id']).toBe('Ada')
  })

  it.each([
    ['a session and its __Secure- twin', async () => [`${V4}=${V4_VECTOR}`, `__Secure-${V4}=${V4_VECTOR}`]],
    ['a session twice', async () => [`${V4}=${V4_VECTOR}`, `${V4}=other`]],
  ])('refuses %s with 400', async (_what, pairs) => {
    expect((await post(cookie(...(await pairs())))).status).toBe(400)
    untouched()
  })

  it.each([
    ['another secret', async () => `${V4}=${await v4({ sub: 'u-1', name: 'Ada' }, { secret: 'a-secret-of-somebody-else-0123456789' })}`],
    ['a session that has ended', async () => `${V4}=${await encodeV4({ token: { sub: 'u-1', name: 'Ada' }, secret: SECRET, maxAge: -60 })}`],
    ['a state cookie presented as a session', async () => `${V5}=${await v5({ value: 'random-state' })}`],
    ['a PKCE cookie with the salt of its own name', async () => `${V5}=${await v5({ value: 'verifier' }, { salt: 'authjs.pkce.code_verifier' })}`],
    ['the __Secure- variant under the plain name', async () => `${V5}=${await v5({ sub: 'u-1', name: 'Ada' }, { salt: `__Secure-${V5}` })}`],
    ['a name that only begins like the cookie', async () => `${V4}-evil=${V4_VECTOR}`],
    ['an error in place of a user', async () => `${V5}=${await v5({ sub: 'u-1', error: { name: 'x' } })}`],
  ])('refuses %s', async (_what, pair) => {
    const answer = await post(cookie(await pair()))
    expect([answer.status, answer.json]).toEqual([401, MISSING])
    untouched()
  })

  it('G10 falls back to a valid key when the session is garbage, and to a refusal when there is none', async () => {
    expect((await post({ ...cookie(`${V4}=garbage`), 'x-api-key': 'client-key-1' })).status).toBe(200)
    expect(lastSeen()['x-auth-method']).toBe('client_keys')
    expect((await post({ ...cookie(`${V4}=garbage`), 'x-api-key': WRONG })).json).toEqual(INVALID)
  })

  it('lets the session answer before every key', async () => {
    await post({ ...cookie(`${V4}=${V4_VECTOR}`), 'x-api-key': ADMIN_KEY })
    expect(lastSeen()).toMatchObject({ 'x-auth-method': 'session', 'x-auth-user-id': 'Ada' })
    expect(lastSeen()['x-auth-roles']).not.toBe('admin')
    expect(lastSeen()['x-api-key']).toBeUndefined()
  })

  it.each([
    ['a name beyond ASCII, as RFC 8187 writes it', { sub: 'u-1', name: 'Zoë 李' }, "UTF-8''Zo%C3%AB%20%E6%9D%8E"],
    ['a user without a name by the subject', { sub: 'u-1', name: null }, 'u-1'],
  ])('names %s', async (_what, claims, name) => {
    expect((await post(cookie(`${V4}=${await v4(claims)}`))).status).toBe(200)
    expect(lastSeen()['x-auth-user-id']).toBe(name)
  })

  it('never makes an administrator of a user who is called admin', async () => {
    expect((await post(cookie(`${V4}=${await v4({ sub: 'u-1', name: 'admin' })}`))).status).toBe(200)
    expect(lastSeen()).toMatchObject({ 'x-auth-user-id': 'admin', 'x-auth-method': 'session' })
    expect(lastSeen()['x-auth-roles'] ?? '').toBe('')
  })

  it('never takes a session out of Authorization', async () => {
    const answer = await post(bearer(V4_VECTOR))
    expect([answer.status, answer.json]).toEqual([401, INVALID])
    untouched()
  })

  it('asks the application about a session of its database, with that cookie alone, and drops what it sets', async () => {
    const before = app.asked.length
    const answer = await post({ ...cookie('theme=dark', `${V4}=opaque-session-of-grace`), 'X-Custom': 'private' })
    expect(answer.status).toBe(200)
    expect(answer.headers['set-cookie']).toBeUndefined()
    expect(lastSeen()).toMatchObject({ 'x-auth-method': 'session', 'x-auth-user-id': 'Grace' })
    const [question, ...more] = app.asked.slice(before)
    expect(more).toEqual([])
    expect(question?.cookie).toBe(`${V4}=opaque-session-of-grace`)
    expect(Object.keys(question ?? {}).filter((name) => /custom|forwarded|authorization|api-key/.test(name))).toEqual([])
  })

  it('refuses a session that the database does not know, and says 503 while the application cannot be asked', async () => {
    expect((await post(cookie(`${V4}=opaque-nobody`))).status).toBe(401)
    app.break(true)
    const answer = await post(cookie(`${V4}=opaque-while-down`))
    app.break(false)
    expect([answer.status, answer.headers['retry-after'] !== undefined]).toEqual([503, true])
    untouched()
  })

  it.each([
    ['no Origin, as from a program', {}, 200],
    ['the listed origin', { Origin: 'https://app.example.com' }, 200],
    ['a foreign origin', { Origin: 'https://evil.example' }, 403],
    ['an opaque origin', { Origin: 'null' }, 403],
    ['Sec-Fetch-Site: same-origin', { 'Sec-Fetch-Site': 'same-origin' }, 200],
    ['Sec-Fetch-Site: cross-site', { 'Sec-Fetch-Site': 'cross-site' }, 403],
  ])('lets a session change things only from the application itself: %s', async (_what, headers, status) => {
    expect((await post({ ...cookie(`${V4}=${V4_VECTOR}`), ...headers })).status).toBe(status)
    expect(app.seen.length - hits).toBe(status === 200 ? 1 : 0)
  })

  it('does not ask where a key, or a request that changes nothing, comes from', async () => {
    expect((await post({ 'x-api-key': 'client-key-1', Origin: 'https://evil.example' })).status).toBe(200)
    expect((await request(postern, { ...cookie(`${V4}=${V4_VECTOR}`), Origin: 'https://evil.example' }, { method: 'GET' })).status).toBe(200)
  })
})

describe('the dashboard: keys that it made', () => {
  it('imports plaintext and bcrypt rows, each with its user, who answers although VALID_API_KEYS holds the same keys', async () => {
    expect((await post({ 'x-api-key': PLAIN_KEY })).status).toBe(200)
    expect(lastSeen()).toMatchObject({ 'x-auth-user-id': 'bob', 'x-auth-method': 'dashboard_keys' })
    expect((await post(bearer(HASHED_KEY))).status).toBe(200)
    expect(lastSeen()).toMatchObject({ 'x-auth-user-id': 'alice', 'x-auth-method': 'dashboard_keys' })
    expect((await post(bearer(HASHED_KEY.slice(0, -1)))).json).toEqual(INVALID)
  })

  it('G21 makes a key that is shown once, of 32 bytes and more, of which the store holds a digest only', async () => {
    const made = await postern.command('keys', 'create', '--config', CONFIG, '--owner', 'carol', '--json')
    expect([made.code, made.stderr]).toEqual([0, ''])
    const { id, key } = JSON.parse(made.stdout) as { id: string; key: string }
    secrets.push(key)
    expect(key).toMatch(/[0-9A-Za-z]{43}/)
    await expect.poll(async () => (await post({ 'x-api-key': key })).status).toBe(200)
    expect(lastSeen()['x-auth-user-id']).toBe('carol')
    const listed = await postern.command('keys', 'list', '--config', CONFIG, '--json')
    expect(listed.stdout).toContain(id)
    expect(listed.stdout).not.toContain(key)
    for (const name of readdirSync(folder).filter((file) => file.startsWith('keys.db'))) {
      expect(statSync(join(folder, name)).mode & 0o777, name).toBe(0o600)
      expect(readFileSync(join(folder, name), 'latin1'), name).not.toContain(key)
    }
    expect((await postern.command('keys', 'revoke', id, '--config', CONFIG)).code).toBe(0)
    await expect.poll(async () => (await post({ 'x-api-key': key })).status, { timeout: 1_500 }).toBe(401)
    expect((await post({ 'x-api-key': key })).json).toEqual(INVALID)
  })

  it('are not needed for the keys of the environment, which work through a flood of guesses at imported rows', { timeout: 60_000 }, async () => {
    const rows = [1, 2, 3].map((n) => ({ keyHash: hashSync(`imported-${n}`, 10), userId: 'frank', createdAt: '2025-01-01T00:00:00.000Z' }))
    writeFileSync(join(folder, 'flooded.json'), JSON.stringify(rows))
    await withPostern({ VALID_API_KEYS: 'client-key-1', ADMIN_API_KEY: ADMIN_KEY, KEY_STORE: join(folder, 'flooded.db'), KEY_PEPPER: PEPPER, API_KEYS_JSON: join(folder, 'flooded.json') }, async (other) => {
      const guesses = Array.from({ length: 120 }, (_each, n) => request(other, { 'x-api-key': `${WRONG}-${n}` }))
      await Promise.race(guesses)
      expect((await Promise.all([request(other, { 'x-api-key': 'client-key-1' }), request(other, { 'x-api-key': ADMIN_KEY })])).map(({ status }) => status)).toEqual([200, 200])
      const answers = await Promise.all(guesses)
      // What could not be compared is 503 with a time, never a statement about the key.
      expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([401, 503]))
      for (const { headers } of answers.filter(({ status }) => status === 503)) expect(Number(headers['retry-after'])).toBeGreaterThanOrEqual(1)
    })
  })

  it('are managed over the admin face as well', async () => {
    const headers = { authorization: `Bearer ${ADMIN_TOKEN}`, 'content-type': 'application/json' }
    const made = await fetch(`${postern.adminUrl}/v1/keys`, { method: 'POST', headers, body: JSON.stringify({ owner: 'dave' }) })
    const { id, key } = (await made.json()) as { id: string; key: string }
    secrets.push(key)
    expect([made.status, (await post({ 'x-api-key': key })).status]).toEqual([201, 200])
    expect((await fetch(`${postern.adminUrl}/v1/keys/${id}`, { method: 'DELETE', headers })).status).toBe(204)
    await expect.poll(async () => (await post({ 'x-api-key': key })).status, { timeout: 1_500 }).toBe(401)
    expect((await fetch(`${postern.adminUrl}/v1/keys`)).status).toBe(401)
  })
})

describe('the dashboard: what is recorded', () => {
  it.each([
    ['no credentials', {}, { 'event.outcome': 'failure', 'event.code': 'credential_missing' }],
    ['a client key', { 'x-api-key': 'client-key-2' }, { 'event.outcome': 'success', 'user.id': digestName('client-key-2'), 'auth.credential_id': digestName('client-key-2'), 'auth.provider': 'client_keys' }],
    ['a client key as a bearer', bearer('client-key-1'), { 'event.outcome': 'success', 'user.id': digestName('client-key-1') }],
    ['a wrong key', { 'x-api-key': WRONG }, { 'event.outcome': 'failure', 'event.reason': 'key_unknown' }],
    ['the admin key', { 'x-api-key': ADMIN_KEY }, { 'event.outcome': 'success', 'user.id': 'admin', 'auth.provider': 'admin_key' }],
    ['a session', cookie(`${V4}=${V4_VECTOR}`), { 'event.outcome': 'success', 'user.id': 'Ada', 'auth.method': 'session' }],
  ])('G23 writes exactly one record of %s', async (_what, headers, members) => {
    const path = `/api/ask/${randomBytes(4).toString('hex')}`
    const last = `${path}/last`
    const records = () => postern.audit().filter((record) => record['url.path'] === path)
    await request(postern, { ...headers, 'X-Forwarded-For': '203.0.113.9' }, { path })
    // What came before the record of another request was written before it.
    await request(postern, {}, { path: last, method: 'GET' })
    await expect.poll(() => postern.audit().at(-1)?.['url.path']).toBe(last)
    const [record, ...more] = records()
    expect(more).toEqual([])
    expect(record).toMatchObject({ 'event.dataset': 'postern.audit', 'client.address': '203.0.113.9', 'postern.route': 'api', 'http.request.method': 'POST', ...members })
    expect(Array.isArray(record?.['attempts'])).toBe(true)
    expect(record).toHaveProperty('auth.method')
  })
})

describe('the dashboard: HTTPS', () => {
  it('G19 refuses plain HTTP as the trusted proxy tells it, without a redirect', async () => {
    const answer = await post({ 'X-Forwarded-Proto': 'http', 'x-api-key': 'client-key-1' })
    expect([answer.status, answer.json, answer.headers.location]).toEqual([403, { error: 'HTTPS required' }, undefined])
    untouched()
  })

  it('believes nobody who says https without being trusted, and lets an operator turn the demand off', async () => {
    await withPostern({ TRUSTED_PROXIES: '', VALID_API_KEYS: 'client-key-1' }, async (other) => {
      expect((await request(other, { 'x-api-key': 'client-key-1' })).json).toEqual({ error: 'HTTPS required' })
    })
    await withPostern({ REQUIRE_HTTPS: 'false', TRUSTED_PROXIES: '', VALID_API_KEYS: 'client-key-1' }, async (other) => {
      expect((await request(other, { 'X-Forwarded-Proto': 'http', 'x-api-key': 'client-key-1' })).status).toBe(200)
    })
  })
})

describe('the dashboard: ALLOWED_IPS', () => {
  const keys = { VALID_API_KEYS: 'client-key-1' }
  const from = (address: string): Record<string, string> => ({ 'x-api-key': 'client-key-1', 'X-Forwarded-For': address })
  const statuses = async (allowed: string, addresses: readonly string[]): Promise<readonly number[]> => {
    const found: number[] = []
    await withPostern({ ...keys, ALLOWED_IPS: allowed }, async (other) => {
      for (const address of addresses) found.push((await request(other, from(address))).status)
    })
    return found
  }

  it('G12 lets listed addresses in, blanks around them or not, and nobody else, whatever they bring', async () => {
    await withPostern({ ...keys, NEXTAUTH_SECRET: SECRET, ALLOWED_IPS: '192.168.1.100, 10.0.0.50' }, async (other) => {
      expect((await request(other, from('10.0.0.50'))).status).toBe(200)
      expect((await request(other, from('192.168.1.100'))).status).toBe(200)
      const refused = await request(other, from('10.0.0.51'))
      expect([refused.status, refused.json]).toEqual([403, DENIED])
      // The first of a list is what the client wrote itself.
      expect((await request(other, from('10.0.0.50, 10.0.0.51'))).status).toBe(403)
      expect((await request(other, from('10.0.0.51, 10.0.0.50'))).status).toBe(200)
      expect((await request(other, { 'X-Forwarded-For': '10.0.0.51', 'x-api-key': WRONG })).json).toEqual(DENIED)
      expect((await request(other, { 'X-Forwarded-For': '10.0.0.51' })).json).toEqual(DENIED)
      expect((await request(other, { 'X-Forwarded-For': '10.0.0.51', ...cookie(`${V4}=${V4_VECTOR}`) })).json).toEqual(DENIED)
      expect((await request(other, { 'X-Real-IP': '10.0.0.50', 'x-api-key': 'client-key-1' })).status).toBe(200)
      expect((await request(other, { 'X-Real-IP': '10.0.0.51', 'x-api-key': 'client-key-1' })).status).toBe(403)
      expect((await request(other, { 'x-api-key': 'client-key-1' })).status).toBe(403)
    })
  })

  it.each([['X-Forwarded-For'], ['X-Real-IP']])('G14 believes no %s of a peer that is not trusted', async (name) => {
    await withPostern({ ...keys, ALLOWED_IPS: '10.0.0.50', TRUSTED_PROXIES: '10.0.0.0/8', REQUIRE_HTTPS: 'false' }, async (other) => {
      const answer = await request(other, { 'x-api-key': 'client-key-1', [name]: '10.0.0.50' })
      expect([answer.status, answer.json]).toEqual([403, DENIED])
      untouched()
    })
  })

  it('takes networks, IPv6, and IPv4 inside IPv6 for what it is', async () => {
    expect(await statuses('10.1.0.0/16,2001:db8::/32,::ffff:192.0.2.7', ['10.1.2.3', '10.2.0.1', '2001:db8:1::9', '2001:db9::1', '192.0.2.7', '::ffff:10.1.9.9', '192.0.2.8'])).toEqual([200, 403, 200, 403, 200, 200, 403])
  })

  it.each([['*', '*'], ['a blank', ' '], ['nothing', '']])('G15 lets everybody in with %s, and says so at the start', async (_what, allowed) => {
    await withPostern({ ...keys, ALLOWED_IPS: allowed }, async (other) => {
      expect((await request(other, from('203.0.113.200'))).status).toBe(200)
      expect(other.output()).toMatch(/allowed_networks/)
    })
  })

  it.each(['10.0.0.50,10.0.0', '10.0.0.0/33', 'localhost', '10.0.0.1,*'])('does not start with %s', async (allowed) => {
    const { code, stderr } = await runPostern(['run', '--config', CONFIG], { ...basics(), ...keys, LISTEN: '127.0.0.1:0', OPS_LISTEN: '127.0.0.1:0', ALLOWED_IPS: allowed })
    expect(code).toBe(78)
    expect(stderr).toContain('allowed_networks')
  })
})

describe('the dashboard: API_RATE_LIMIT', () => {
  it('G17 G18 counts per client, all keys of one user together, and never a session', async () => {
    const store = join(folder, 'limited.db')
    await withPostern({ API_RATE_LIMIT: '2', VALID_API_KEYS: 'client-key-1,client-key-2', NEXTAUTH_SECRET: SECRET, KEY_STORE: store, KEY_PEPPER: PEPPER }, async (other) => {
      const first = await request(other, { 'x-api-key': 'client-key-1' })
      expect(first.headers).toMatchObject({ 'x-ratelimit-limit': '2', 'x-ratelimit-remaining': '1' })
      expect((await request(other, bearer('client-key-1'))).status).toBe(200)
      const third = await request(other, { 'x-api-key': 'client-key-1' })
      expect([third.status, third.json]).toEqual([429, LIMITED])
      const after = Number(third.headers['retry-after'])
      expect(after).toBeGreaterThanOrEqual(1)
      expect(after).toBeLessThanOrEqual(3_600)
      expect(after).toBeGreaterThan(3_500)
      expect((await request(other, { 'x-api-key': 'client-key-2' })).status).toBe(200)
      for (let n = 0; n < 5; n += 1) expect((await request(other, cookie(`${V4}=${V4_VECTOR}`))).status).toBe(200)
      // Refusals cost nothing: 401s are not counted against anybody.
      for (let n = 0; n < 5; n += 1) expect((await request(other, { 'x-api-key': WRONG })).status).toBe(401)

      const create = async (): Promise<string> => (JSON.parse((await other.command('keys', 'create', '--config', CONFIG, '--owner', 'erin', '--json')).stdout) as { key: string }).key
      const [one, two] = [await create(), await create()]
      secrets.push(one, two)
      await expect.poll(async () => (await request(other, { 'x-api-key': one })).status).toBe(200)
      expect((await request(other, { 'x-api-key': two })).status).toBe(200)
      expect((await request(other, { 'x-api-key': one })).json).toEqual(LIMITED)
      expect((await request(other, { 'x-api-key': two })).json).toEqual(LIMITED)
    })
  })

  it('is 100 an hour without the variable', async () => {
    await withPostern({ VALID_API_KEYS: 'client-key-1' }, async (other) => {
      expect((await request(other, { 'x-api-key': 'client-key-1' })).headers['x-ratelimit-limit']).toBe('100')
    })
  })

  it.each(['0x10', 'many', '-1', '1.5'])('does not start with %s', async (limit) => {
    expect((await runPostern(['check', '--config', CONFIG], { ...basics(), VALID_API_KEYS: 'client-key-1', API_RATE_LIMIT: limit })).code).toBe(78)
  })
})

describe('the dashboard: what is not set', () => {
  it('answers the documented 401 when no method is configured, whatever is sent, and leaves the pages open', async () => {
    await withPostern({}, async (other) => {
      for (const headers of [{}, { 'x-api-key': WRONG }, { 'x-api-key': '' }, bearer(''), cookie(`${V4}=${V4_VECTOR}`)]) {
        const answer = await request(other, headers)
        expect([answer.status, answer.json]).toEqual([401, UNCONFIGURED])
        expect(answer.headers['www-authenticate']).toMatch(/^\w+/)
      }
      untouched()
      expect((await request(other, {}, { path: '/', method: 'GET' })).status).toBe(200)
      expect(other.output()).toMatch(/is off/)
    })
  })

  it('never takes an empty ADMIN_API_KEY or an empty entry of VALID_API_KEYS for a key', async () => {
    await withPostern({ ADMIN_API_KEY: '', VALID_API_KEYS: ' , ,client-key-1,' }, async (other) => {
      for (const key of ['', ' ', ',']) expect((await request(other, { 'x-api-key': key })).status, JSON.stringify(key)).toBe(401)
      expect((await request(other, { 'x-api-key': 'client-key-1' })).status).toBe(200)
    })
  })

  it('gives a client the same name wherever its key stands in the list', async () => {
    await withPostern({ VALID_API_KEYS: 'client-key-3,client-key-2' }, async (other) => {
      expect((await request(other, { 'x-api-key': 'client-key-2' })).status).toBe(200)
      expect(lastSeen()['x-auth-user-id']).toBe(digestName('client-key-2'))
    })
  })

  it.each([
    ['a store without its pepper', { KEY_STORE: '/tmp/never-opened.db' }],
    ['a pepper without its store', { KEY_PEPPER: PEPPER }],
    ['a pepper of fewer than 16 characters', { KEY_STORE: '/tmp/never-opened.db', KEY_PEPPER: 'short' }],
  ])('does not start with %s', async (_what, env) => {
    expect((await runPostern(['check', '--config', CONFIG], { ...basics(), ...env })).code).toBe(78)
  })

  it('warns of an admin key that could be guessed', async () => {
    const { code, stderr, stdout } = await runPostern(['check', '--config', CONFIG], { ...basics(), ADMIN_API_KEY: 'short-admin-key' })
    expect(code).toBe(0)
    expect(stdout + stderr).toMatch(/admin_key\.keys: a key of fewer than\s+32/)
    expect(stdout + stderr).not.toContain('short-admin-key')
  })
})

describe('the dashboard: after all of it', () => {
  it('no secret is in a line, a metric, a store file or a refusal', async () => {
    expect(refusals.length).toBeGreaterThan(40)
    expect(await secretsFoundIn({ postern, folder, except: ['api-keys.json', 'flooded.json'], refusals }, secrets)).toEqual([])
  })
})
