import type { IncomingMessage } from 'node:http'
import { request as secureRequest, type RequestOptions } from 'node:https'
import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createAuthority } from '../../../test/support/certificates.ts'
import { adminGate } from '../../../test/support/admin-gate.ts'
import { createKeyHasher } from '../../keys/key-digest.ts'
import { createKeyService, type KeyAct } from '../../keys/key-service.ts'
import { createMemoryStore } from '../../keys/memory-store.ts'
import { SILENT, type DecidedEvent } from '../../model/event.ts'
import { createGate } from './gate.ts'
import type { PageFacts } from './page-views.ts'
import { createAdminFace, type AdminFace, type AdminTls } from './server.ts'
import { createPageSessions } from './sessions.ts'

const TOKEN = 'the-admin-token-of-this-test'
const [WRITER, READER, STRANGER, DEPUTY] = ['writer-key-of-this-test', 'reader-key-of-this-test', 'stranger-key-of-this-test', 'deputy-key-of-this-test']
const STAFF = {
  type: 'api_key', in: [{ header: 'X-Staff-Key' }, { bearer: true }], prefix: ['writer-', 'reader-', 'stranger-', 'deputy-'],
  keys: [
    { value: WRITER, subject: 'wanda', scopes: ['postern:admin'], expires: '2026-01-02' }, { value: READER, subject: 'rita', scopes: ['postern:read'] },
    { value: STRANGER, subject: 'stan', scopes: ['other'] }, { value: DEPUTY, subject: 'dora', roles: ['deputy'] },
  ],
}
const FACTS: PageFacts = { overview: () => [], counts: () => new Map(), settings: () => [], limits: () => [], decisions: () => [], acts: () => [] }

let now: number
let acts: KeyAct[]
let decided: DecidedEvent[]
let face: AdminFace | undefined
let origin: string

async function start(admin: Readonly<Record<string, unknown>> = {}, more: Readonly<Record<string, unknown>> = {}, tls?: AdminTls): Promise<void> {
  const observer = { ...SILENT, decided: (event: DecidedEvent) => void decided.push(event) }
  const clock = (): number => now
  const sessions = createPageSessions(clock)
  const services = new Map([['pat', createKeyService({ store: createMemoryStore(), hasher: createKeyHasher({ pepper: 'sixteen-characters' }), prefix: 'acme', tiers: [], clock, onAct: (act) => acts.push(act) })]])
  const gateway = adminGate({ admin: { token: TOKEN, auth: ['staff'], ...admin }, more: { authenticators: { staff: STAFF }, ...more }, sessions, clock, observer })
  const limits = { show: async () => [], closeCalls: async () => [], reset: async () => 0 }
  face = createAdminFace({ address: { host: '127.0.0.1', port: 0 }, gateway, sessions, services: () => services, denials: () => undefined, limits: () => limits, explain: async () => ({ data: {}, text: '' }), facts: FACTS, version: '0', clock, observer, ...(tls && { tls }) })
  await face.listen()
  origin = face.origin() ?? ''
}

beforeEach(() => {
  now = Date.UTC(2026, 0, 1)
  acts = []
  decided = []
})
afterEach(() => face?.close())

type Headers = Readonly<Record<string, string>>
const ask = (method: string, path: string, headers: Headers = {}, body?: string): Promise<Response> => fetch(`${origin}${path}`, { method, headers, redirect: 'manual', ...(body !== undefined && { body }) })
const staff = (key: string): Headers => ({ 'x-staff-key': key })
const create = (headers: Headers): Promise<Response> => ask('POST', '/v1/keys', { ...headers, 'content-type': 'application/json' }, '{"owner":"somebody"}')
const codeOf = async (answer: Response): Promise<unknown> => [answer.status, ((await answer.json()) as { code?: string }).code]
const form = (path: string, body: string, headers: Headers = {}): Promise<Response> => ask('POST', path, { ...headers, 'content-type': 'application/x-www-form-urlencoded' }, body)
const cookieOf = (answer: Response): string => answer.headers.getSetCookie()[0]?.split(';')[0] ?? ''
const lastDecision = (): unknown[] => {
  const { face: where, decision } = decided.at(-1)!
  return [where, decision.route?.id, decision.outcome, decision.outcome === 'deny' ? decision.denial.code : undefined]
}

