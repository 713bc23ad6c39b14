import { array, assert, constantFrom, property, record as recordOfEach } from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Memory } from '../base/memory.ts'
import type { Attempt, Decision } from '../model/decision.ts'
import type { DecidedEvent } from '../model/event.ts'
import type { IdentifiedPrincipal, Principal, Principals } from '../model/principal.ts'
import type { RequestDescription } from '../model/request.ts'
import { createAuditLog } from './audit-log.ts'

const SECRET = 'kept-out-of-every-record'

const REQUEST: RequestDescription = {
  id: 'req-1',
  receivedAt: 1_700_000_000_000,
  method: 'GET',
  target: { scheme: 'http', host: 'api', path: '/orders', query: `token=${SECRET}` },
  headers: new Map<string, readonly string[]>([['authorization', [`Bearer ${SECRET}`]], ['cookie', [`s=${SECRET}`]]]),
  client: { ip: '203.0.113.7', peer: '10.0.0.1', trustedHops: 1, partition: '203.0.113.7' },
  traceId: '4bf92f3577b34da6a3ce929d0e0e4736',
}

const ALICE: IdentifiedPrincipal = {
  kind: 'identified', subject: 'alice', authenticatorId: 'partner', credentialId: 'ak_7Fq2', scopes: new Set(), roles: [],
  carrier: { kind: 'header', name: 'x-api-key' }, locations: [], attributes: { note: SECRET },
}

const TRIED: readonly Attempt[] = [
  { authenticatorId: 'idp', kind: 'jwt', outcome: 'missing' },
  { authenticatorId: 'partner', kind: 'api_key', outcome: 'authenticated' },
]

const principalsOf = (primary: Principal): Principals => ({ primary, byAuthenticator: new Map([[primary.authenticatorId, primary]]), requiredScopes: new Map() })

// The audit log reads of an allowed decision no more than this.
const allowed = (primary: Principal): Decision => ({ outcome: 'allow', limits: [], attempts: TRIED, principals: principalsOf(primary), route: { id: 'orders' } }) as unknown as Decision

function recordOf(event: Partial<DecidedEvent> & Pick<DecidedEvent, 'decision'>): { readonly line: string; readonly record: Record<string, unknown> } {
  const lines: string[] = []
  const audit = createAuditLog({ writer: { write: (line) => lines.push(line), writeLater: (line) => lines.push(line()) }, version: '1', statusOf: () => 401 })
  audit.decided({ face: 'proxy', request: REQUEST, wire: { id: 'req-1', method: 'GET', path: `/orders?token=${SECRET}`, peer: '10.0.0.1' }, durationMs: 0.25, ...event })
  expect(lines).toHaveLength(1)
  return { line: lines[0]!, record: JSON.parse(lines[0]!) }
}

