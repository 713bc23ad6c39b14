import type { Challenge, Denial, ProblemCode } from '../model/denial.ts'
import { PROBLEMS } from './problems.ts'
import { quotedString } from './quoted-string.ts'

type Parameters = Challenge['parameters']

/** The error parameters of RFC 6750 section 3.1. A request without a credential gets none: it did nothing wrong yet. */
function errorParameters(denial: Denial): Parameters {
  switch (denial.code) {
    case 'credential_malformed':
    case 'credential_ambiguous':
      return [['error', 'invalid_request']]
    case 'credential_expired':
      return [['error', 'invalid_token'], ['error_description', 'The access token expired']]
    // RFC 6750 has one error for all of these; only an expiry is told apart, since clients renew on it.
    case 'credential_rejected':
    case 'credential_revoked':
      return [['error', 'invalid_token'], ['error_description', 'The access token is invalid']]
    case 'scope_insufficient':
      return [['error', 'insufficient_scope'], ['scope', denial.required.join(' ')]]
    default:
      return []
  }
}

/** One field line. The error speaks first, and a parameter that it sets is not repeated by the challenge's own (RFC 9110 section 11.2). */
function line(challenge: Challenge, error: Parameters): string {
  const taken = new Set(error.map(([name]) => name))
  const parameters = [...error, ...challenge.parameters.filter(([name]) => !taken.has(name))]
  return [challenge.scheme, parameters.map(([name, value]) => `${name}=${quotedString(value)}`).join(', ')].filter((part) => part !== '').join(' ')
}

/** Whether an answer of this status to this denial carries challenges at all. */
function challenged(denial: Denial, status: number): boolean {
  if (status === 401) return true
  // RFC 6750 section 3.1 wants them on 400 invalid_request and 403 insufficient_scope too, unless a template made it another status.
  return (denial.code === 'credential_ambiguous' || denial.code === 'scope_insufficient') && status === PROBLEMS[denial.code].status
}

const NONE: readonly string[] = []

function linesOf(denial: Denial, status: number, challenges: readonly Challenge[]): readonly string[] {
  const error = errorParameters(denial)
  const bearer = challenges.filter(({ scheme }) => scheme === 'Bearer').map((challenge) => line(challenge, error))
  const others = status === 401 ? challenges.filter(({ scheme }) => scheme !== 'Bearer').map((challenge) => line(challenge, [])) : []
  return [...new Set([...bearer, ...others])]
}

/** The lines of a route's challenges, by code. */
const known = new WeakMap<readonly Challenge[], Map<ProblemCode, { readonly status: number; readonly lines: readonly string[] }>>()

/** Writes them once: but for the scopes of `scope_insufficient`, nothing in them comes from a request. */
function rememberedLines(denial: Denial, status: number, challenges: readonly Challenge[]): readonly string[] {
  if (denial.code === 'scope_insufficient') return linesOf(denial, status, challenges)
  const byCode = known.get(challenges) ?? new Map<ProblemCode, { readonly status: number; readonly lines: readonly string[] }>()
  const before = byCode.get(denial.code)
  if (before?.status === status) return before.lines
  const lines = linesOf(denial, status, challenges)
  known.set(challenges, byCode.set(denial.code, { status, lines }))
  return lines
}

/**
 * The values of `WWW-Authenticate`, one per field line, Bearer first. A 401 has at least one (RFC 9110 section 15.5.2), also when
 * a template made the 401 out of something else; the error parameters stand in Bearer challenges only.
 *
 * @param status the status that is sent
 */
export function challengeLines(denial: Denial, status: number, realm: string): readonly string[] {
  if (!challenged(denial, status)) return NONE
  if ('challenges' in denial && denial.challenges.length > 0) return rememberedLines(denial, status, denial.challenges)
  return linesOf(denial, status, [{ scheme: 'Bearer', parameters: [['realm', realm]] }])
}
