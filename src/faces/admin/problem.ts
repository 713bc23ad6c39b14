import type { KeyActCode } from '../../keys/key-request.ts'
import { PROBLEMS as PIPE_PROBLEMS } from '../../wire/problems.ts'

/** What can go wrong once the pipe has let a request in. Codes that the pipe has, too, mean the same. */
export type AdminProblemCode = KeyActCode | 'route_not_found' | 'body_rejected' | 'request_too_large' | 'dependency_unavailable' | 'internal'

const PROBLEMS = {
  key_not_found: [404, 'There is no such key'],
  key_ended: [409, 'The key has ended'],
  key_replaced: [409, 'The key was already replaced'],
  key_exists: [409, 'The key was already created'],
  key_conflict: [409, 'The key is being changed by somebody else'],
  request_invalid: [400, 'The request cannot be carried out as it stands'],
  route_not_found: [404, 'Not found'],
  body_rejected: [415, 'The body must be JSON'],
  request_too_large: [413, 'The request is too large'],
  dependency_unavailable: [503, 'The key store cannot be used now'],
  internal: [500, 'Internal fault'],
} as const satisfies Record<AdminProblemCode, readonly [status: number, title: string]>

/** Refusals of the pipe that are about an upstream, or another proxy. */
const ELSEWHERE: ReadonlySet<string> = new Set(['upstream_unreachable', 'upstream_timeout', 'forwarder_untrusted', 'tier_insufficient', 'subject_missing', 'overloaded'])

export const PROBLEM_CODES: readonly string[] = [...new Set([...Object.keys(PROBLEMS), ...Object.keys(PIPE_PROBLEMS).filter((code) => !ELSEWHERE.has(code))])]

const TYPE_BASE = 'https://postern.example/errors/'

/** Of every answer: keys and records are nobody's to keep, and never a page. */
export const COMMON_HEADERS = { 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' } as const

/** Problem details (RFC 9457). `detail` must not hold a secret. */
export function problem(code: AdminProblemCode, detail: string, headers: Readonly<Record<string, string>> = {}): Response {
  const [status, title] = PROBLEMS[code]
  const body = JSON.stringify({ type: `${TYPE_BASE}${code}`, title, status, code, detail })
  return new Response(body, { status, headers: { 'content-type': 'application/problem+json', ...COMMON_HEADERS, ...headers } })
}