describe('who may use the admin API', () => {
  it('is whom its authenticators know and who has been given it; to look takes less than to change, and who may change may look', async () => {
    await start()
    expect((await ask('GET', '/v1/keys', staff(READER))).status).toBe(200)
    expect(await codeOf(await create(staff(READER)))).toEqual([403, 'scope_insufficient'])
    expect((await create(staff(WRITER))).status).toBe(201)
    expect((await ask('GET', '/v1/keys', staff(WRITER))).status).toBe(200)
    expect(await codeOf(await ask('GET', '/v1/keys', staff(STRANGER)))).toEqual([403, 'scope_insufficient'])
    expect(await codeOf(await ask('GET', '/v1/keys', staff('writer-key-that-nobody-has')))).toEqual([401, 'credential_rejected'])
    expect(await codeOf(await ask('GET', '/v1/keys'))).toEqual([401, 'credential_missing'])
    expect((await ask('GET', '/v1/keys', { authorization: `Bearer ${READER}` })).status).toBe(200)
    expect((await create({ authorization: `Bearer ${TOKEN}` })).status).toBe(201)
  })

  it('may be told by role', async () => {
    await start({ read: { scopes: ['postern:read'] }, write: { roles: ['chief', 'deputy'] } })
    expect((await create(staff(DEPUTY))).status).toBe(201)
    expect((await ask('GET', '/v1/keys', staff(DEPUTY))).status).toBe(200)
    expect(await codeOf(await create(staff(WRITER)))).toEqual([403, 'forbidden'])
    expect((await create({ authorization: `Bearer ${TOKEN}` })).status).toBe(201)
  })

  it('is the actor of what they do, and stands in one decision per request, under a route of its own', async () => {
    await start()
    await create(staff(WRITER))
    await create({ authorization: `Bearer ${TOKEN}` })
    expect(acts.map(({ actor }) => actor)).toEqual(['staff:wanda', 'admin'])
    expect(lastDecision()).toEqual(['admin', 'admin:createKey', 'allow', undefined])
    await create(staff(READER))
    expect(lastDecision()).toEqual(['admin', 'admin:createKey', 'deny', 'scope_insufficient'])
    await ask('GET', '/nothing')
    expect(lastDecision()).toEqual(['admin', undefined, 'deny', 'route_not_found'])
    await ask('PUT', '/v1/keys')
    expect(lastDecision()).toEqual(['admin', undefined, 'deny', 'method_not_allowed'])
    expect(decided).toHaveLength(5)
    expect(JSON.stringify(decided.map(({ decision, wire }) => [decision, wire]))).not.toMatch(new RegExp([TOKEN, WRITER, READER].join('|')))
  })

  it('does not get the answer to somebody else\'s Idempotency-Key', async () => {
    await start()
    const send = (headers: Headers): Promise<Response> => create({ ...headers, 'idempotency-key': 'abc-1' })
    expect((await send(staff(WRITER))).status).toBe(201)
    expect((await send({ authorization: `Bearer ${TOKEN}` })).status).toBe(400)
  })

  it('may be no holder of a token at all', async () => {
    await start({ token: '' })
    expect((await create(staff(WRITER))).status).toBe(201)
    expect((await create({ authorization: 'Bearer ' })).status).toBe(401)
    expect((await create({ authorization: 'Bearer x' })).status).toBe(401)
  })

  it('keeps everybody out while every way in is off, and says why', async () => {
    await start({ token: '' }, { authenticators: { staff: { type: 'api_key', in: [{ header: 'X-Staff-Key' }] } } })
    expect(await codeOf(await ask('GET', '/v1/keys', staff(WRITER)))).toEqual([500, 'dependency_misconfigured'])
  })
})

