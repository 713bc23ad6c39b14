import { describe, expect, test } from 'vitest'
import { NO_NETWORKS } from '../base/cidr.ts'
import type { Challenge, Denial } from '../model/denial.ts'
import type { WireSettings } from '../model/gateway.ts'
import type { QuotaPolicy, ServiceLimit } from '../model/quota.ts'
import type { RejectionReason } from '../model/reason.ts'
import { createCorsPolicy } from './cors.ts'
import type { ErrorSettingsInput } from './error-settings.ts'
import { PROBLEMS } from './problems.ts'
import { errorSettings, replyOf, type ReplyContext } from './reply.ts'

const NOW = 1_700_000_000_000
const BEARER: Challenge = { scheme: 'Bearer', parameters: [['realm', 'postern']] }
const API_KEY: Challenge = { scheme: 'ApiKey', parameters: [['realm', 'postern'], ['header', 'X-API-Key']] }

type Codes = ErrorSettingsInput['errors']['codes']

function wire({ shape, codes = {}, authenticators, explain = false }: { shape?: unknown; codes?: Codes; authenticators?: ErrorSettingsInput['authenticators']; explain?: boolean } = {}): WireSettings {
  return {
    trustedProxies: NO_NETWORKS, clientIpHeaders: [], owned: { identity: new Set(), other: new Set(), prefixes: [], credentials: new Set() }, aliasHeaders: 'pass',
    errors: errorSettings({ errors: { shape, codes }, authenticators, explain, typeBase: 'https://postern.example/problems#' }),
    rateLimitFields: { ietf: true, legacy: false, reset: 'epoch' }, via: false, tracing: true, realm: 'postern',
  }
}

const context = (over: Partial<ReplyContext> = {}): ReplyContext => ({ wire: wire(), requestId: 'r-1', now: NOW, limits: [], ...over })

const header = (reply: ReturnType<typeof replyOf>, name: string): readonly string[] => reply.headers.filter(([each]) => each.toLowerCase() === name.toLowerCase()).map(([, value]) => value)

const rejected = (over: Partial<Extract<Denial, { readonly reason: RejectionReason }>> = {}): Denial =>
  ({ kind: 'denial', code: 'credential_rejected', reason: 'key_unknown', challenges: [BEARER], ...over })

const missing: Denial = { kind: 'denial', code: 'credential_missing', challenges: [BEARER] }
const exceeded: Denial = { kind: 'denial', code: 'quota_exceeded', violated: ['minute'], retryAfterMs: 12_001 }

/** One of every code, so that no table can forget one. */
const EVERY: readonly Denial[] = [
  { kind: 'denial', code: 'request_ambiguous', part: 'header', detail: 'Host is repeated' },
  { kind: 'denial', code: 'request_too_large', status: 413, detail: 'too large' },
  { kind: 'denial', code: 'method_not_allowed', allow: ['GET', 'HEAD'] },
  { kind: 'denial', code: 'body_rejected', detail: 'not JSON' },
  { kind: 'denial', code: 'forwarder_untrusted' },
  { kind: 'denial', code: 'route_not_found' },
  { kind: 'denial', code: 'network_denied' },
  { kind: 'denial', code: 'https_required' },
  missing,
  { kind: 'denial', code: 'credential_ambiguous', location: 'authorization', challenges: [BEARER] },
  { kind: 'denial', code: 'credential_malformed', reason: 'bearer_malformed', challenges: [BEARER] },
  rejected(),
  { kind: 'denial', code: 'credential_expired', reason: 'jwt_expired', challenges: [BEARER] },
  { kind: 'denial', code: 'credential_revoked', reason: 'key_revoked', challenges: [BEARER] },
  { kind: 'denial', code: 'subject_missing', reason: 'subject_missing', challenges: [BEARER] },
  { kind: 'denial', code: 'account_suspended', reason: 'account_suspended', challenges: [BEARER] },
  { kind: 'denial', code: 'scope_insufficient', required: ['a', 'b'], missing: ['b'], challenges: [BEARER] },
  { kind: 'denial', code: 'tier_insufficient', required: 'pro', tier: 'free' },
  { kind: 'denial', code: 'forbidden', rule: 'role' },
  exceeded,
  { kind: 'denial', code: 'dependency_unavailable', dependency: 'idp' },
  { kind: 'denial', code: 'dependency_misconfigured', dependency: 'idp' },
  { kind: 'denial', code: 'overloaded' },
  { kind: 'denial', code: 'upstream_unreachable', upstream: 'app' },
  { kind: 'denial', code: 'upstream_timeout', upstream: 'app', phase: 'first_byte' },
  { kind: 'denial', code: 'internal' },
]

const cases = EVERY.map((denial) => [denial.code, denial] as const)

