import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { parseKey } from '../../src/keys/key-format.ts'
import { startIssuer, type Issuer } from '../support/issuer.ts'
import { startRecordingUpstream, type RecordingUpstream } from '../support/recording-upstream.ts'
import { runPostern, startPostern, type RunningPostern } from '../support/running-postern.ts'

const CONFIG = `
version: 1
listen: \${LISTEN}
ops: \${OPS_LISTEN}
upstream: \${UPSTREAM_URL}
client_ip: { direct: true }
drain: { delay: 0, timeout: 1s }
authenticators:
  pat: { type: api_key, in: [{ bearer: true }], prefix: [acme_live_], store: "\${KEY_STORE}", pepper: a pepper for this test }
  web: { type: jwt, in: [{ bearer: true }, { cookie: session }], issuer: "\${ISSUER}", audience: api, jwks_url: "\${ISSUER}/jwks" }
self_service: { auth: "\${SELF_AUTH:-web}", scopes: [read, write], max_tokens: 2, max_lifetime: 30d }
identity: { X-User-Id: "{{principal.id}}", X-Scopes: "{{principal.scopes|space}}" }
`

let folder: string
let issuer: Issuer
let upstream: RecordingUpstream
let postern: RunningPostern
let alice: string
const secrets: string[] = []

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'postern-e2e-self-'))
  writeFileSync(join(folder, 'postern.yaml'), CONFIG)
  issuer = await startIssuer()
  upstream = await startRecordingUpstream()
  postern = await startPostern({ config: join(folder, 'postern.yaml'), env: { UPSTREAM_URL: `http://127.0.0.1:${upstream.port}`, KEY_STORE: join(folder, 'keys.db'), ISSUER: issuer.url } })
  alice = await issuer.mint({ scope: 'read admin' })
})
afterEach(async () => {
  await postern.stop()
  await upstream.close()
  await issuer.close()
  const files = readdirSync(folder).map((name) => readFileSync(join(folder, name), 'latin1'))
  for (const secret of secrets.splice(0)) expect([postern.output(), ...files].join('\n')).not.toContain(secret)
  rmSync(folder, { recursive: true })
})

interface Answer { readonly status: number; readonly text: string; readonly headers: Headers; readonly body: Record<string, unknown> }

async function call(method: string, path: string, { token = alice, body, headers = {} }: { token?: string; body?: unknown; headers?: Record<string, string> } = {}): Promise<Answer> {
  const answer = await fetch(`${postern.url}${path}`, { method, redirect: 'manual', headers: { ...(token === '' ? {} : { authorization: `Bearer ${token}` }), ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...headers }, ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }) })
  const text = await answer.text()
  const parsed: unknown = (answer.headers.get('content-type') ?? '').includes('json') ? JSON.parse(text) : {}
  const made = (parsed as { key?: string }).key
  if (made !== undefined) secrets.push(parseKey(made)?.secret ?? '?')
  return { status: answer.status, text, headers: answer.headers, body: parsed as Record<string, unknown> }
}
const create = (body: unknown = { name: 'laptop', scopes: ['read'] }, token = alice): Promise<Answer> => call('POST', '/account/tokens', { token, body })

