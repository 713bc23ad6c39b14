import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { raw, startAnswering } from '../support/answering.ts'
import type { EchoUpstream } from '../support/echo-upstream.ts'
import { startGoTrue, type GoTrue } from '../support/gotrue.ts'
import { startPostern, type RunningPostern } from '../support/running-postern.ts'
import { ask, lastSeen, mintTokens, startApi, USER_ID, type Ask, type Asked, type Tokens } from './asking.ts'
import { expectNoLeaks, expectQuiet, gather } from './leaks.ts'

const METRICS = '/api/dashboard/metrics'
const MISSING = { detail: 'Missing authentication context' }
const INVALID = { detail: 'Invalid Supabase token.' }

let api: EchoUpstream
let project: GoTrue
let stranger: GoTrue
let tokens: Tokens
let postern: RunningPostern
const gathered = gather()

const environment = (): Record<string, string> => ({
  UPSTREAM_URL: `http://127.0.0.1:${api.port}`, SUPABASE_URL: project.url, SUPABASE_ANON_KEY: project.anonKey, API_KEY: 'sekret', POSTERN_DRAIN_DELAY: '0',
})

/** Runs a case against a Postern of its own. */
async function withPostern(env: Readonly<Record<string, string>>, run: (postern: RunningPostern) => Promise<void>, config = 'config/alphapy.yaml'): Promise<void> {
  const own = await startPostern({ config, env })
  try {
    await run(own)
  } finally {
    await own.stop()
  }
  expectQuiet(gathered, own)
}

beforeAll(async () => {
  ;[api, project, stranger] = await Promise.all([startApi(), startGoTrue(), startGoTrue()])
  tokens = await mintTokens(project, stranger)
  gathered.secret('sekret', project.anonKey, ...Object.values(tokens))
  postern = await startPostern({ config: 'config/alphapy.yaml', env: environment() })
})
afterAll(async () => {
  await postern.stop()
  await Promise.all([api.close(), project.close(), stranger.close()])
})

let hits = 0
beforeEach(() => {
  hits = api.seen.length
  project.forget()
})
const get = (path: string, headers: Ask['headers'] = {}, more: Ask = {}): Promise<Asked> => ask(postern.url, path, { headers, ...more }).then(gathered.answered)

/** A token of a session of its own, about which nothing is cached. */
async function fresh(): Promise<string> {
  const token = await project.accessToken(project.accounts.byId(USER_ID)!)
  gathered.secret(token)
  return token
}
const bearer = (token: string): Record<string, string> => ({ Authorization: `Bearer ${token}` })
const untouched = (): void => expect(api.seen.length).toBe(hits)

