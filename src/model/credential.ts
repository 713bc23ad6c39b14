import type { Evidence } from './denial.ts'
import type { RejectionReason } from './reason.ts'

/** Where a credential was found: what is stripped, redacted and named by `explain`. */
export type CredentialLocation =
  | { readonly kind: 'header'; /** lower-case */ readonly name: string }
  | { readonly kind: 'cookie'; /** exact cookie name, chunk suffix included */ readonly name: string }

/** What a token says of itself, or why it cannot be read. Nothing of it is verified: it may send a token away, and never lets one in. */
export type Reading =
  | { readonly kind: 'claims'; /** `iss`, where that is text */ readonly issuer: string | undefined; readonly evidence: Evidence }
  | { readonly kind: 'fault'; readonly reason: RejectionReason; /** Which part, and what about it. */ readonly detail: string }

/** Proof presented, not yet verified. */
export interface Credential {
  readonly kind: 'credential'
  /** The secret text, without the scheme. Must never reach a log, a metric or an answer. */
  readonly value: string
  readonly locations: readonly CredentialLocation[]
  /** Values that ride along and mean nothing without the credential, such as an asserted `X-User-Id`; by lower-case header name. */
  readonly companions?: ReadonlyMap<string, string>
  /** SHA-256 of the value, once somebody has worked it out: what caches know it by. */
  digest?: string | undefined
  /** What the value says of itself, once somebody has read it. */
  reading?: Reading | undefined
  /** What was made of it last; for those who made it. Whoever copies a credential copies this too, so it says whose it is. */
  made?: { readonly of: Credential } | undefined
}

/**
 * What an authenticator found in its carriers.
 *
 * `undefined`: the carriers are empty (missing). `foreign`: there is something, but not of my shape; if nobody recognises it the
 * request is refused, never anonymous. `ambiguous`: one carrier repeated (RFC 6750 section 2; 400). `malformed`: mine by
 * its carrier, but not even syntactically a credential.
 */
export type Extraction =
  | Credential
  | { readonly kind: 'foreign' | 'ambiguous' | 'malformed'; readonly location: CredentialLocation }
  | undefined

/** What was found, and the field lines in which it was: it follows from them alone. */
export interface Found {
  /** Of each field that was looked at. */
  readonly lines: readonly (readonly string[] | undefined)[]
  readonly extraction: Extraction
}
