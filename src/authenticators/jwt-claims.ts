import type { DurationMs, EpochMs } from '../base/time.ts'
import type { Evidence } from '../model/denial.ts'
import type { RejectionReason } from '../model/reason.ts'
import { valueAt } from './identity-claims.ts'
import type { JsonObject, TokenShape } from './token-shape.ts'

/** What kinds of token are taken. `rfc9068` demands `at+jwt`; `deny_id_token` refuses what is known not to be an access token. */
export type TypPolicy = 'deny_id_token' | 'rfc9068' | 'any'

/** A claim that must be there with one of these values. A name that starts with `/` is a JSON pointer. */
export interface ClaimConstraint {
  readonly name: string
  readonly values: readonly string[]
}

/** What must hold of the claims of one issuer's tokens. */
export interface ClaimRules {
  readonly issuers: readonly string[]
  /** One of these must be in `aud`. Empty only together with a constraint that stands in for it. */
  readonly audience: readonly string[]
  readonly constraints: readonly ClaimConstraint[]
  readonly requiredClaims: readonly string[]
  readonly typ: TypPolicy
  readonly clockToleranceMs: DurationMs
  readonly maxAgeMs?: DurationMs | undefined
}

export interface ClaimFault {
  readonly reason: RejectionReason
  readonly evidence: Evidence
}

/** The last instant that a `Date` knows, in seconds. `2^53` and `1e400` are not times. */
const LAST_SECOND = 8.64e12
/** RFC 9068 section 2.2, besides those that are always required. */
const RFC9068_CLAIMS = ['sub', 'client_id', 'iat', 'jti']
/** Keycloak's payload `typ`, and names that others use in the header. */
const NOT_ACCESS = new Set(['id', 'id_token', 'refresh', 'refresh_token', 'offline', 'logout', 'logout_token'])

const fault = (reason: RejectionReason, evidence: Evidence): ClaimFault => ({ reason, evidence })

/** A claim as evidence: short, and never an object's whole content. */
export function shown(value: unknown): string | readonly string[] | undefined {
  if (value === undefined) return undefined
  if (Array.isArray(value)) return value.slice(0, 10).map((member) => String(shown(member)))
  const text = typeof value === 'string' ? value : typeof value === 'object' && value !== null ? 'an object' : String(value)
  return text.length > 256 ? `${text.slice(0, 256)}…` : text
}

export const claimOf = (payload: JsonObject, name: string): unknown => (name.startsWith('/') ? valueAt(payload, name) : Object.hasOwn(payload, name) ? payload[name] : undefined)

