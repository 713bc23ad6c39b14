import { connect } from 'node:net'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createKeyHasher } from '../../keys/key-digest.ts'
import { parseKey } from '../../keys/key-format.ts'
import type { KeyAct, KeyService } from '../../keys/key-service.ts'
import { createKeyService } from '../../keys/key-service.ts'
import type { KeyStore } from '../../keys/key-store.ts'
import { KeyStoreUnavailable } from '../../keys/key-store.ts'
import { createMemoryStore } from '../../keys/memory-store.ts'
import { adminGate } from '../../../test/support/admin-gate.ts'
import { SILENT, type DecidedEvent } from '../../model/event.ts'
import { createAdminFace, type AdminFace } from './server.ts'
import type { LimitsService } from './limits-routes.ts'
import { createPageSessions } from './sessions.ts'

const TOKEN = 'the-admin-token-of-this-test'
const hasher = createKeyHasher({ pepper: 'sixteen-characters' })

let now: number
let acts: KeyAct[]
let notices: unknown[]
let faults: unknown[]
let answered: number[]
let decided: DecidedEvent[]
let services: Map<string, KeyService>
let store: KeyStore
let face: AdminFace | undefined
let origin: string

const serviceOn = (keyStore: KeyStore): KeyService => createKeyService({ store: keyStore, hasher, prefix: 'acme', tiers: ['free', 'pro'], clock: () => now, onAct: (act) => acts.push(act) })

beforeEach(async () => {
  now = Date.UTC(2026, 0, 1)
  acts = []
  notices = []
  faults = []
  answered = []
  decided = []
  store = createMemoryStore()
  services = new Map([['pat', serviceOn(store)]])
  const observer = { ...SILENT, noticed: (...args: unknown[]) => void notices.push(args), faulted: (error: unknown) => void faults.push(error), answered: ({ status }: { status: number }) => void answered.push(status), decided: (event: DecidedEvent) => void decided.push(event) }
  const sessions = createPageSessions(() => now)
  const gateway = adminGate({ admin: { token: TOKEN, hosts: ['admin.internal'] }, sessions, clock: () => now, observer })
  face = createAdminFace({ address: { host: '127.0.0.1', port: 0 }, gateway, sessions, services: () => services, denials: () => undefined, limits: () => LIMITS, explain: async (tried) => ({ data: { outcome: 'allow', tried }, text: 'a trace' }), version: '0', clock: () => now, observer })
  await face.listen()
  origin = face?.origin() ?? ''
})
afterEach(() => face?.close())

interface Answer { readonly status: number; readonly body: Record<string, unknown>; readonly headers: Headers }
async function call(method: string, path: string, { body, headers = {} }: { body?: unknown; headers?: Record<string, string> } = {}): Promise<Answer> {
  const answer = await fetch(origin + path, {
    method, headers: { authorization: `Bearer ${TOKEN}`, ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...headers },
    ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  })
  const text = await answer.text()
  return { status: answer.status, headers: answer.headers, body: text === '' ? {} : JSON.parse(text) }
}

/** Sends bytes as they are and gives the whole answer. */
const raw = (bytes: string): Promise<string> =>
  new Promise((resolve, reject) => {
    const socket = connect(Number(new URL(origin).port), '127.0.0.1')
    let text = ''
    socket.on('data', (chunk) => (text += String(chunk)))
    socket.on('close', () => resolve(text))
    socket.on('error', reject)
    socket.end(bytes)
  })
const rawGet = (lines: readonly string[]): Promise<string> => raw(`GET /v1/keys HTTP/1.1\r\n${lines.join('\r\n')}\r\nConnection: close\r\n\r\n`)

const create = (body: Record<string, unknown> = { owner: 'user_1' }): Promise<Answer> => call('POST', '/v1/keys', { body })

const COUNTER = { policy: 'minute', algorithm: 'fixed', window_ms: 60_000, used: 1, quota: 2, remaining: 1, resets_at: '2026-01-01T00:01:00.000Z' }
const CLOSE = { partition: 'client_ip:192.0.2.1', policy: 'minute', exceeded: true, remaining: 0, quota: 2, resets_at: '2026-01-01T00:01:00.000Z', seen_at: '2026-01-01T00:00:00.000Z' }
const LIMITS: LimitsService = {
  show: async () => [COUNTER],
  closeCalls: async () => [CLOSE],
  reset: async () => 2,
}