describe('people and tokens of their own', () => {
  it('create one, use it with no more scopes than they gave it, see it in their list and revoke it', async () => {
    const { status, body } = await create()
    expect(status).toBe(201)
    expect(body).toMatchObject({ name: 'laptop', scopes: ['read'], key: expect.stringMatching(/^acme_live_/) })
    expect(Date.parse(String(body['expires_at'])) - Date.now()).toBeLessThanOrEqual(30 * 86_400_000)
    expect((await call('GET', '/x', { token: String(body['key']) })).status).toBe(200)
    expect(upstream.requests.at(-1)!.headers.map(([name, value]) => `${name.toLowerCase()}: ${value}`)).toEqual(expect.arrayContaining(['x-user-id: alice', 'x-scopes: read']))
    const list = await call('GET', '/account/tokens')
    expect(list.body['items']).toMatchObject([{ id: body['id'], name: 'laptop', state: 'active' }])
    expect(list.text).not.toContain(String(body['key']))
    expect((await call('DELETE', `/account/tokens/${body['id']}`)).status).toBe(204)
    await wait(1_000)
    expect((await call('GET', '/x', { token: String(body['key']) })).status).toBe(401)
    await expect.poll(() => postern.audit().map((record) => record['postern.actor'])).toContain('user:web:alice')
  })

  it('see and revoke only their own: others do not exist', async () => {
    const { body: { id } } = await create()
    const bob = await issuer.mint({ sub: 'bob' })
    expect((await call('GET', '/account/tokens', { token: bob })).body).toEqual({ items: [] })
    expect(await call('DELETE', `/account/tokens/${id}`, { token: bob })).toMatchObject({ status: 404, body: { code: 'key_not_found' } })
    expect(await call('DELETE', '/account/tokens/key_nobody', { token: bob })).toMatchObject({ status: 404, body: { code: 'key_not_found' } })
    expect((await call('GET', '/account/tokens')).body['items']).toMatchObject([{ state: 'active' }])
  })

  it.each([
    ['a scope that they do not have', { scopes: ['write'] }],
    ['a scope of theirs that no token may have', { scopes: ['admin'] }],
    ['a longer life than allowed', { expires: '31d' }],
    ['an owner', { owner: 'bob' }],
    ['a tier', { tier: 'gold' }],
    ['text instead of an object', '"x"'],
  ])('are refused %s', async (_what, body) => {
    expect(await create(body)).toMatchObject({ status: 400, body: { code: 'request_invalid' } })
  })

  it('may have so many and not one more, also when they ask at the same time', async () => {
    const made = await Promise.all([1, 2, 3, 4].map(() => create({ name: 'n' })))
    expect(made.map(({ status }) => status).toSorted()).toEqual([201, 201, 400, 400])
  })

  it('need to have signed in: not with a token of this kind, and not as nobody', async () => {
    const { body: { key } } = await create()
    expect((await call('GET', '/account/tokens', { token: String(key) })).status).toBe(401)
    expect((await call('GET', '/account/tokens', { token: '' })).status).toBe(401)
  })

  it('are safe from pages of other origins, which send the cookie along', async () => {
    const cookie = { cookie: `session=${alice}`, 'content-type': 'application/x-www-form-urlencoded' }
    const form = (headers: Record<string, string>): Promise<Answer> => call('POST', '/account/tokens', { token: '', body: 'name=evil', headers: { ...cookie, ...headers } })
    expect((await form({ origin: 'https://evil.example' })).status).toBe(403)
    expect((await form({ 'sec-fetch-site': 'cross-site' })).status).toBe(403)
    expect((await form({ origin: 'null' })).status).toBe(403)
    expect((await call('GET', '/account/tokens')).body).toEqual({ items: [] })
    const own = await form({ origin: postern.url })
    expect(own.status).toBe(201)
    secrets.push(/value="acme_live_([0-9A-Za-z]{43})/.exec(own.text)?.[1] ?? '?')
  })

  it('get a page whose foreign text stays text, with a policy that runs nothing', async () => {
    await create({ name: '<script>alert(1)</script>"\'><img src=x onerror=alert(1)>' })
    const { status, text, headers } = await call('GET', '/account/tokens', { headers: { accept: 'text/html' } })
    expect(status).toBe(200)
    expect(text).not.toMatch(/<script|<img/)
    expect(text).toContain('&lt;script&gt;')
    expect(headers.get('content-security-policy')).toContain("default-src 'none'")
    expect(headers.get('cache-control')).toBe('no-store')
  })
})

describe('the config of self-service', () => {
  it.each([['api keys as a way to sign in', 'pat', 'tokens are made by people'], ['an authenticator that there is not', 'nobody', 'there is no authenticator']])('with %s ends the start with 78', async (_what, auth, message) => {
    const { code, stderr } = await runPostern(['check', '--config', join(folder, 'postern.yaml')], { LISTEN: '127.0.0.1:0', OPS_LISTEN: '127.0.0.1:0', UPSTREAM_URL: 'http://127.0.0.1:1', KEY_STORE: join(folder, 'other.db'), ISSUER: issuer.url, SELF_AUTH: auth })
    expect(code).toBe(78)
    expect(stderr).toContain(message)
  })

  it('with two ways to sign in ends the start with 78: tokens belong to a subject, and two issuers may mean two people by one', async () => {
    const file = join(folder, 'two.yaml')
    writeFileSync(file, CONFIG.replace('self_service: { auth: "${SELF_AUTH:-web}"', '  other: { type: jwt, issuer: "https://other.example", audience: api, jwks_url: "${ISSUER}/jwks" }\nself_service: { auth: [web, other]'))
    const { code, stderr } = await runPostern(['check', '--config', file], { LISTEN: '127.0.0.1:0', OPS_LISTEN: '127.0.0.1:0', UPSTREAM_URL: 'http://127.0.0.1:1', KEY_STORE: join(folder, 'other.db'), ISSUER: issuer.url })
    expect([code, stderr]).toEqual([78, expect.stringContaining('one way to sign in')])
  })
})
