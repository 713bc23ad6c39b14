import type { AuthenticatorKind } from '../model/ports.ts'
import type { ProblemCode } from '../model/denial.ts'
import { REASONS } from '../model/reason.ts'
import type { Instruments } from './instruments.ts'

/** What the config bounds: the names that may become label values. */
export interface KnownNames {
  readonly kinds: readonly AuthenticatorKind[]
  /** Authenticators that call somebody. */
  readonly providers: readonly { readonly name: string; readonly kind: AuthenticatorKind }[]
  readonly policies: readonly string[]
  /** As the observer is told of them. */
  readonly identityHeaders: readonly string[]
}

/** Prefixes of the reasons that each kind can give. */
const REASON_PREFIXES: Readonly<Record<AuthenticatorKind, readonly string[]>> = {
  jwt: ['jwt_', 'token_', 'bearer_', 'subject_'],
  supabase: ['jwt_', 'token_', 'bearer_', 'subject_', 'account_'],
  introspection: ['token_', 'bearer_', 'subject_'],
  api_key: ['key_', 'subject_', 'account_'],
  session: ['session_', 'subject_'],
  remote: ['remote_', 'subject_'],
  anonymous: [],
}

const DENIED_BY_NOBODY: readonly (ProblemCode | keyof typeof REASONS)[] = [
  'request_ambiguous', 'request_too_large', 'method_not_allowed', 'route_not_found', 'network_denied', 'https_required',
  'credential_missing', 'credential_ambiguous', 'credential_unrecognised', 'forbidden', 'quota_exceeded',
]

const ERROR_CODES: readonly ProblemCode[] = ['dependency_unavailable', 'overloaded', 'internal']

type Triple = readonly [outcome: string, method: string, reason: string]

/** The decision series that exist from the start, so that a first refusal is a rise from 0 and not a new series. */
function decisionSeries(kinds: readonly AuthenticatorKind[]): readonly Triple[] {
  const reasons = Object.keys(REASONS)
  const perKind = [...new Set(kinds)].flatMap((kind): Triple[] => [
    ['allow', kind, 'none'],
    ...(kind === 'anonymous' ? [] : [['error', kind, 'dependency_unavailable'] as const, ['deny', kind, 'quota_exceeded'] as const, ['deny', kind, 'scope_insufficient'] as const]),
    ...reasons.filter((reason) => REASON_PREFIXES[kind].some((prefix) => reason.startsWith(prefix))).map((reason) => ['deny', kind, reason] as const),
  ])
  return [
    ['allow', 'none', 'none'],
    ...DENIED_BY_NOBODY.map((reason) => ['deny', 'none', reason] as const),
    ...ERROR_CODES.map((code) => ['error', 'none', code] as const),
    ...perKind,
  ]
}

const OPERATIONS_OF: Readonly<Record<string, readonly string[]>> = {
  jwt: ['jwks', 'discovery'],
  supabase: ['jwks', 'user'],
  introspection: ['introspection', 'discovery'],
  session: ['session'],
  remote: ['remote'],
}

/** Creates every series that the code and one config make possible, with 0. */
export function declareSeries({ zero }: Instruments, { kinds, providers, policies, identityHeaders }: KnownNames): void {
  for (const triple of decisionSeries(kinds)) zero('postern_decisions_total', ...triple)
  for (const kind of new Set([...kinds, 'none'])) zero('postern_decision_duration_seconds', kind)
  // Whoever guesses at the admin listener is a rise from 0.
  for (const reason of ['credential_missing', 'key_unknown', 'session_invalid']) zero('postern_admin_decisions_total', 'admin:log-in', 'deny', reason)
  zero('postern_http_request_duration_seconds', 'proxy')
  for (const outcome of ['ok', 'connect_error', 'timeout', 'reset', 'client_abort', 'protocol_error']) zero('postern_upstream_requests_total', outcome)
  for (const { name, kind } of providers) {
    for (const operation of OPERATIONS_OF[kind] ?? []) {
      for (const outcome of ['ok', 'error', 'timeout']) zero('postern_provider_requests_total', name, operation, outcome)
    }
  }
  for (const policy of policies) for (const outcome of ['allowed', 'limited', 'shadow_limited']) zero('postern_rate_limit_decisions_total', policy, outcome)
  for (const header of identityHeaders) zero('postern_stripped_headers_total', header)
  for (const outcome of ['success', 'failure']) zero('postern_config_reloads_total', outcome)
}