describe('an audit record', () => {
  it('says what was seen and what was expected, and nothing that looks like a token', () => {
    const jwt = `eyJ${'a'.repeat(20)}.b.c`
    const attempts: readonly Attempt[] = [{ authenticatorId: 'idp', kind: 'supabase', outcome: 'rejected', reason: 'remote_rejected', evidence: { iss: 'https://other.example', expected: ['https://ours.example'], seen: jwt } }]
    const { line, record } = recordOf({ decision: { outcome: 'deny', stage: 'authenticate', denial: { kind: 'denial', code: 'credential_rejected', reason: 'remote_rejected', challenges: [] }, limits: [], attempts } })
    expect(record).toMatchObject({ attempts: [{ evidence: { iss: 'https://other.example', expected: ['https://ours.example'] } }] })
    expect(line).not.toContain(jwt)
  })

  it('of a user whom a service named says so', () => {
    expect(recordOf({ decision: allowed({ ...ALICE, asserted: true }) }).record).toMatchObject({ 'user.id': 'alice', 'auth.asserted': true })
  })

  it('of an allowed request says who, by what, where from, and every attempt', () => {
    expect(recordOf({ decision: allowed(ALICE) }).record).toEqual({
      '@timestamp': '2023-11-14T22:13:20.000Z',
      'event.dataset': 'postern.audit',
      'event.kind': 'event',
      'event.category': ['authentication'],
      'event.type': ['allowed'],
      'event.outcome': 'success',
      'postern.decision': 'allow',
      'postern.route': 'orders',
      'postern.face': 'proxy',
      'auth.method': 'api_key',
      'auth.provider': 'partner',
      'auth.principal': 'identified',
      'user.id': 'alice',
      'auth.credential_id': 'ak_7Fq2',
      'client.address': '203.0.113.7',
      'http.request.method': 'GET',
      'url.path': '/orders',
      'http.request.id': 'req-1',
      'trace.id': REQUEST.traceId,
      'event.duration': 250_000,
      attempts: [{ authenticator: 'idp', kind: 'jwt', outcome: 'missing' }, { authenticator: 'partner', kind: 'api_key', outcome: 'authenticated' }],
      'service.name': 'postern',
      'service.version': '1',
    })
  })

  it('of a refused request has the code, the finer reason, the stage and the status', () => {
    const attempts: readonly Attempt[] = [{ authenticatorId: 'idp', kind: 'jwt', outcome: 'rejected', reason: 'jwt_expired' }]
    const { record } = recordOf({ decision: { outcome: 'deny', stage: 'authenticate', denial: { kind: 'denial', code: 'credential_expired', reason: 'jwt_expired', challenges: [] }, limits: [], attempts } })
    expect(record).toMatchObject({
      'event.outcome': 'failure', 'event.code': 'credential_expired', 'event.reason': 'jwt_expired', 'postern.stage': 'authenticate', 'auth.method': 'jwt', 'auth.provider': 'idp',
      'http.response.status_code': 401, attempts: [{ authenticator: 'idp', kind: 'jwt', outcome: 'rejected', reason: 'jwt_expired' }],
    })
  })

  it('of what could not be checked is neither success nor failure and names the cause', () => {
    const attempts: readonly Attempt[] = [{ authenticatorId: 'idp', kind: 'jwt', outcome: 'unavailable', cause: 'ECONNREFUSED' }]
    const { record } = recordOf({ decision: { outcome: 'deny', stage: 'authenticate', denial: { kind: 'denial', code: 'dependency_unavailable', dependency: 'jwks' }, limits: [], attempts }, status: 503 })
    expect(record).toMatchObject({ 'event.outcome': 'unknown', 'http.response.status_code': 503, attempts: [{ cause: 'ECONNREFUSED' }] })
  })

  it('of an anonymous request says so', () => {
    expect(recordOf({ decision: allowed({ kind: 'anonymous', authenticatorId: 'partner' }) }).record).toMatchObject({ 'auth.principal': 'anonymous' })
  })

  it('exists for a request that could not even be described', () => {
    const event: DecidedEvent = { face: 'proxy', wire: { id: 'r', method: 'BAD', path: `/x?${SECRET}`, peer: '10.0.0.9' }, durationMs: 0, decision: { outcome: 'deny', stage: 'describe', denial: { kind: 'denial', code: 'request_ambiguous', part: 'target', detail: 'x' }, limits: [], attempts: [] } }
    const lines: string[] = []
    createAuditLog({ writer: { write: (line) => lines.push(line), writeLater: (line) => lines.push(line()) }, version: '1', statusOf: () => 400 }).decided(event)
    expect(JSON.parse(lines[0]!)).toMatchObject({ 'client.address': '10.0.0.9', 'url.path': '/x', 'postern.stage': 'describe', 'http.response.status_code': 400 })
  })

  it('never holds a header value, a query or an attribute', () => {
    expect(recordOf({ decision: allowed(ALICE) }).line).not.toContain(SECRET)
  })

  it.each(['\r\nSet-Cookie: x', '\u001b[31m', '\u202e', '\u2028', '"}{"'])('stays one line of JSON with %j in path and subject', (text) => {
    const { line, record } = recordOf({ request: { ...REQUEST, target: { ...REQUEST.target, path: `/${text}` } }, decision: allowed({ ...ALICE, subject: text }) })
    // oxlint-disable-next-line no-control-regex -- they are what is looked for
    expect(line).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u2028\u202e]/)
    expect(record).toMatchObject({ 'url.path': `/${text}`, 'user.id': text })
  })

  it('holds at most 1 KiB of path', () => {
    expect(String(recordOf({ request: { ...REQUEST, target: { ...REQUEST.target, path: `/${'x'.repeat(9_000)}` } }, decision: allowed(ALICE) }).record['url.path'])).toHaveLength(1_025)
  })
})

