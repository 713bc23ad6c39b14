import { describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { NO_NETWORKS } from '../../src/base/cidr.ts'
import { errors as errorsSchema, errorOverrides } from '../../src/config/schema-answers.ts'
import type { Challenge, Denial } from '../../src/model/denial.ts'
import type { WireSettings } from '../../src/model/gateway.ts'
import { errorSettings, replyOf } from '../../src/wire/reply.ts'

/** The error bodies that five real APIs document, out of `errors` blocks as an operator writes them. */

const BEARER: Challenge = { scheme: 'Bearer', parameters: [] }

function wireOf(yaml: string): WireSettings {
  const config = parse(yaml) as { errors: unknown; authenticators?: Record<string, { errors: unknown }> }
  const authenticators = Object.fromEntries(Object.entries(config.authenticators ?? {}).map(([id, { errors }]) => [id, { errors: errorOverrides.parse(errors) }]))
  return {
    trustedProxies: NO_NETWORKS, clientIpHeaders: [], owned: { identity: new Set(), other: new Set(), prefixes: [], credentials: new Set() }, aliasHeaders: 'pass',
    errors: errorSettings({ errors: errorsSchema.parse(config.errors), authenticators, explain: false, typeBase: 'https://postern.example/problems#' }),
    rateLimitFields: { ietf: true, legacy: true, reset: 'epoch' }, via: false, tracing: true, realm: 'postern',
  }
}

const of = (code: string, more: object = {}): Denial => ({ kind: 'denial', code, challenges: [BEARER], ...more }) as unknown as Denial

const exceeded = of('quota_exceeded', { violated: ['minute'], retryAfterMs: 41_500 })
const scope = of('scope_insufficient', { required: ['content:write'], missing: ['content:write'] })

type Case = readonly [title: string, denial: Denial, status: number, body: string]

const ALPHAPY = wireOf(`
errors:
  shape: { detail: "{{message}}" }
  codes:
    credential_missing:       { message: Missing authentication context }
    subject_missing:          { message: Missing authentication context }
    "401":                    { message: Invalid Supabase token. }
    dependency_misconfigured: { message: Supabase credentials are not configured. }
    dependency_unavailable:   { message: Failed to validate Supabase token. }
authenticators:
  service_key: { errors: { credential_rejected: { message: Unauthorized } } }
`)

const XENTROPY = wireOf(`
errors:
  shape: { error: { code: "{{code}}", message: "{{message}}" } }
  codes:
    "401":              { code: UNAUTHENTICATED, message: Missing or invalid token }
    credential_expired: { code: TOKEN_EXPIRED, message: Token has expired }
    "403":              { code: FORBIDDEN, message: Token is valid but lacks permissions }
    quota_exceeded:     { code: RATE_LIMITED, message: Too many requests }
`)

const SOPHOSIC = wireOf(`
errors:
  shape: { error: "{{status_text}}", message: "{{message}}", statusCode: "{{status}}" }
  codes:
    "401": { message: Invalid or missing API key }
    "403": { message: Insufficient permissions }
    quota_exceeded: { message: Rate limit exceeded, extra: { retryAfter: "{{retry_after}}" } }
`)

const DASHBOARD = wireOf(`
errors:
  shape: { error: "{{message}}" }
  codes:
    credential_missing:       { message: "API key is required. Provide it via x-api-key header or Authorization: Bearer token" }
    "401":                    { message: Invalid API key }
    network_denied:           { message: Access denied from this IP address }
    https_required:           { message: HTTPS required }
    quota_exceeded:           { message: Rate limit exceeded }
    dependency_misconfigured: { status: 401, message: Authentication service not configured. Please generate an API key in the dashboard. }
`)

const MYWEAVE = wireOf(`
errors:
  shape: { error: "{{title}}", message: "{{message}}" }
  codes:
    credential_missing: { title: Unauthorized, message: Missing API key }
    "401":              { title: Unauthorized, message: Invalid API key }
    "403":              { title: Forbidden, message: Insufficient permissions }
    quota_exceeded:     { title: Rate limit exceeded, message: Too many requests. Please try again later., extra: { retryAfter: "{{retry_after}}" } }
authenticators:
  user:
    errors: { "401": { title: Unauthorized, message: Invalid or expired token } }
  anon_key:
    errors:
      credential_missing:  { body: { message: No API key found in request, hint: No \`apikey\` request header or url param was found. } }
      credential_rejected: { body: { message: Invalid API key, hint: Double check your Supabase \`anon\` or \`service_role\` API key. } }
`)

const APIS: readonly (readonly [api: string, wire: WireSettings, cases: readonly Case[]])[] = [
  ['alphapy', ALPHAPY, [
    ['no credential', of('credential_missing'), 401, '{"detail":"Missing authentication context"}'],
    ['a key without its user', of('subject_missing', { reason: 'subject_missing' }), 401, '{"detail":"Missing authentication context"}'],
    ['an expired token', of('credential_expired', { reason: 'jwt_expired', authenticatorId: 'supabase' }), 401, '{"detail":"Invalid Supabase token."}'],
    ['a wrong key', of('credential_rejected', { reason: 'key_unknown', authenticatorId: 'service_key' }), 401, '{"detail":"Unauthorized"}'],
    ['no provider settings', of('dependency_misconfigured', { dependency: 'supabase' }), 500, '{"detail":"Supabase credentials are not configured."}'],
    ['the provider is down', of('dependency_unavailable', { dependency: 'supabase' }), 503, '{"detail":"Failed to validate Supabase token."}'],
  ]],
  ['xentropy', XENTROPY, [
    ['no credential', of('credential_missing'), 401, '{"error":{"code":"UNAUTHENTICATED","message":"Missing or invalid token"}}'],
    ['a bad token', of('credential_rejected', { reason: 'jwt_signature_invalid' }), 401, '{"error":{"code":"UNAUTHENTICATED","message":"Missing or invalid token"}}'],
    ['a revoked token', of('credential_revoked', { reason: 'key_revoked' }), 401, '{"error":{"code":"UNAUTHENTICATED","message":"Missing or invalid token"}}'],
    ['an expired token', of('credential_expired', { reason: 'jwt_expired' }), 401, '{"error":{"code":"TOKEN_EXPIRED","message":"Token has expired"}}'],
    ['too little scope', scope, 403, '{"error":{"code":"FORBIDDEN","message":"Token is valid but lacks permissions"}}'],
    ['too many logins', exceeded, 429, '{"error":{"code":"RATE_LIMITED","message":"Too many requests"}}'],
  ]],
  ['sophosic', SOPHOSIC, [
    ['no credential', of('credential_missing'), 401, '{"error":"Unauthorized","message":"Invalid or missing API key","statusCode":401}'],
    ['a malformed key', of('credential_malformed', { reason: 'credential_unrecognised' }), 401, '{"error":"Unauthorized","message":"Invalid or missing API key","statusCode":401}'],
    ['a tier too low', of('tier_insufficient', { required: 'pro' }), 403, '{"error":"Forbidden","message":"Insufficient permissions","statusCode":403}'],
    ['a suspended owner', of('account_suspended', { reason: 'account_suspended' }), 403, '{"error":"Forbidden","message":"Insufficient permissions","statusCode":403}'],
    ['too many requests', exceeded, 429, '{"error":"Too Many Requests","message":"Rate limit exceeded","statusCode":429,"retryAfter":42}'],
  ]],
  ['nextauth-dashboard', DASHBOARD, [
    ['no credential', of('credential_missing'), 401, '{"error":"API key is required. Provide it via x-api-key header or Authorization: Bearer token"}'],
    ['a wrong key', of('credential_rejected', { reason: 'key_unknown' }), 401, '{"error":"Invalid API key"}'],
    ['another network', of('network_denied'), 403, '{"error":"Access denied from this IP address"}'],
    ['plain HTTP', of('https_required'), 403, '{"error":"HTTPS required"}'],
    ['too many requests', exceeded, 429, '{"error":"Rate limit exceeded"}'],
    ['nothing configured', of('dependency_misconfigured', { dependency: 'keys' }), 401, '{"error":"Authentication service not configured. Please generate an API key in the dashboard."}'],
  ]],
  ['myweave', MYWEAVE, [
    ['no key', of('credential_missing', { authenticatorId: 'api_key' }), 401, '{"error":"Unauthorized","message":"Missing API key"}'],
    ['a revoked key', of('credential_revoked', { reason: 'key_revoked', authenticatorId: 'api_key' }), 401, '{"error":"Unauthorized","message":"Invalid API key"}'],
    ['a key and an expired token', of('credential_expired', { reason: 'jwt_expired', authenticatorId: 'user' }), 401, '{"error":"Unauthorized","message":"Invalid or expired token"}'],
    ['somebody else in the body', of('forbidden', { rule: 'body' }), 403, '{"error":"Forbidden","message":"Insufficient permissions"}'],
    ['too many requests', exceeded, 429, '{"error":"Rate limit exceeded","message":"Too many requests. Please try again later.","retryAfter":42}'],
    ['a login without the anon key', of('credential_missing', { authenticatorId: 'anon_key' }), 401, '{"message":"No API key found in request","hint":"No `apikey` request header or url param was found."}'],
    ['a login with a wrong one', of('credential_rejected', { reason: 'key_unknown', authenticatorId: 'anon_key' }), 401, '{"message":"Invalid API key","hint":"Double check your Supabase `anon` or `service_role` API key."}'],
  ]],
]

describe.each(APIS)('%s answers as documented', (_api, wire, cases) => {
  test.each(cases)('%s', (_title, denial, status, body) => {
    const reply = replyOf(denial, { wire, requestId: 'r-1', now: 0, limits: [] })
    expect(reply.status).toBe(status)
    expect(reply.body).toBe(body)
    const names = reply.headers.map(([name]) => name)
    expect(names.includes('WWW-Authenticate')).toBe(status === 401 || denial.code === 'scope_insufficient')
    expect(new Map(reply.headers).get('Content-Type')).toBe('application/json')
    expect(new Map(reply.headers).get('Retry-After')).toBe(status === 429 ? '42' : status === 503 ? '5' : undefined)
  })
})