describe('explaining over the admin API', () => {
  it('passes on what was sketched, strictly, and gives the trace', async () => {
    const body = { method: 'GET', path: '/x', https: true, token: 't', headers: ['Accept: a, b'], cookies: ['a=b'] }
    expect((await call('POST', '/v1/explain', { body })).body).toEqual({ outcome: 'allow', tried: body, trace: 'a trace' })
    for (const wrong of [{ method: 'GET' }, { path: '/x' }, { ...body, https: 'yes' }, { ...body, tokn: 'x' }, { ...body, headers: [1] }]) expect((await call('POST', '/v1/explain', { body: wrong })).status).toBe(400)
    expect((await call('GET', '/v1/explain')).status).toBe(405)
  })
})

describe('limits over the admin API', () => {
  it('shows and forgets the counters of one partition, and who is near a limit when it is not told which', async () => {
    expect((await call('GET', '/v1/limits?partition=client_ip:192.0.2.1')).body).toEqual({ items: [COUNTER] })
    expect((await call('POST', '/v1/limits/reset', { body: { partition: 'client_ip:192.0.2.1' } })).body).toEqual({ reset: 2 })
    expect((await call('GET', '/v1/limits')).body).toEqual({ items: [CLOSE] })
    expect((await call('GET', '/v1/limits?partitoin=x')).status).toBe(400)
    expect((await call('POST', '/v1/limits/reset', { body: {} })).status).toBe(400)
    expect((await call('POST', '/v1/limits/reset', { body: { partitoin: 'x' } })).status).toBe(400)
    expect((await call('GET', '/v1/limits?partition=x', { headers: { authorization: 'Bearer wrong' } })).status).toBe(401)
  })
})