describe('the line in front of the admin API', () => {
  it('has networks', async () => {
    await start({ allowed_networks: '10.0.0.0/8' })
    expect(await codeOf(await ask('GET', '/v1/keys', staff(WRITER)))).toEqual([403, 'network_denied'])
    expect((await ask('GET', '/login')).status).toBe(403)
  })

  it('has limits of its own', async () => {
    await start({ rate_limit: [{ name: 'admins', limit: '2/minute' }] })
    for (const status of [200, 200, 429]) expect((await ask('GET', '/v1/keys', staff(READER))).status).toBe(status)
    expect((await ask('GET', '/v1/keys', staff(WRITER))).status).toBe(200)
  })

  it('has budgets of refused credentials, which those of the API do not touch', async () => {
    await start({ failed_authentication: { limit: '2/minute' } }, { failed_authentication: { limit: '1/hour' } })
    for (const status of [401, 401, 429]) expect((await ask('GET', '/v1/keys', staff('writer-key-that-nobody-has'))).status).toBe(status)
    expect((await ask('GET', '/v1/keys', staff(WRITER))).status).toBe(429)
    now += 60_000
    expect((await ask('GET', '/v1/keys', staff(WRITER))).status).toBe(200)
  })

  it('believes a trusted proxy about the client and the scheme, and nobody else', async () => {
    const behind = { 'x-forwarded-for': '192.0.2.7', 'x-forwarded-proto': 'https', 'x-forwarded-host': 'localhost' }
    await start({ require_https: true, denied_networks: '192.0.2.8/32' }, { client_ip: { trusted_proxies: ['127.0.0.1'] } })
    expect((await ask('GET', '/v1/keys', { ...staff(READER), ...behind })).status).toBe(200)
    expect(await codeOf(await ask('GET', '/v1/keys', { ...staff(READER), ...behind, 'x-forwarded-for': '192.0.2.8' }))).toEqual([403, 'network_denied'])
    expect(await codeOf(await ask('GET', '/v1/keys', staff(READER)))).toEqual([403, 'https_required'])
    await face?.close()
    await start({ require_https: true })
    expect(await codeOf(await ask('GET', '/v1/keys', { ...staff(READER), ...behind }))).toEqual([403, 'https_required'])
  })
})

describe('logging in to the page', () => {
  it('takes the token, or another credential that the line takes; the session is its holder, with no more than they had', async () => {
    await start()
    const [admin, reader] = [cookieOf(await form('/login', `token=${TOKEN}`)), cookieOf(await form('/login', `token=${READER}`))]
    const csrf = async (cookie: string): Promise<string> => /name="csrf" value="([^"]+)"/.exec(await (await ask('GET', '/keys', { cookie })).text())?.[1] ?? ''
    expect((await form('/keys', `csrf=${await csrf(reader)}&owner=x`, { cookie: reader })).status).toBe(403)
    expect(await (await ask('GET', '/keys', { cookie: reader })).text()).not.toContain('Create key')
    expect((await form('/keys', `csrf=${await csrf(admin)}&owner=x`, { cookie: admin })).status).toBe(200)
    expect(acts.map(({ actor }) => actor)).toEqual(['admin'])
    const writer = cookieOf(await form('/login', '', staff(WRITER)))
    await form('/keys', `csrf=${await csrf(writer)}&owner=x`, { cookie: writer })
    expect(acts.at(-1)?.actor).toBe('staff:wanda')
  })

  it('is refused to strangers and to wrong tokens, which count', async () => {
    await start({ failed_authentication: { limit: '2/minute' } })
    const stranger = await form('/login', `token=${STRANGER}`)
    expect([stranger.status, stranger.headers.getSetCookie()]).toEqual([403, []])
    for (const status of [401, 401, 429]) expect((await form('/login', 'token=wrong')).status).toBe(status)
    expect((await form('/login', `token=${TOKEN}`)).status).toBe(429)
  })

  it('ends when the credential does', async () => {
    await start()
    const cookie = cookieOf(await form('/login', `token=${WRITER}`))
    now = Date.UTC(2026, 0, 1, 23, 59)
    const later = cookieOf(await form('/login', `token=${WRITER}`))
    expect((await ask('GET', '/', { cookie: later })).status).toBe(200)
    now = Date.UTC(2026, 0, 2)
    for (const each of [cookie, later]) expect((await ask('GET', '/', { cookie: each })).status).toBe(303)
  })

  it('gives a cookie that a browser keeps to this very host over HTTPS, where a proxy that is trusted says that it is', async () => {
    await start({}, { client_ip: { trusted_proxies: ['127.0.0.1'] } })
    const https = { 'x-forwarded-proto': 'https', 'x-forwarded-for': '192.0.2.7' }
    const [secure] = (await form('/login', `token=${TOKEN}`, https)).headers.getSetCookie()
    expect(secure).toMatch(/^__Host-postern_admin=[\w-]{43}; Path=\/; HttpOnly; SameSite=Strict; Secure; Max-Age=28800$/)
    const [plain] = (await form('/login', `token=${TOKEN}`)).headers.getSetCookie()
    expect(plain).toMatch(/^postern_admin=[\w-]{43}; Path=\/; HttpOnly; SameSite=Strict; Max-Age=28800$/)
    const value = (text: string | undefined): string => /=([\w-]{43});/.exec(text ?? '')?.[1] ?? ''
    expect((await ask('GET', '/', { ...https, cookie: `__Host-postern_admin=${value(secure)}` })).status).toBe(200)
    // Somebody who may set cookies for the domain around it can set this name.
    expect((await ask('GET', '/', { ...https, cookie: `postern_admin=${value(plain)}` })).status).toBe(303)
    expect((await ask('GET', '/', { cookie: `postern_admin=${value(plain)}; postern_admin=x` })).status).toBe(303)
  })

  it('is not held up by sessions that have ended, nor does a guess of somebody hold up who is logged in', async () => {
    await start({ failed_authentication: { limit: '2/minute' } })
    for (let n = 0; n < 5; n += 1) expect((await ask('GET', '/', { cookie: 'postern_admin=an-old-one' })).status).toBe(303)
    const cookie = cookieOf(await form('/login', `token=${TOKEN}`))
    for (const status of [401, 401, 429]) expect((await form('/login', 'token=wrong')).status).toBe(status)
    expect((await ask('GET', '/', { cookie })).status).toBe(200)
  })

  it('is possible once by the printed link, which is nobody\'s credential', async () => {
    await start()
    const { pathname, search } = new URL(face?.loginLink() ?? '')
    const first = await ask('GET', pathname + search)
    expect(first.status).toBe(303)
    expect((await ask('GET', '/', { cookie: cookieOf(first) })).status).toBe(200)
    expect((await ask('GET', pathname + search)).status).toBe(401)
    expect(JSON.stringify(decided.map(({ wire, request: described }) => [wire, described?.target.path]))).not.toContain(search.slice(6))
  })
})

