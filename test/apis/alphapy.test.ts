import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { EchoUpstream } from '../support/echo-upstream.ts'
import { startGoTrue, type GoTrue } from '../support/gotrue.ts'
import { startPostern, type RunningPostern } from '../support/running-postern.ts'
import { ask, lastSeen, mintTokens, startApi, USER_ID, type Ask, type Asked, type Tokens } from './asking.ts'

const METRICS = '/api/dashboard/metrics'
const MISSING = { detail: 'Missing authentication context' }
const INVALID = { detail: 'Invalid Supabase token.' }

let api: EchoUpstream
let project: GoTrue
let stranger: GoTrue
let tokens: Tokens
let postern: RunningPostern

beforeAll(async () => {
  ;[api, project, stranger] = await Promise.all([startApi(), startGoTrue(), startGoTrue()])
  tokens = await mintTokens(project, stranger)
  postern = await startPostern({ config: 'config/alphapy.yaml', env: { UPSTREAM_URL: `http://127.0.0.1:${api.port}`, SUPABASE_URL: project.url, SUPABASE_ANON_KEY: project.anonKey, API_KEY: 'sekret' } })
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
const get = (path: string, headers: Ask['headers'] = {}, more: Ask = {}): Promise<Asked> => ask(postern.url, path, { headers, ...more })
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
    const fresh = await project.accessToken(project.accounts.byId(USER_ID)!)
    project.fail('/auth/v1/user', (_request, response) => void response.writeHead(500, { 'content-type': 'text/html' }).end('<h1>oops</h1>'))
    const down = await get(METRICS, bearer(fresh))
    expect([down.status, down.json]).toEqual([503, { detail: 'Failed to validate Supabase token.' }])
    expect(Number(down.headers['retry-after'])).toBeGreaterThanOrEqual(1)
    project.fail('/auth/v1/user', (_request, response) => void response.writeHead(401, { 'content-type': 'application/json' }).end('{"message":"Invalid API key"}'))
    const wrong = await get(METRICS, bearer(await project.accessToken(project.accounts.byId(USER_ID)!)))
    expect([wrong.status, wrong.json]).toEqual([500, { detail: 'Supabase credentials are not configured.' }])
    project.fail('/auth/v1/user', undefined)
    untouched()
  })

  it('A14 gives up on a project that never answers after its deadline', { timeout: 15_000 }, async () => {
    project.fail('/auth/v1/user', () => undefined)
    const fresh = await project.accessToken(project.accounts.byId(USER_ID)!)
    const answer = await get(METRICS, bearer(fresh))
    project.fail('/auth/v1/user', undefined)
    expect([answer.status, answer.headers['retry-after'] !== undefined]).toEqual([503, true])
    untouched()
  })

  it('writes exactly one audit record per request, with every attempt and without a secret', async () => {
    const before = postern.audit().length
    await get(METRICS, { ...bearer(tokens.flipped), 'X-API-Key': 'wrong', 'X-User-Id': 'u' })
    await expect.poll(() => postern.audit().length).toBe(before + 1)
    const [record] = postern.audit().slice(before)
    expect(record).toMatchObject({ 'event.outcome': 'failure', 'client.address': '127.0.0.1' })
    expect(JSON.stringify(record)).toMatch(/"supabase".*"service_key"/)
    for (const secret of ['sekret', 'wrong', tokens.ok, tokens.flipped, project.anonKey]) expect(postern.output()).not.toContain(`"${secret}"`)
    expect(postern.output()).not.toContain(tokens.ok)
  })
})

describe('alphapy with nothing set', () => {
  it('A12 starts degraded, is ready, says so, and answers the documented 500', async () => {
    const degraded = await startPostern({ config: 'config/alphapy.yaml', env: { UPSTREAM_URL: `http://127.0.0.1:${api.port}` } })
    try {
      const answer = await ask(degraded.url, METRICS, { headers: bearer(tokens.ok) })
      expect([answer.status, answer.json]).toEqual([500, { detail: 'Supabase credentials are not configured.' }])
      expect((await (await fetch(`${degraded.opsUrl}/readyz?verbose`)).text()).toLowerCase()).toContain('supabase')
      expect((await ask(degraded.url, METRICS, { headers: { 'X-API-Key': '', 'X-User-Id': 'victim' } })).status).toBe(401)
      untouched()
    } finally {
      await degraded.stop()
    }
  })
})