describe('alphapy', () => {
  it('A1 refuses a request without credentials and says what is missing', async () => {
    const answer = await get(METRICS)
    expect([answer.status, answer.json]).toEqual([401, MISSING])
    expect(answer.headers['www-authenticate']).toMatch(/^Bearer/)
    expect(answer.headers['www-authenticate']).not.toContain('error=')
    expect(answer.headers['cache-control']).toBe('no-store')
    untouched()
  })

  it('A2 asks the project with exactly its key and the token, and tells the API who it is', async () => {
    const answer = await get(METRICS, bearer(tokens.ok))
    expect(answer.status).toBe(200)
    expect(lastSeen(api)).toMatchObject({ 'x-auth-user-id': USER_ID, 'x-auth-method': 'supabase', 'x-auth-email': 'dev@example.com', 'x-user-id': USER_ID, authorization: `Bearer ${tokens.ok}` })
    expect(project.seen('/auth/v1/user').map(({ headers }) => [headers['apikey'], headers.authorization])).toEqual([[project.anonKey, `Bearer ${tokens.ok}`]])
  })

  it('takes the bare token without a scheme, and the scheme in any case', async () => {
    expect((await get(METRICS, { Authorization: tokens.ok })).status).toBe(200)
    expect((await get(METRICS, { Authorization: `bearer ${tokens.ok}` })).status).toBe(200)
  })

  it.each(['expired', 'other', 'none', 'confused', 'flipped', 'anon'] as const)('A4 refuses a token that is %s, whatever status the project gave', async (kind) => {
    const answer = await get(METRICS, bearer(tokens[kind]))
    expect([answer.status, answer.json]).toEqual([401, INVALID])
    expect(answer.headers['www-authenticate']).toMatch(/^Bearer error="invalid_token"/)
    untouched()
  })

  it('A5 A6 falls back to the service key, which names the user, in any spelling of the names', async () => {
    expect((await get(METRICS, { ...bearer(tokens.expired), 'X-API-Key': 'sekret', 'X-User-Id': 'test-user-123' })).status).toBe(200)
    expect(lastSeen(api)).toMatchObject({ 'x-auth-user-id': 'test-user-123', 'x-auth-method': 'service_key' })
    expect((await get(METRICS, { 'X-Api-Key': 'sekret', 'x-user-id': 'test-user-123' })).status).toBe(200)
  })

  it.each([['Basic', 'Basic dXNlcjpwYXNz'], ['nothing', 'Bearer '], ['two words', 'Bearer a b'], ['9,000 characters', `Bearer ${'a'.repeat(9_000)}`], ['a shape that is none', 'Bearer eyJ.eyJ.x']])('falls back also from an Authorization of %s', async (_title, value) => {
    expect((await get(METRICS, { Authorization: value, 'X-API-Key': 'sekret', 'X-User-Id': 'test-user-123' })).status).toBe(200)
    expect(lastSeen(api)['x-auth-user-id']).toBe('test-user-123')
    hits = api.seen.length
    const alone = await get(METRICS, { Authorization: value })
    expect([alone.status, alone.json]).toEqual([401, value === 'Bearer ' ? MISSING : INVALID])
    expect(alone.headers['www-authenticate']).toMatch(/^Bearer/)
    untouched()
  })

  it('lets a valid token win and discards the asserted user', async () => {
    await get(METRICS, { ...bearer(tokens.ok), 'X-API-Key': 'sekret', 'X-User-Id': 'victim' })
    expect(lastSeen(api)).toMatchObject({ 'x-user-id': USER_ID, 'x-auth-user-id': USER_ID })
    expect(JSON.stringify(lastSeen(api))).not.toContain('victim')
  })

  it('A7 A8 never accepts half of the pair', async () => {
    const keyOnly = await get(METRICS, { 'X-API-Key': 'sekret' })
    expect([keyOnly.status, keyOnly.json]).toEqual([401, MISSING])
    const userOnly = await get(METRICS, { 'X-User-Id': 'victim' })
    expect([userOnly.status, userOnly.json]).toEqual([401, MISSING])
    untouched()
  })

  it('A9 refuses a wrong service key in its own words', async () => {
    const answer = await get(METRICS, { 'X-API-Key': 'wrong', 'X-User-Id': 'u' })
    expect([answer.status, answer.json]).toEqual([401, { detail: 'Unauthorized' }])
    untouched()
  })

  it.each(['/api/dashboard/settings/123', '/api/dashboard/123/settings/history', '/api/dashboard/123/onboarding/questions', '/api/dashboard/logs'])('A11 wants the token alone on %s', async (path) => {
    expect((await get(path, { 'X-API-Key': 'sekret', 'X-User-Id': 'u' })).status).toBe(401)
    untouched()
    expect((await get(path, bearer(tokens.ok))).status).toBe(200)
  })

  it('A15 leaves health open and still removes what a client claims', async () => {
    const answer = await get('/api/health', { 'X-Auth-User-Id': 'x', 'X_Auth_User_Id': 'x', 'X-User-Id': 'x', 'X.User.Id': 'x' })
    expect(answer.status).toBe(200)
    expect((await get('/api/health', {}, { method: 'HEAD' })).status).toBe(200)
    expect((await get('/api/health', {}, { method: 'POST' })).status).toBe(401)
    expect(Object.keys(lastSeen(api)).filter((name) => /^x.(auth.)?user/.test(name))).toEqual([])
  })

  it('refuses what no route names', async () => {
    expect((await get('/admin', bearer(tokens.ok))).status).toBe(404)
    untouched()
  })

  it.each([
    ['two Authorization lines', { Authorization: ['Bearer a', 'Bearer b'] }],
    ['two keys', { 'X-API-Key': ['sekret', 'other'], 'X-User-Id': 'u' }],
    ['two asserted users', { 'X-API-Key': 'sekret', 'X-User-Id': ['a', 'b'] }],
    ['an alias of the key header', { X_API_Key: 'sekret', 'X-User-Id': 'u' }],
  ])('refuses %s with 400', async (_title, headers) => {
    const answer = await ask(postern.url, METRICS, { headers })
    expect(answer.status).toBe(400)
    untouched()
  })

  it('A19 leaves method, query and body as they are', async () => {
    const body = '{"guild":"9"}'
    await get('/api/dashboard/settings/1?guild_id=9', { ...bearer(tokens.ok), 'Content-Type': 'application/json' }, { method: 'POST', body })
    expect(api.seen.at(-1)).toMatchObject({ method: 'POST', target: '/api/dashboard/settings/1?guild_id=9', body })
  })

  it('gives refusals the CORS fields of the configured origin', async () => {
    const answer = await get(METRICS, { Origin: 'http://localhost:3000' })
    expect([answer.status, answer.headers['access-control-allow-origin']]).toEqual([401, 'http://localhost:3000'])
    expect((await get(METRICS, { Origin: 'https://evil.example' })).headers['access-control-allow-origin']).toBeUndefined()
  })

  it('A14 answers 503 while the project hangs, and 500 when it refuses our own key', async () => {
    const token = await fresh()
    project.fail('/auth/v1/user', (_request, response) => void response.writeHead(500, { 'content-type': 'text/html' }).end('<h1>oops</h1>'))
    const down = await get(METRICS, bearer(token))
    expect([down.status, down.json]).toEqual([503, { detail: 'Failed to validate Supabase token.' }])
    expect(Number(down.headers['retry-after'])).toBeGreaterThanOrEqual(1)
    project.fail('/auth/v1/user', (_request, response) => void response.writeHead(401, { 'content-type': 'application/json' }).end('{"message":"Invalid API key"}'))
    const wrong = await get(METRICS, bearer(await fresh()))
    expect([wrong.status, wrong.json]).toEqual([500, { detail: 'Supabase credentials are not configured.' }])
    project.fail('/auth/v1/user', undefined)
    untouched()
  })

  it('A14 gives up on a project that never answers after its deadline', { timeout: 15_000 }, async () => {
    project.fail('/auth/v1/user', () => undefined)
    const token = await fresh()
    const answer = await get(METRICS, bearer(token))
    project.fail('/auth/v1/user', undefined)
    expect([answer.status, answer.headers['retry-after'] !== undefined]).toEqual([503, true])
    untouched()
  })

  const recordsOf = (path: string): Record<string, unknown>[] => postern.audit().filter((record) => record['url.path'] === path)

  it('writes exactly one audit record per request, with every attempt and without a secret', async () => {
    await get('/api/audited', { ...bearer(tokens.flipped), 'X-API-Key': 'wrong', 'X-User-Id': 'u' })
    await expect.poll(() => recordsOf('/api/audited').length).toBe(1)
    await get('/api/after')
    await expect.poll(() => recordsOf('/api/after').length).toBe(1)
    expect(recordsOf('/api/audited').length).toBe(1)
    const [record] = recordsOf('/api/audited')
    expect(record).toMatchObject({ 'event.outcome': 'failure', 'client.address': '127.0.0.1' })
    expect(JSON.stringify(record)).toMatch(/"supabase".*"service_key"/)
  })

  it.each([
    ['expired', 'jwt_expired'],
    ['other', 'remote_rejected'],
    ['anon', 'jwt_anon_key'],
  ] as const)('tells in the log why a token was refused: %s', async (kind, reason) => {
    await get(`/api/why/${kind}`, bearer(tokens[kind]))
    await expect.poll(() => recordsOf(`/api/why/${kind}`).length).toBe(1)
    expect(recordsOf(`/api/why/${kind}`)[0]).toMatchObject({ 'event.reason': reason, attempts: [{ authenticator: 'supabase', reason }, { authenticator: 'service_key', outcome: 'missing' }] })
  })

  it('names the issuer of a token of another project in the log, and only there', async () => {
    const answer = await get('/api/mismatch', bearer(tokens.other))
    expect(answer.json).toEqual(INVALID)
    await expect.poll(() => recordsOf('/api/mismatch').length).toBe(1)
    const text = JSON.stringify(recordsOf('/api/mismatch')[0])
    expect([text.includes(stranger.issuer), text.includes(project.issuer)]).toEqual([true, true])
    expect(JSON.stringify([answer.headers, answer.body])).not.toContain('127.0.0.1')
  })

  it('says of a user that a service named him', async () => {
    await get('/api/asserted', { 'X-API-Key': 'sekret', 'X-User-Id': 'test-user-123' })
    await expect.poll(() => recordsOf('/api/asserted').length).toBe(1)
    expect(recordsOf('/api/asserted')[0]).toMatchObject({ 'user.id': 'test-user-123', 'auth.credential_id': 'service', 'auth.asserted': true })
    await get('/api/proven', bearer(tokens.ok))
    await expect.poll(() => recordsOf('/api/proven').length).toBe(1)
    expect(recordsOf('/api/proven')[0]).not.toHaveProperty('auth.asserted')
  })

  it.each([
    ['GET', '/api/dashboard/metrics'], ['GET', '/api/metrics'], ['GET', '/api/dashboard/metrics?guild_id=1'], ['GET', '/api/dashboard/settings/1'], ['POST', '/api/dashboard/settings/1'],
    ['GET', '/api/dashboard/1/onboarding/questions'], ['POST', '/api/dashboard/1/onboarding/questions'], ['DELETE', '/api/dashboard/1/onboarding/questions'],
    ['GET', '/api/dashboard/1/onboarding/rules'], ['POST', '/api/dashboard/1/onboarding/rules'], ['DELETE', '/api/dashboard/1/onboarding/rules'],
    ['GET', '/api/dashboard/1/settings/history?scope=a&key=b&limit=50'], ['POST', '/api/dashboard/1/settings/rollback/7'], ['GET', '/api/dashboard/logs'],
  ])('guards %s %s and lets a login through to it', async (method, path) => {
    expect((await get(path, {}, { method })).status).toBe(401)
    untouched()
    expect((await get(path, bearer(tokens.ok), { method })).status).toBe(200)
    expect(api.seen.at(-1)).toMatchObject({ method, target: path })
  })

  it('forwards guild_id untouched, as a parameter and as the header that the sample code makes of it', async () => {
    await get(`${METRICS}?guild_id=123456789`, { ...bearer(tokens.ok), guild_id: '123456789' })
    expect(api.seen.at(-1)?.target).toBe(`${METRICS}?guild_id=123456789`)
    expect(lastSeen(api)['guild_id']).toBe('123456789')
  })

  it.each([
    ['257 characters', 'u'.repeat(257)],
    ['a space', 'a b'],
    ['a byte beyond ASCII', 'us\u00e9r'],
    ['nothing', ''],
  ])('refuses an asserted user of %s', async (_title, user) => {
    const answer = await get(METRICS, { 'X-API-Key': 'sekret', 'X-User-Id': user })
    expect(answer.status).toBe(401)
    expect(Object.keys(answer.json as object)).toEqual(['detail'])
    untouched()
  })

  it('takes any opaque user of up to 256 visible characters', async () => {
    for (const user of ['u'.repeat(256), 'auth0|5f7:x', '~!@#$%']) {
      expect((await get(METRICS, { 'X-API-Key': 'sekret', 'X-User-Id': user })).status).toBe(200)
      expect(lastSeen(api)['x-auth-user-id']).toBe(user)
    }
  })

  it.each([
    ['user_not_found', 403, 401],
    ['session_not_found', 403, 401],
    ['no_authorization', 401, 401],
    ['user_banned', 403, 403],
  ])('reads the verdict %s from its code, never from the status', async (code, status, expected) => {
    project.fail('/auth/v1/user', (_request, response) => void response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify({ code: status, error_code: code, msg: 'No' })))
    const answer = await get(METRICS, bearer(await fresh()))
    project.fail('/auth/v1/user', undefined)
    expect(answer.status).toBe(expected)
    expect(Object.keys(answer.json as object)).toEqual(['detail'])
    if (expected === 401) expect(answer.json).toEqual(INVALID)
    untouched()
  })

  it('answers 503 with the project\'s own Retry-After while it is limited', async () => {
    project.fail('/auth/v1/user', (_request, response) => void response.writeHead(429, { 'content-type': 'application/json', 'retry-after': '7' }).end('{"code":429,"error_code":"over_request_rate_limit","msg":"Request rate limit reached"}'))
    const answer = await get(METRICS, bearer(await fresh()))
    project.fail('/auth/v1/user', undefined)
    expect([answer.status, answer.headers['retry-after'], answer.json]).toEqual([503, '7', { detail: 'Failed to validate Supabase token.' }])
  })

  it('takes a user record that is wrapped', async () => {
    project.fail('/auth/v1/user', (_request, response) => void response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify({ user: { id: USER_ID, email: 'dev@example.com', role: 'authenticated', aud: 'authenticated' } })))
    const answer = await get(METRICS, bearer(await fresh()))
    project.fail('/auth/v1/user', undefined)
    expect(answer.status).toBe(200)
    expect(lastSeen(api)).toMatchObject({ 'x-auth-user-id': USER_ID, 'x-auth-email': 'dev@example.com' })
  })

  it('asks once about a token that comes many times at once', async () => {
    const token = await fresh()
    const answers = await Promise.all(Array.from({ length: 20 }, () => get(METRICS, bearer(token))))
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]))
    expect(project.seen('/auth/v1/user').length).toBe(1)
  })

  it('answers a preflight itself, without a credential', async () => {
    const answer = await get(METRICS, { Origin: 'http://localhost:3000', 'Access-Control-Request-Method': 'GET', 'Access-Control-Request-Headers': 'authorization,x-api-key,x-user-id' }, { method: 'OPTIONS' })
    expect([answer.status, answer.headers['access-control-allow-origin'], answer.headers['access-control-allow-credentials']]).toEqual([204, 'http://localhost:3000', undefined])
    expect(answer.headers.vary).toMatch(/origin/i)
    untouched()
  })

  it('gives every refusal the same shape', async () => {
    for (const [path, headers, status] of [['/admin', {}, 404], [METRICS, { 'X-API-Key': ['a', 'b'] }, 400], [METRICS, {}, 401]] as const) {
      const answer = await get(path, headers)
      expect([answer.status, Object.keys(answer.json as object), answer.headers['cache-control'], answer.headers['content-type']?.split(';')[0]]).toEqual([status, ['detail'], 'no-store', 'application/json'])
    }
  })

  it('said no secret to anybody', () => expectNoLeaks(gathered, postern))
})