describe('every refusal', () => {
  test('has its case in this file', () => {
    expect(new Set(cases.map(([code]) => code))).toEqual(new Set(Object.keys(PROBLEMS)))
  })

  test.each(cases)('%s: status, problem type, and the fields that no refusal goes without', (code, denial) => {
    const reply = replyOf(denial, context())
    expect(reply.status).toBe(PROBLEMS[code].status)
    expect(header(reply, 'content-type')).toEqual(['application/problem+json'])
    expect(header(reply, 'content-length')).toEqual([String(Buffer.byteLength(reply.body))])
    expect(header(reply, 'cache-control')).toEqual(['no-store'])
    expect(header(reply, 'x-content-type-options')).toEqual(['nosniff'])
    expect(header(reply, 'x-request-id')).toEqual(['r-1'])
    expect(JSON.parse(reply.body)).toMatchObject({ type: `https://postern.example/problems#${code}`, status: reply.status, code, title: PROBLEMS[code].title, request_id: 'r-1' })
  })

  test.each(cases)('%s: a 401 has a challenge, a 429 and a 503 have Retry-After', (_code, denial) => {
    const reply = replyOf(denial, context())
    if (reply.status === 401) expect(header(reply, 'www-authenticate').length).toBeGreaterThan(0)
    expect(header(reply, 'retry-after')).toHaveLength(reply.status === 429 || reply.status === 503 ? 1 : 0)
  })

  test.each(cases)('%s: says nothing about reasons or evidence outside of dev mode', (_code, denial) => {
    expect(Object.keys(JSON.parse(replyOf(denial, context()).body)).filter((name) => ['reason', 'hint', 'evidence', 'cause', 'dependency'].includes(name))).toEqual([])
  })

  test('a length counts bytes, not characters', () => {
    const reply = replyOf(missing, context({ wire: wire({ codes: { credential_missing: { message: 'Zugang verweigert – bitte anmelden' } } }) }))
    expect(header(reply, 'content-length')).toEqual([String(Buffer.byteLength(reply.body))])
  })
})

describe('problem details', () => {
  test('the whole body of a missing credential', () => {
    expect(JSON.parse(replyOf(missing, context()).body)).toEqual({
      type: 'https://postern.example/problems#credential_missing', title: PROBLEMS.credential_missing.title, status: 401,
      code: 'credential_missing', detail: PROBLEMS.credential_missing.detail, request_id: 'r-1',
    })
  })

  test('a quota names the violated policies', () => {
    expect(JSON.parse(replyOf(exceeded, context()).body)).toMatchObject({ 'violated-policies': ['minute'] })
  })

  test.each([[413], [414], [431]] as const)('a request that is too large is refused with the status of its part (%i)', (status) => {
    const reply = replyOf({ kind: 'denial', code: 'request_too_large', status, detail: 'too large' }, context())
    expect(reply.status).toBe(status)
    expect(JSON.parse(reply.body)).toMatchObject({ status, detail: 'too large' })
  })

  test('a method that is not allowed is told which are', () => {
    expect(header(replyOf({ kind: 'denial', code: 'method_not_allowed', allow: ['GET', 'HEAD'] }, context()), 'allow')).toEqual(['GET, HEAD'])
  })

  test('dev mode says why', () => {
    const reply = replyOf(rejected({ reason: 'jwt_audience_mismatch', evidence: { aud: 'account', expected: 'orders' }, authenticatorId: 'idp' }), context({ wire: wire({ explain: true }) }))
    expect(JSON.parse(reply.body)).toMatchObject({ reason: 'jwt_audience_mismatch', hint: expect.stringContaining('issued for somebody else'), evidence: { aud: 'account', expected: 'orders', authenticatorId: 'idp' } })
  })

  test('dev mode says why also where there is no reason slug', () => {
    const reply = replyOf({ kind: 'denial', code: 'dependency_unavailable', dependency: 'idp', cause: 'ECONNREFUSED' }, context({ wire: wire({ explain: true }) }))
    expect(JSON.parse(reply.body)).toMatchObject({ evidence: { dependency: 'idp', cause: 'ECONNREFUSED' } })
  })
})