describe('keys over the admin API', () => {
  it('are made with 201, id and key; the key is in no later answer', async () => {
    const { status, body, headers } = await create({ owner: 'user_1', email: 'dev@example.com', tier: 'pro', status: 'active', scopes: ['a:read'], name: 'n', expires: '90d' })
    expect(status).toBe(201)
    expect(body).toMatchObject({ id: expect.stringMatching(/^key_/), key: expect.stringMatching(/^acme_/), owner: 'user_1', email: 'dev@example.com', tier: 'pro', scopes: ['a:read'], name: 'n', expires_at: '2026-04-01T00:00:00Z' })
    expect(headers.get('location')).toBe(`/v1/keys/${body['id']}`)
    expect(headers.get('cache-control')).toBe('no-store')
    const { secret = '?' } = parseKey(String(body['key'])) ?? {}
    const later = [await call('GET', '/v1/keys'), await call('GET', `/v1/keys/${body['id']}`), await call('DELETE', `/v1/keys/${body['id']}`), await call('GET', `/v1/keys/${body['id']}`)]
    expect(JSON.stringify(later.map((answer) => answer.body))).not.toContain(secret)
    expect(JSON.stringify(later.map((answer) => answer.body))).not.toMatch(/digest|pepper|[0-9a-f]{64}/)
    expect(JSON.stringify([acts, notices])).not.toContain(secret)
  })

  it('are listed in pages of {items, next}', async () => {
    for (const owner of ['a', 'b', 'a']) await create({ owner })
    const first = await call('GET', '/v1/keys?limit=2')
    expect(first).toMatchObject({ status: 200, body: { items: [{ owner: 'a' }, { owner: 'b' }], next: expect.any(String) } })
    expect(await call('GET', `/v1/keys?limit=2&after=${first.body['next']}`)).toMatchObject({ body: { items: [{ owner: 'a' }], next: null } })
    expect((await call('GET', '/v1/keys?owner=a')).body['items']).toHaveLength(2)
  })

  it('are rotated with 201 and what they replace, with or without a body', async () => {
    const old = (await create()).body
    const fresh = await call('POST', `/v1/keys/${old['id']}/rotate`, { body: { overlap: '6s' } })
    expect(fresh).toMatchObject({ status: 201, body: { id: expect.stringMatching(/^key_/), key: expect.stringMatching(/^acme_/), replaces: old['id'] } })
    expect((await call('GET', `/v1/keys/${old['id']}`)).body).toMatchObject({ replaced_by: fresh.body['id'], overlap_ends_at: '2026-01-01T00:00:06Z' })
    expect((await call('POST', `/v1/keys/${fresh.body['id']}/rotate`)).status).toBe(201)
  })

  it('are revoked with 204, as often as one likes', async () => {
    const { id } = (await create()).body
    for (let time = 0; time < 2; time += 1) expect((await call('DELETE', `/v1/keys/${id}`)).status).toBe(204)
    expect((await call('GET', `/v1/keys/${id}`)).body['state']).toBe('revoked')
    expect(acts.map(({ act, actor }) => [act, actor])).toEqual([['issued', 'admin'], ['revoked', 'admin']])
  })

  it('are suspended and resumed', async () => {
    const { id } = (await create()).body
    expect((await call('POST', `/v1/keys/${id}/suspend`)).body['state']).toBe('suspended')
    expect((await call('POST', `/v1/keys/${id}/resume`)).body['state']).toBe('active')
  })

  it.each([
    ['no body', undefined],
    ['an unknown member, such as a misspelled expiry', { owner: 'a', expire: '1d' }],
    ['a tier that the config does not have', { owner: 'a', tier: 'gold' }],
    ['an owner that is a number', { owner: 7 }],
    ['scopes that are an object', { owner: 'a', scopes: { a: 1 } }],
    ['a list instead of an object', []],
    ['a member that stands twice', '{"owner":"a","owner":"b"}'],
    ['half a JSON', '{"owner": "leaky-text'],
    ['a member named like a method', '{"owner":"a","__proto__":{"tier":"pro"}}'],
  ])('are refused with 400 and problem details for %s', async (_what, body) => {
    const { status, body: problem, headers } = await call('POST', '/v1/keys', { body })
    expect(status).toBe(400)
    expect(problem).toMatchObject({ status: 400, code: 'request_invalid', type: expect.any(String), title: expect.any(String), detail: expect.any(String) })
    expect(headers.get('content-type')).toBe('application/problem+json')
    expect(JSON.stringify(problem)).not.toContain('leaky')
    expect(acts).toEqual([])
  })

  it.each([
    ['GET', '/v1/keys/key_nobody', 404], ['DELETE', '/v1/keys/key_nobody', 404], ['POST', '/v1/keys/key_nobody/rotate', 404],
    ['GET', '/v1/keys?limit=0', 400], ['GET', '/v1/keys?limit=5000', 400], ['GET', '/v1/keys?page=2', 400], ['GET', '/v1/keys?owner=a&owner=b', 400],
    ['GET', '/v1/keys?authenticator=nobody', 404],
  ])('%s %s is %d', async (method, path, status) => {
    expect(await call(method, path)).toMatchObject({ status, body: { status } })
  })

  it('are not rotated once ended or replaced: 409', async () => {
    const [ended, replaced] = [(await create()).body, (await create()).body]
    await call('DELETE', `/v1/keys/${ended['id']}`)
    await call('POST', `/v1/keys/${replaced['id']}/rotate`)
    expect(await call('POST', `/v1/keys/${ended['id']}/rotate`)).toMatchObject({ status: 409, body: { code: 'key_ended' } })
    expect(await call('POST', `/v1/keys/${replaced['id']}/rotate`)).toMatchObject({ status: 409, body: { code: 'key_replaced' } })
  })

  it('of several stores need the name of one', async () => {
    services.set('other', serviceOn(createMemoryStore()))
    expect(await call('GET', '/v1/keys')).toMatchObject({ status: 400, body: { detail: expect.stringContaining('pat, other') } })
    expect((await call('GET', '/v1/keys?authenticator=other')).status).toBe(200)
  })

  it('cannot be changed while the store is down: 503, and nobody learns why', async () => {
    services.set('pat', serviceOn({ ...store, list: () => { throw new KeyStoreUnavailable('disk /data is gone') } }))
    const { status, body, headers } = await call('GET', '/v1/keys')
    expect([status, headers.get('retry-after')]).toEqual([503, '5'])
    expect(JSON.stringify(body)).not.toContain('/data')
  })

  it('that meet a bug are 500, told to the observer alone', async () => {
    services.set('pat', serviceOn({ ...store, list: () => { throw new Error('secret detail') } }))
    const { status, body } = await call('GET', '/v1/keys')
    expect(status).toBe(500)
    expect(JSON.stringify(body)).not.toContain('secret detail')
    expect(faults).toHaveLength(1)
  })
})