describe('alphapy with an API that says no', () => {
  it('A17 passes its refusal on byte for byte', async () => {
    const body = '{"detail":  "You do not have admin access to this guild."}\n'
    const upstream = await startAnswering(raw(403, body, { 'content-type': 'application/json; charset=utf-8', 'x-own': '1' }))
    await withPostern({ ...environment(), UPSTREAM_URL: upstream.url }, async ({ url }) => {
      const answer = await ask(url, METRICS, { headers: bearer(tokens.ok) })
      expect([answer.status, answer.body, answer.headers['content-type'], answer.headers['x-own']]).toEqual([403, body, 'application/json; charset=utf-8', '1'])
    })
    await upstream.close()
    await withPostern({ ...environment(), UPSTREAM_URL: upstream.url }, async ({ url }) => {
      const answer = await ask(url, METRICS, { headers: bearer(tokens.ok) })
      expect([answer.status, Object.keys(answer.json as object)]).toEqual([502, ['detail']])
    })
  })
})

describe('alphapy with origins of its own', () => {
  it('lets exactly those send credentials', async () => {
    await withPostern({ ...environment(), CORS_ORIGINS: 'https://mind.example,https://admin.mind.example' }, async ({ url }) => {
      for (const origin of ['https://mind.example', 'https://admin.mind.example']) {
        const { headers } = await ask(url, METRICS, { headers: { Origin: origin } })
        expect([headers['access-control-allow-origin'], headers['access-control-allow-credentials']]).toEqual([origin, 'true'])
      }
      for (const origin of ['http://localhost:3000', 'https://mind.example.evil', 'null']) expect((await ask(url, METRICS, { headers: { Origin: origin } })).headers['access-control-allow-origin']).toBeUndefined()
    })
  })
})