describe('Retry-After', () => {
  test.each([
    ['is rounded up', 12_001, 13],
    ['is at least one second', 1, 1],
    ['is at least one second also when the moment has passed', -5_000, 1],
    ['stays whole when it is whole', 60_000, 60],
    ['is a number when nothing can be computed', Number.POSITIVE_INFINITY, 5],
  ])('%s, and the body says the same', (_title, retryAfterMs, seconds) => {
    const reply = replyOf({ ...exceeded, retryAfterMs } as Denial, context({ wire: wire({ shape: { retryAfter: '{{retry_after}}' } }) }))
    expect(header(reply, 'retry-after')).toEqual([String(seconds)])
    expect(JSON.parse(reply.body)).toEqual({ retryAfter: seconds })
  })

  test('a dependency that knows when it is back is believed', () => {
    expect(header(replyOf({ kind: 'denial', code: 'dependency_unavailable', dependency: 'idp', retryAfterMs: 29_500 }, context()), 'retry-after')).toEqual(['30'])
  })

  test('is never earlier than the t of the window that refused', () => {
    const policy: QuotaPolicy = { id: 'm', name: 'm', quota: 60, windowMs: 60_000, algorithm: 'gcra', onUnavailable: 'local', shadow: false, reported: false }
    const limit: ServiceLimit = { policy, remaining: 0, resetsAt: NOW + 60_000, exceeded: true, retryAt: NOW + 999 }
    const reply = replyOf({ kind: 'denial', code: 'quota_exceeded', violated: ['m'], retryAfterMs: 999 }, context({ limits: [limit] }))
    expect([header(reply, 'retry-after'), header(reply, 'ratelimit')]).toEqual([['1'], ['"m";r=0;t=1']])
    expect(header(reply, 'ratelimit-policy')).toEqual(['"m";q=60;w=60'])
  })

  test('a code that a template made a 503 has one, a 503 that a template made something else has none', () => {
    expect(header(replyOf({ kind: 'denial', code: 'internal' }, context({ wire: wire({ codes: { internal: { status: 503 } } }) })), 'retry-after')).toEqual(['5'])
    expect(header(replyOf({ kind: 'denial', code: 'overloaded' }, context({ wire: wire({ codes: { overloaded: { status: 500 } } }) })), 'retry-after')).toEqual([])
  })
})

describe('WWW-Authenticate', () => {
  const challenge = (denial: Denial, over: Partial<ReplyContext> = {}): readonly string[] => header(replyOf(denial, context(over)), 'www-authenticate')

  test.each([
    ['no credential, no error', missing, ['Bearer realm="postern"']],
    ['malformed', { kind: 'denial', code: 'credential_malformed', reason: 'bearer_malformed', challenges: [BEARER] }, ['Bearer error="invalid_request", realm="postern"']],
    ['ambiguous', { kind: 'denial', code: 'credential_ambiguous', location: 'authorization', challenges: [BEARER] }, ['Bearer error="invalid_request", realm="postern"']],
    ['rejected', rejected(), ['Bearer error="invalid_token", error_description="The access token is invalid", realm="postern"']],
    ['expired', { kind: 'denial', code: 'credential_expired', reason: 'jwt_expired', challenges: [BEARER] }, ['Bearer error="invalid_token", error_description="The access token expired", realm="postern"']],
    ['too little scope', { kind: 'denial', code: 'scope_insufficient', required: ['a', 'b'], missing: ['b'], challenges: [BEARER] }, ['Bearer error="insufficient_scope", scope="a b", realm="postern"']],
    ['one line per scheme, Bearer first, errors only there', rejected({ challenges: [API_KEY, BEARER] }), ['Bearer error="invalid_token", error_description="The access token is invalid", realm="postern"', 'ApiKey realm="postern", header="X-API-Key"']],
    ['an API key alone', rejected({ challenges: [API_KEY] }), ['ApiKey realm="postern", header="X-API-Key"']],
    ['nobody to name', rejected({ challenges: [] }), ['Bearer error="invalid_token", error_description="The access token is invalid", realm="postern"']],
    ['equal challenges once', rejected({ challenges: [API_KEY, API_KEY] }), ['ApiKey realm="postern", header="X-API-Key"']],
    ['a challenge that names its scopes does not name them twice', { kind: 'denial', code: 'scope_insufficient', required: ['files:write'], missing: ['files:write'], challenges: [{ scheme: 'Bearer', parameters: [['scope', 'files:read'], ['resource_metadata', 'https://mcp.example.com/.well-known/oauth-protected-resource']] }] }, ['Bearer error="insufficient_scope", scope="files:write", resource_metadata="https://mcp.example.com/.well-known/oauth-protected-resource"']],
    ['no parameters at all', { kind: 'denial', code: 'credential_missing', challenges: [{ scheme: 'Bearer', parameters: [] }] }, ['Bearer']],
    ['values cannot break out', { kind: 'denial', code: 'credential_missing', challenges: [{ scheme: 'Bearer', parameters: [['realm', 'a"\\\r\nX: y']] }] }, [String.raw`Bearer realm="a\"\\%0D%0AX: y"`]],
    ['a missing subject is not the fault of a token', { kind: 'denial', code: 'subject_missing', reason: 'subject_missing', challenges: [BEARER] }, ['Bearer realm="postern"']],
    ['a suspended account is not asked to log in', { kind: 'denial', code: 'account_suspended', reason: 'account_suspended', challenges: [BEARER] }, []],
    ['a quota is not asked to log in', exceeded, []],
  ] as [string, Denial, string[]][])('%s', (_title, denial, expected) => {
    expect(challenge(denial)).toEqual(expected)
  })

  test('a 401 that a template made into something else loses it', () => {
    expect(challenge(rejected(), { wire: wire({ codes: { credential_rejected: { status: 404 } } }) })).toEqual([])
    expect(challenge({ kind: 'denial', code: 'scope_insufficient', required: ['a'], missing: ['a'], challenges: [BEARER] }, { wire: wire({ codes: { scope_insufficient: { status: 404 } } }) })).toEqual([])
  })

  test('a refusal that a template made a 401 gains it', () => {
    expect(challenge({ kind: 'denial', code: 'dependency_misconfigured', dependency: 'idp' }, { wire: wire({ codes: { dependency_misconfigured: { status: 401 } } }) })).toEqual(['Bearer realm="postern"'])
  })
})

