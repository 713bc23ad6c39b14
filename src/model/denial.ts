import type { DurationMs } from '../base/time.ts'
import type { RejectionCode, RejectionReason } from './reason.ts'

/** What `explain` and the log may show beside a reason: values seen and expected, never a secret. */
export type Evidence = Readonly<Record<string, string | number | boolean | readonly string[] | undefined>>

/** An entry of `WWW-Authenticate` without its error parameters; the renderer adds those (RFC 6750 section 3). */
export interface Challenge {
  readonly scheme: 'Bearer' | 'ApiKey' | 'Cookie'
  /** Auth-params in order, values unescaped. */
  readonly parameters: readonly (readonly [name: string, value: string])[]
}

/** Why not. `code` is public and stable; the rest is evidence. */
export type Denial = { readonly kind: 'denial' } & (
  | { readonly code: 'request_ambiguous'; readonly part: string; readonly detail: string }
  | { readonly code: 'request_too_large'; readonly status: 413 | 414 | 431; readonly detail: string }
  | { readonly code: 'method_not_allowed'; readonly allow: readonly string[] }
  | { readonly code: 'body_rejected'; readonly detail: string }
  | { readonly code: 'forwarder_untrusted' }
  | { readonly code: 'route_not_found' }
  | { readonly code: 'network_denied' }
  | { readonly code: 'https_required' }
  | { readonly code: 'credential_missing'; readonly challenges: readonly Challenge[]; readonly authenticatorId?: string }
  | { readonly code: 'credential_ambiguous'; readonly location: string; readonly challenges: readonly Challenge[]; readonly authenticatorId?: string }
  | {
      readonly code: RejectionCode
      readonly reason: RejectionReason
      readonly challenges: readonly Challenge[]
      readonly authenticatorId?: string
      readonly evidence?: Evidence
    }
  | { readonly code: 'scope_insufficient'; readonly required: readonly string[]; readonly missing: readonly string[]; readonly challenges: readonly Challenge[] }
  | { readonly code: 'tier_insufficient'; readonly required: string; readonly tier?: string }
  | { readonly code: 'forbidden'; readonly rule: 'route' | 'role' | 'claim' | 'body' | 'grant_type' | 'origin' | 'key_network'; readonly evidence?: Evidence }
  | { readonly code: 'quota_exceeded'; readonly violated: readonly string[]; readonly retryAfterMs: DurationMs }
  | { readonly code: 'dependency_unavailable'; readonly dependency: string; readonly retryAfterMs?: DurationMs; readonly authenticatorId?: string; readonly cause?: string }
  | { readonly code: 'dependency_misconfigured'; readonly dependency: string; readonly authenticatorId?: string; readonly cause?: string }
  | { readonly code: 'overloaded' }
  | { readonly code: 'upstream_unreachable'; readonly upstream: string; readonly cause?: string }
  | { readonly code: 'upstream_timeout'; readonly upstream: string; readonly phase: 'connect' | 'first_byte' | 'idle' }
  | { readonly code: 'internal' })

/** Every public code. */
export type ProblemCode = Denial['code']

export function isDenial(value: unknown): value is Denial {
  return typeof value === 'object' && value !== null && (value as { kind?: unknown }).kind === 'denial'
}