/** Header `typ` without the optional `application/`, lower-case (RFC 7515 section 4.1.9). */
const mediaTypeOf = (typ: unknown): unknown => (typeof typ === 'string' ? typ.toLowerCase().replace(/^application\//, '') : typ)

/** What only an ID token or a logout token has, whatever its `typ` says (OpenID Connect Core 1.0 section 3.3.2.11, Back-Channel Logout 1.0). */
function isOtherToken(payload: JsonObject): boolean {
  const kind = claimOf(payload, 'typ')
  if (typeof kind === 'string' && NOT_ACCESS.has(kind.toLowerCase())) return true
  return ['at_hash', 'c_hash', 'events'].some((name) => Object.hasOwn(payload, name)) || claimOf(payload, 'token_use') === 'id'
}

function typFault({ header, payload }: TokenShape, { typ }: ClaimRules): ClaimFault | undefined {
  if (typ === 'any') return undefined
  const seen = mediaTypeOf(claimOf(header, 'typ'))
  const evidence = { claim: 'typ', seen: shown(claimOf(header, 'typ') ?? claimOf(payload, 'typ')), expected: typ === 'rfc9068' ? 'at+jwt' : 'an access token' }
  if (typ === 'rfc9068') return seen === 'at+jwt' ? undefined : fault('jwt_typ_not_allowed', evidence)
  const isOther = seen !== undefined && (typeof seen !== 'string' || NOT_ACCESS.has(seen) || (seen.endsWith('+jwt') && seen !== 'at+jwt'))
  return isOther || isOtherToken(payload) ? fault('jwt_typ_not_allowed', evidence) : undefined
}

function partyFault({ payload }: TokenShape, { issuers, audience }: ClaimRules): ClaimFault | undefined {
  const iss = claimOf(payload, 'iss')
  // An array of issuers is not an issuer (CVE-2025-30144).
  if (typeof iss !== 'string' || !issuers.includes(iss)) return fault('jwt_issuer_mismatch', { claim: 'iss', seen: shown(iss), expected: issuers })
  if (audience.length === 0) return undefined
  const aud = claimOf(payload, 'aud')
  const seen: readonly unknown[] = Array.isArray(aud) ? aud : [aud]
  const fits = seen.every((member) => typeof member === 'string') && seen.some((member) => audience.includes(String(member)))
  return fits ? undefined : fault('jwt_audience_mismatch', { claim: 'aud', seen: shown(aud), expected: audience })
}

/** Whether a claim has one of the values: itself, or a member of it. Numbers and booleans are compared by their text. */
function hasValue(value: unknown, values: readonly string[]): boolean {
  if (Array.isArray(value)) return value.some((member) => typeof member === 'string' && values.includes(member))
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean' ? values.includes(String(value)) : false
}

function constraintFault({ payload }: TokenShape, { constraints, requiredClaims, typ }: ClaimRules): ClaimFault | undefined {
  const required = typ === 'rfc9068' ? [...RFC9068_CLAIMS, ...requiredClaims] : requiredClaims
  const absent = [...constraints.map(({ name }) => name), ...required].find((name) => (claimOf(payload, name) ?? null) === null)
  if (absent !== undefined) return fault('jwt_claim_missing', { claim: absent })
  const wrong = constraints.find(({ name, values }) => !hasValue(claimOf(payload, name), values))
  return wrong && fault('jwt_claim_mismatch', { claim: wrong.name, seen: shown(claimOf(payload, wrong.name)), expected: wrong.values })
}

/** A NumericDate (RFC 7519 section 2) in milliseconds; `invalid` for anything that is not a time. */
function instantOf(payload: JsonObject, name: string): EpochMs | 'invalid' | undefined {
  const value = claimOf(payload, name)
  if (value === undefined) return undefined
  return typeof value === 'number' && Number.isFinite(value) && Math.abs(value) <= LAST_SECOND ? value * 1_000 : 'invalid'
}

/** The instants of a token whose claims were judged. */
export function expiryOf(payload: JsonObject, maxAgeMs: DurationMs | undefined): { readonly expiresAt: EpochMs; readonly until: EpochMs } {
  const [exp, iat] = [instantOf(payload, 'exp'), instantOf(payload, 'iat')]
  const expiresAt = typeof exp === 'number' ? exp : 0
  return { expiresAt, until: maxAgeMs !== undefined && typeof iat === 'number' ? Math.min(expiresAt, iat + maxAgeMs) : expiresAt }
}

function timeFault({ payload }: TokenShape, rules: ClaimRules, now: EpochMs): ClaimFault | undefined {
  const { clockToleranceMs: tolerance, maxAgeMs } = rules
  const [exp, nbf, iat] = ['exp', 'nbf', 'iat'].map((name) => instantOf(payload, name))
  const invalid = ['exp', 'nbf', 'iat'].find((name) => instantOf(payload, name) === 'invalid')
  if (invalid !== undefined) return fault('jwt_claim_invalid', { claim: invalid, seen: shown(claimOf(payload, invalid)), expected: 'seconds since 1970' })
  if (exp === undefined) return fault('jwt_claim_missing', { claim: 'exp' })
  if (maxAgeMs !== undefined && iat === undefined) return fault('jwt_claim_missing', { claim: 'iat' })
  const early = ['nbf', 'iat'].find((name) => Number(name === 'nbf' ? nbf ?? 0 : iat ?? 0) > now + tolerance)
  if (early !== undefined) return fault('jwt_not_yet_valid', { claim: early, inSeconds: Math.round((Number(early === 'nbf' ? nbf : iat) - now) / 1_000) })
  if (now >= Number(exp) + tolerance) return fault('jwt_expired', { claim: 'exp', expiredSecondsAgo: Math.round((now - Number(exp)) / 1_000) })
  if (maxAgeMs !== undefined && now > Number(iat) + maxAgeMs + tolerance) return fault('jwt_too_old', { claim: 'iat', ageSeconds: Math.round((now - Number(iat)) / 1_000), maxAgeSeconds: maxAgeMs / 1_000 })
  return undefined
}

/**
 * Judges the claims of a token: its kind, whose it is and for whom (RFC 7519 section 4.1, RFC 9068 section 4), and its times.
 *
 * Bound tokens (`cnf`, RFC 9449 and RFC 8705) are refused: as plain bearer tokens they would be worth more than their issuer meant
 * (T50). Times come last, so that `expired` is only said of a token that was good.
 */
export function judgeClaims(token: TokenShape, rules: ClaimRules, now: EpochMs): ClaimFault | undefined {
  const bound = claimOf(token.payload, 'cnf') === undefined ? undefined : fault('token_sender_constrained', { claim: 'cnf' })
  return partyFault(token, rules) ?? typFault(token, rules) ?? bound ?? constraintFault(token, rules) ?? timeFault(token, rules, now)
}