describe('the door of the admin API', () => {
  it('asks for the token with a challenge', async () => {
    const answer = await fetch(`${origin}/v1/keys`)
    expect(answer.status).toBe(401)
    expect(answer.headers.get('www-authenticate')).toBe('Bearer realm="postern admin"')
  })

  it.each([
    ['another token', 'Bearer another-token-of-this-test', 'credential_rejected'],
    ['a longer token', `Bearer ${TOKEN}x`, 'credential_rejected'],
    ['a shorter token', `Bearer ${TOKEN.slice(0, -1)}`, 'credential_rejected'],
    ['no token', 'Bearer ', 'credential_missing'],
    ['another scheme', `Basic ${TOKEN}`, 'credential_malformed'],
    ['the bare token', TOKEN, 'credential_malformed'],
    ['two tokens in one', `Bearer ${TOKEN}, Bearer ${TOKEN}`, 'credential_malformed'],
  ])('refuses %s', async (_what, authorization, code) => {
    const { status, body, headers } = await call('GET', '/v1/keys', { headers: { authorization } })
    expect([status, body['code']]).toEqual([401, code])
    expect(headers.get('www-authenticate')).toMatch(/^Bearer .*realm="postern admin"/)
    expect(JSON.stringify([notices, decided])).not.toContain(TOKEN)
  })

  it('takes the scheme in any case', async () => {
    expect((await call('GET', '/v1/keys', { headers: { authorization: `bEARER ${TOKEN}` } })).status).toBe(200)
  })

  it('refuses two Authorization lines, though one is right', async () => {
    expect(await rawGet(['Host: localhost', `Authorization: Bearer ${TOKEN}`, 'Authorization: Bearer other'])).toMatch(/^HTTP\/1.1 400 /)
  })

  it('slams for a minute after ten wrong tokens from one address, also for the right one, and says for how long', async () => {
    const wrong = { headers: { authorization: 'Bearer wrong' } }
    for (let n = 0; n < 10; n += 1) expect((await call('GET', '/v1/keys', wrong)).status).toBe(401)
    now += 20_000
    const slammed = await call('GET', '/v1/keys')
    expect([slammed.status, slammed.headers.get('retry-after')]).toEqual([429, '40'])
    now += 40_000
    expect((await call('GET', '/v1/keys')).status).toBe(200)
  })

  it('does not count requests without a token', async () => {
    for (let n = 0; n < 12; n += 1) await fetch(`${origin}/v1/keys`)
    expect((await call('GET', '/v1/keys')).status).toBe(200)
  })

  it.each([
    ['localhost', 200], ['127.0.0.1', 200], ['[::1]', 200], ['admin.internal', 200], ['ADMIN.internal:9091', 200], ['10.0.0.7:9091', 200],
    ['evil.example', 403], ['localhost.evil.example', 403], ['127.0.0.1.evil.example', 403], ['admin.internal.', 400],
  ])('asked by the name %s answers %d, so that no page can rebind its name to it', async (host, status) => {
    expect(await rawGet([`Host: ${host}`, `Authorization: Bearer ${TOKEN}`])).toMatch(new RegExp(`^HTTP/1.1 ${status} `))
  })

  it.each([
    ['Origin: http://localhost', 200], ['Origin: https://localhost', 200], ['Origin: http://evil.example', 403], ['Origin: null', 403], ['Origin: http://localhost:1', 403],
    ['Sec-Fetch-Site: same-origin', 200], ['Sec-Fetch-Site: none', 200], ['Sec-Fetch-Site: cross-site', 403], ['Sec-Fetch-Site: same-site', 403],
  ])('with %s answers %d', async (field, status) => {
    expect(await rawGet(['Host: localhost', field, `Authorization: Bearer ${TOKEN}`])).toMatch(new RegExp(`^HTTP/1.1 ${status} `))
  })

  it.each(['/', '/v1', '/v1/keys/', '//v1/keys', '/v1/%6beys', '/v1/./keys', '/x/../v1/keys', '/V1/keys', '/v1/keys/a/b', '/v1/keys/..', 'http://localhost/v1/keys'])('finds nothing at %s', async (path) => {
    expect(await raw(`GET ${path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${TOKEN}\r\nConnection: close\r\n\r\n`)).toMatch(/^HTTP\/1.1 404 /)
  })

  it.each([['PUT', '/v1/keys', 'GET, HEAD, POST'], ['OPTIONS', '/v1/keys/key_1', 'GET, HEAD, DELETE'], ['GET', '/v1/keys/key_1/rotate', 'POST']])('takes no %s of %s', async (method, path, allow) => {
    const { status, headers } = await call(method, path)
    expect([status, headers.get('allow')]).toEqual([405, allow])
  })

  it.each(['text/plain', 'application/x-www-form-urlencoded', 'application/jsonp'])('takes no body of type %s', async (type) => {
    expect((await call('POST', '/v1/keys', { body: '{"owner":"a"}', headers: { 'content-type': type } })).status).toBe(415)
  })

  it.each([['counted', 'Content-Length: 16385'], ['chunked', 'Transfer-Encoding: chunked']])('takes no %s body above 16 KiB', async (_how, framing) => {
    const text = 'x'.repeat(16_385)
    const body = framing.startsWith('Content') ? text : `4001\r\n${text}\r\n0\r\n\r\n`
    expect(await raw(`POST /v1/keys HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${TOKEN}\r\nContent-Type: application/json\r\n${framing}\r\nConnection: close\r\n\r\n${body}`)).toMatch(/^HTTP\/1.1 413 /)
  })

  it('takes a chunked body', async () => {
    expect(await raw(`POST /v1/keys HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${TOKEN}\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\nd\r\n{"owner":"a"}\r\n0\r\n\r\n`)).toMatch(/^HTTP\/1.1 201 /)
  })

  it('tells the observer of every answer', async () => {
    await call('GET', '/v1/keys')
    await call('GET', '/nothing')
    expect(answered).toEqual([200, 404])
  })

  it('leaves the global Request and Response as they are', () => {
    expect(globalThis.Response.name).toBe('Response')
    expect(new Response('x')).toBeInstanceOf(globalThis.Response)
  })
})