describe('records of requests that come over one connection', () => {
  it('are those that each would have by itself', () => {
    const people = [ALICE, { ...ALICE, subject: 'bob' }, { ...ALICE, credentialId: 'ak_other' }].map(principalsOf)
    const routes = ['orders', 'bills'].map((id) => ({ id }))
    const clients = ['203.0.113.7', '203.0.113.8'].map((ip) => ({ ip, peer: ip, trustedHops: 0, partition: ip }))
    const attempts: readonly (readonly Attempt[])[] = [[TRIED[1]!], TRIED, [TRIED[1]!, { authenticatorId: 'idp', kind: 'jwt', outcome: 'authenticated' }], [{ ...TRIED[1]!, outcome: 'rejected', reason: 'key_unknown' }]]
    let same = 0
    const step = recordOfEach({
      principals: constantFrom(...people), route: constantFrom(...routes), client: constantFrom(...clients), tried: constantFrom(...attempts), face: constantFrom('proxy', 'forward_auth'), outcome: constantFrom('allow', 'allow', 'answer', 'deny'),
      observed: constantFrom(undefined, undefined, { stage: 'authorize', denial: { kind: 'denial', code: 'forbidden', rule: 'scopes' } }),
      id: constantFrom('one', 'two'), path: constantFrom('/a', '/b'), method: constantFrom('GET', 'PUT'), traceId: constantFrom(undefined, 'a', 'b'), status: constantFrom(undefined, 200, 204), receivedAt: constantFrom(1, 2),
    })
    assert(property(array(step, { minLength: 2, maxLength: 20 }), (steps) => {
      const memory: Memory = new Map()
      for (const { principals, route, client, tried, face, outcome, observed, id, path, method, traceId, status, receivedAt } of steps) {
        const decision = { outcome, limits: [], attempts: tried, principals, route, reply: { status: 200 }, stage: 'authorize', denial: { kind: 'denial', code: 'forbidden', rule: 'scopes' }, ...(observed && { observed }) } as unknown as Decision
        const event = { face, decision, ...(status !== undefined && { status }), request: { ...REQUEST, id, method, receivedAt, traceId, target: { ...REQUEST.target, path }, client } } as const
        const before = [...memory.values()]
        expect(recordOf({ ...event, request: { ...event.request, memory } }).line).toBe(recordOf(event).line)
        if (before.length > 0 && before[0] === [...memory.values()][0]) same += 1
      }
    }), { numRuns: 300 })
    expect(same).toBeGreaterThan(100)
  })
})

describe('a record of an act of administration', () => {
  it('says who did what to what, in one line', () => {
    const lines: string[] = []
    const audit = createAuditLog({ writer: { write: (line) => lines.push(line), writeLater: (line) => lines.push(line()) }, version: '1', statusOf: () => 401 })
    audit.administered({ act: 'key_rotated', actor: 'admin', at: 1_700_000_000_000, target: 'key_1', details: { owner: 'u\n1', new_key_id: 'key_2', authenticator: undefined } })
    expect(lines).toHaveLength(1)
    expect(JSON.parse(lines[0]!)).toEqual({
      '@timestamp': '2023-11-14T22:13:20.000Z', 'event.dataset': 'postern.audit', 'event.kind': 'event', 'event.category': ['iam'], 'event.type': ['change'], 'event.outcome': 'success',
      'event.action': 'key_rotated', 'postern.actor': 'admin', 'postern.target': 'key_1', 'postern.owner': 'u\n1', 'postern.new_key_id': 'key_2', 'service.name': 'postern', 'service.version': '1',
    })
    expect(lines[0]).not.toContain('\n')
  })
})
