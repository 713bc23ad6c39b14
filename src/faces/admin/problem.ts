import type { Reply } from '../../model/decision.ts'
import type { KeyActCode } from '../../keys/key-request.ts'

/** What can go wrong here. Those of the pipe keep their code; those about keys are the acts' own. */
export type AdminProblemCode =
  | KeyActCode
  | 'credential_missing' | 'credential_rejected' | 'credential_ambiguous' | 'quota_exceeded' | 'forbidden'
  | 'route_not_found' | 'method_not_allowed' | 'body_rejected' | 'request_too_large' | 'dependency_unavailable' | 'internal'

const PROBLEMS = {
  key_not_found: [404, 'There is no such key'],
  key_ended: [409, 'The key has ended'],
  key_replaced: [409, 'The key was already replaced'],
  key_exists: [409, 'The key was already created'],
  key_conflict: [409, 'The key is being changed by somebody else'],
  request_invalid: [400, 'The request cannot be carried out as it stands'],
  credential_missing: [401, 'The admin token is required'],
  credential_rejected: [401, 'The admin token was rejected'],
  credential_ambiguous: [400, 'The credential is ambiguous'],
  quota_exceeded: [429, 'Too many wrong tokens'],
  forbidden: [403, 'Forbidden'],
  route_not_found: [404, 'Not found'],
  method_not_allowed: [405, 'Method not allowed'],
  body_rejected: [415, 'The body must be JSON'],
  request_too_large: [413, 'The request is too large'],
  dependency_unavailable: [503, 'The key store cannot be used now'],
  internal: [500, 'Internal fault'],
} as const satisfies Record<AdminProblemCode, readonly [status: number, title: string]>

export const PROBLEM_CODES: readonly string[] = Object.keys(PROBLEMS)

const TYPE_BASE = 'https://postern.example/errors/'

/** Of every answer: keys and records are nobody's to keep, and never a page. */
export const COMMON_HEADERS = { 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' } as const

/** Problem details (RFC 9457). `detail` must not hold a secret. */
export function problemReply(code: AdminProblemCode, detail: string, headers: Readonly<Record<string, string>> = {}): Reply {
  const [status, title] = PROBLEMS[code]
  const challenge = status === 401 ? { 'www-authenticate': `Bearer realm="postern admin"${code === 'credential_rejected' ? ', error="invalid_token"' : ''}` } : {}
  const fields = { 'content-type': 'application/problem+json', ...COMMON_HEADERS, ...challenge, ...headers }
  return { status, headers: Object.entries(fields), body: JSON.stringify({ type: `${TYPE_BASE}${code}`, title, status, code, detail }) }
}

/** The same as the adapter takes it. */
export function problem(...args: Parameters<typeof problemReply>): Response {
  const { status, headers, body } = problemReply(...args)
  return new Response(body, { status, headers: headers.map(([name, value]) => [name, value]) })
}