describe('creating with an Idempotency-Key', () => {
  const send = (headers: Record<string, string>, body: unknown = { owner: 'user_1' }): Promise<Answer> => call('POST', '/v1/keys', { body, headers })

  it('makes one key, however often it is asked for, also at the same time', async () => {
    const [first, second] = await Promise.all([send({ 'idempotency-key': '"abc-1"' }), send({ 'idempotency-key': 'abc-1' })])
    expect(second.body).toEqual(first.body)
    expect((await store.list({ limit: 10 })).items).toHaveLength(1)
    expect((await send({ 'idempotency-key': 'abc-2' })).body['id']).not.toBe(first.body['id'])
  })

  it('makes no second key after two minutes or at another replica, and does not tell the first one again', async () => {
    const { body } = await send({ 'idempotency-key': 'abc-1' })
    now += 120_000
    expect(await send({ 'idempotency-key': 'abc-1' })).toMatchObject({ status: 409, body: { code: 'key_exists', detail: expect.stringContaining(String(body['id'])) } })
    expect((await store.list({ limit: 10 })).items).toHaveLength(1)
  })

  it.each([['another request', 'abc-1', { owner: 'user_2' }], ['blanks', 'a b', { owner: 'user_1' }]])('is refused with %s', async (_what, header, body) => {
    await send({ 'idempotency-key': 'abc-1' })
    expect(await send({ 'idempotency-key': header }, body)).toMatchObject({ status: 400, body: { code: 'request_invalid' } })
  })

  it('rotates once', async () => {
    const { body: { id } } = await create()
    const rotate = (): Promise<Answer> => call('POST', `/v1/keys/${id}/rotate`, { headers: { 'idempotency-key': 'r1' } })
    expect((await rotate()).body).toEqual((await rotate()).body)
    expect((await store.list({ limit: 10 })).items).toHaveLength(2)
  })
})

describe('the description of the admin API', () => {
  it('names operations that all exist, and no address takes more than it says', async () => {
    const { body } = await call('GET', '/v1/openapi.json')
    expect(body['openapi']).toBe('3.1.0')
    const paths = body['paths'] as Record<string, Record<string, { responses: Record<string, unknown> }>>
    for (const [path, methods] of Object.entries(paths)) {
      const refused = await call('PUT', path.replace('{id}', 'key_1'))
      expect(refused.status).toBe(405)
      expect(refused.headers.get('allow')?.toLowerCase().split(', ').filter((method) => method !== 'head').toSorted()).toEqual(Object.keys(methods).toSorted())
    }
  })

  it('is for who holds the token', async () => {
    expect((await fetch(`${origin}/v1/openapi.json`)).status).toBe(401)
  })
})