describe('a listener with TLS', () => {
  const authority = createAuthority()
  afterAll(() => authority.close())
  const server = authority.issue('admin', 'IP:127.0.0.1')
  let followed = 0
  const tls = (clientCertificate: boolean): AdminTls => ({ read: () => ({ key: server.key, cert: server.certificate, ca: authority.ca }), clientCertificate, follow: () => { followed += 1; return () => { followed -= 1 } } })

  const logIn = (options: RequestOptions = {}): Promise<readonly string[]> =>
    new Promise((resolve, reject) => {
      const body = `token=${TOKEN}`
      const sent = secureRequest(`${origin}/login`, { method: 'POST', agent: false, ca: authority.ca, headers: { 'content-type': 'application/x-www-form-urlencoded', 'content-length': body.length }, ...options }, (answer) => {
        answer.resume()
        resolve(answer.headers['set-cookie'] ?? [])
      })
      sent.on('error', reject)
      sent.end(body)
    })

  it('is https, for the cookie too, and stops following its certificate when it closes', async () => {
    await start({ require_https: true }, {}, tls(false))
    expect(origin).toMatch(/^https:/)
    expect((await logIn())[0]).toMatch(/^__Host-postern_admin=[\w-]{43};.*; Secure;/)
    await face?.close()
    face = undefined
    expect(followed).toBe(0)
  })

  it('may want a certificate of whoever connects, besides a credential', async () => {
    await start({}, {}, tls(true))
    await expect(logIn()).rejects.toThrow()
    const operator = authority.issue('operator', 'DNS:operator.test')
    expect(await logIn({ key: operator.key, cert: operator.certificate })).toHaveLength(1)
  })
})

it('a fault lets nobody in, and is told', async () => {
  const faults: unknown[] = []
  const observer = { ...SILENT, faulted: (error: unknown) => void faults.push(error) }
  const judge = createGate({
    gateway: () => { throw new Error('a bug') }, paths: [[/^\/x$/, ['GET']]], own: 'localhost', unix: false, encrypted: false,
    withForm: async (_incoming, described) => described, clock: () => now, observer,
  })
  const incoming = { url: '/x', method: 'GET', socket: { remoteAddress: '127.0.0.1' } } as unknown as IncomingMessage
  expect((await judge(incoming)).decision).toMatchObject({ outcome: 'deny', denial: { code: 'internal' } })
  expect(faults).toHaveLength(1)
})