describe('overrides', () => {
  const codes: Codes = { credential_rejected: { message: 'code' }, '401': { message: 'status' } }
  const authenticators = { keys: { errors: { credential_rejected: { message: 'own code' }, '401': { message: 'own status' } } }, cookies: { errors: { '401': { message: 'cookie status' } } } }
  const message = (denial: Denial): unknown => (JSON.parse(replyOf(denial, context({ wire: wire({ shape: { message: '{{message}}' }, codes, authenticators }) })).body) as { message: unknown }).message

  test.each([
    ['the authenticator\'s word on the code comes first', rejected({ authenticatorId: 'keys' }), 'own code'],
    ['then its word on the status', rejected({ authenticatorId: 'cookies' }), 'cookie status'],
    ['then the general word on the code', rejected({ authenticatorId: 'other' }), 'code'],
    ['then the general word on the status', missing, 'status'],
    ['then the problem\'s own text', { kind: 'denial', code: 'route_not_found' }, PROBLEMS.route_not_found.detail],
  ] as [string, Denial, string][])('%s', (_title, denial, expected) => {
    expect(message(denial)).toBe(expected)
  })

  test('feed problem details as well', () => {
    const reply = replyOf(rejected(), context({ wire: wire({ codes: { credential_rejected: { code: 'UNAUTHENTICATED', title: 'No', message: 'Go away', extra: { help: 'see {{request_id}}' } } } }) }))
    expect(JSON.parse(reply.body)).toMatchObject({ type: 'https://postern.example/problems#credential_rejected', code: 'UNAUTHENTICATED', title: 'No', detail: 'Go away', help: 'see r-1' })
  })

  test('a body replaces the shape, and is plain JSON', () => {
    const reply = replyOf(rejected(), context({ wire: wire({ shape: { a: 1 }, codes: { credential_rejected: { body: { message: 'Invalid API key', hint: 'Double check it.' } } } }) }))
    expect(reply.body).toBe('{"message":"Invalid API key","hint":"Double check it."}')
    expect(header(reply, 'content-type')).toEqual(['application/json'])
  })

  test('extra members stand after those of the shape', () => {
    const reply = replyOf(exceeded, context({ wire: wire({ shape: { error: '{{title}}' }, codes: { quota_exceeded: { title: 'Slow down', extra: { retryAfter: '{{retry_after}}' } } } }) }))
    expect(reply.body).toBe('{"error":"Slow down","retryAfter":13}')
  })

  test('texts from the request stay inside their JSON string', () => {
    const reply = replyOf(missing, context({ requestId: 'a","admin":true,"x":"', wire: wire({ shape: { id: '{{request_id}}', text: 'id {{request_id}}' } }) }))
    expect(JSON.parse(reply.body)).toEqual({ id: 'a","admin":true,"x":"', text: 'id a","admin":true,"x":"' })
  })
})

describe('CORS on refusals', () => {
  const cors = (origin: string) => createCorsPolicy({ origins: [origin], credentials: false, methods: [], headers: [], expose: [] })

  test('a page that may read answers may read the refusal', () => {
    expect(header(replyOf(missing, context({ cors: cors('https://app.example.com'), origin: 'https://app.example.com' })), 'access-control-allow-origin')).toEqual(['https://app.example.com'])
  })

  test('before a route is known the global policy speaks', () => {
    const settings: WireSettings = { ...wire(), cors: cors('*') }
    expect(header(replyOf({ kind: 'denial', code: 'route_not_found' }, context({ wire: settings })), 'access-control-allow-origin')).toEqual(['*'])
  })
})

test('fields of the caller come along', () => {
  expect(header(replyOf(missing, context({ extraHeaders: [['X-Auth-Status', '401']] })), 'x-auth-status')).toEqual(['401'])
})