describe('alphapy without a service key', () => {
  it.each([{}, { API_KEY: '' }])('never believes a named user', async (more) => {
    const { API_KEY: _off, ...rest } = environment()
    await withPostern({ ...rest, ...more }, async ({ url }) => {
      for (const headers of [{ 'X-User-Id': 'victim' }, { 'X-API-Key': '', 'X-User-Id': 'victim' }, { 'X-API-Key': 'sekret', 'X-User-Id': 'victim' }]) expect((await ask(url, METRICS, { headers })).status).toBe(401)
      untouched()
      expect((await ask(url, METRICS, { headers: bearer(tokens.ok) })).status).toBe(200)
    })
  })
})

describe('what the example of alphapy has switched off', () => {
  let folder: string
  /** The shipped file with the lines that hold this text made active. */
  const withLines = (...texts: readonly string[]): string => {
    const file = join(folder, 'alphapy.yaml')
    const lines = readFileSync('config/alphapy.yaml', 'utf8').split('\n')
    for (const text of texts) expect(lines.some((line) => line.trimStart().startsWith('# ') && line.includes(text)), text).toBe(true)
    writeFileSync(file, lines.map((line) => (texts.some((text) => line.includes(text)) ? line.replace('# ', '') : line)).join('\n'))
    return file
  }
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'postern-alphapy-'))
  })
  afterAll(() => rmSync(folder, { recursive: true }))

  it('are a user who is named by a Discord id', async () => {
    const file = withLines('from_header: X-Discord-User-Id', 'Invalid Discord user id')
    writeFileSync(file, readFileSync(file, 'utf8').replace(/^ *subject: \{ from_header: X-User-Id.*\n/m, ''))
    await withPostern(environment(), async ({ url }) => {
      const bad = await ask(url, METRICS, { headers: { 'X-Api-Key': 'sekret', 'X-Discord-User-Id': '12a' } })
      expect([bad.status, bad.json]).toEqual([400, { detail: 'Invalid Discord user id' }])
      untouched()
      expect((await ask(url, METRICS, { headers: { 'X-Api-Key': 'sekret', 'X-Discord-User-Id': '123456789' } })).status).toBe(200)
      expect(lastSeen(api)['x-auth-user-id']).toBe('123456789')
      await ask(url, METRICS, { headers: { ...bearer(tokens.ok), 'X-Discord-User-Id': '666000666000666' } })
      expect(JSON.stringify(lastSeen(api))).not.toContain('666000666000666')
    }, file)
  })

  it('the service key while the project is away', async () => {
    const file = join(folder, 'next.yaml')
    writeFileSync(file, readFileSync('config/alphapy.yaml', 'utf8').replace('    on_invalid: next', '    on_unavailable: next\n    on_invalid: next'))
    await withPostern({ ...environment(), SUPABASE_URL: 'http://127.0.0.1:9' }, async ({ url }) => {
      const token = bearer(await fresh())
      expect((await ask(url, METRICS, { headers: { ...token, 'X-API-Key': 'sekret', 'X-User-Id': 'u' } })).status).toBe(200)
      expect((await ask(url, METRICS, { headers: token })).status).toBe(503)
    }, file)
  })

  it('the service key for guilds', async () => {
    const file = join(folder, 'guilds.yaml')
    writeFileSync(file, readFileSync('config/alphapy.yaml', 'utf8').replace('any: [supabase] }', 'any: [supabase, service_key] }'))
    await withPostern(environment(), async ({ url }) => {
      expect((await ask(url, '/api/dashboard/settings/123', { headers: { 'X-API-Key': 'sekret', 'X-User-Id': 'u' } })).status).toBe(200)
    }, file)
  })

  it('and the limits of its source, in its words', async () => {
    const file = withLines('rate_limit', 'Rate limit exceeded. Max')
    await withPostern(environment(), async ({ url }) => {
      const answers = await Promise.all(Array.from({ length: 31 }, () => ask(url, METRICS, { headers: bearer(tokens.ok) })))
      const refused = answers.filter(({ status }) => status === 429)
      expect(refused.length).toBe(1)
      expect(Object.keys(refused[0]?.headers ?? {}).filter((name) => name.includes('ratelimit'))).toEqual([])
      expect(refused[0]?.json).toEqual({ detail: 'Rate limit exceeded. Max 30 requests per minute per IP.' })
    }, file)
  })
})

describe('alphapy with nothing set', () => {
  it('A12 starts degraded, is ready, says so, and answers the documented 500', async () => {
    const degraded = await startPostern({ config: 'config/alphapy.yaml', env: { UPSTREAM_URL: `http://127.0.0.1:${api.port}`, POSTERN_DRAIN_DELAY: '0' } })
    try {
      const answer = await ask(degraded.url, METRICS, { headers: bearer(tokens.ok) })
      expect([answer.status, answer.json]).toEqual([500, { detail: 'Supabase credentials are not configured.' }])
      const ready = await fetch(`${degraded.opsUrl}/readyz?verbose`)
      expect([ready.status, (await ready.text()).includes('[!]provider_supabase degraded: url and api_key not set')]).toEqual([200, true])
      expect(await (await fetch(`${degraded.opsUrl}/metrics`)).text()).toMatch(/postern_degraded\{what="[^"]*supabase[^"]*"\} 1/)
      expect(degraded.output()).toMatch(/supabase is degraded/)
      expect((await ask(degraded.url, METRICS, { headers: { 'X-API-Key': '', 'X-User-Id': 'victim' } })).status).toBe(401)
      untouched()
    } finally {
      await degraded.stop()
    }
  })
})
