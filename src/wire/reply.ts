import type { DurationMs, EpochMs } from '../base/time.ts'
import type { Reply } from '../model/decision.ts'
import type { Denial } from '../model/denial.ts'
import type { ErrorOverride, ErrorSettings, WireSettings } from '../model/gateway.ts'
import type { ServiceLimit } from '../model/quota.ts'
import type { CorsPolicy } from '../model/route.ts'
import { challengeLines } from './challenge.ts'
import { PROBLEMS, type Problem } from './problems.ts'
import { rateLimitFields } from './rate-limit-fields.ts'
import { refusalBody } from './refusal-body.ts'

export { errorSettings, ErrorSettingsError } from './error-settings.ts'

/** What a refusal's look depends on besides the denial. */
export interface ReplyContext {
  readonly wire: WireSettings
  readonly requestId: string
  readonly now: EpochMs
  /** The request's `Origin`, when it has exactly one. */
  readonly origin?: string | undefined
  /** The route's policy; without one the global policy of `wire` applies. */
  readonly cors?: CorsPolicy | undefined
  readonly limits: readonly ServiceLimit[]
  readonly extraHeaders?: readonly (readonly [name: string, value: string])[]
}

/** Pause that is asked of clients when nobody knows how long the trouble lasts. */
const DEFAULT_PAUSE_MS: DurationMs = 5_000

const NO_OVERRIDE: ErrorOverride = {}

/** The authenticator's word before the general one, a code before a status. */
function overrideOf(denial: Denial, status: number, errors: ErrorSettings): ErrorOverride {
  if (errors.overrides.size === 0 && errors.byAuthenticator.size === 0) return NO_OVERRIDE
  const own = 'authenticatorId' in denial && denial.authenticatorId !== undefined ? errors.byAuthenticator.get(denial.authenticatorId) : undefined
  return own?.get(denial.code) ?? own?.get(String(status)) ?? errors.overrides.get(denial.code) ?? errors.overrides.get(String(status)) ?? NO_OVERRIDE
}

/** Rounded up, since a client that comes a moment too early is refused again. */
function retryAfterOf(denial: Denial, status: number): number | undefined {
  if (denial.code !== 'quota_exceeded' && status !== 429 && status !== 503) return undefined
  const ms = ('retryAfterMs' in denial ? denial.retryAfterMs : undefined) ?? DEFAULT_PAUSE_MS
  return Number.isFinite(ms) ? Math.max(1, Math.ceil(ms / 1_000)) : DEFAULT_PAUSE_MS / 1_000
}

type Field = readonly [name: string, value: string]

const NOT_STORED: Field = ['Cache-Control', 'no-store']
const NOT_SNIFFED: Field = ['X-Content-Type-Options', 'nosniff']

/**
 * How a refusal is told: the one renderer. Problem details of RFC 9457 unless the config gives a shape, challenges of RFC 6750
 * on every 401, Retry-After on every 429 and 503, rate-limit and CORS fields as on any other answer, and never stored.
 */
export function replyOf(denial: Denial, context: ReplyContext): Reply {
  const { wire, requestId, now, origin, limits, extraHeaders } = context
  const problem: Problem = PROBLEMS[denial.code]
  const usual = denial.code === 'request_too_large' ? denial.status : problem.status
  const override = overrideOf(denial, usual, wire.errors)
  const status = override.status ?? usual
  const retryAfter = retryAfterOf(denial, status)
  const { type, body } = refusalBody({ denial, status, problem, override, retryAfter, requestId }, wire.errors)
  const headers: Field[] = [['Content-Type', type], ['Content-Length', String(Buffer.byteLength(body))], NOT_STORED, NOT_SNIFFED, ['X-Request-Id', requestId]]
  for (const line of challengeLines(denial, status, wire.realm)) headers.push(['WWW-Authenticate', line])
  if (denial.code === 'method_not_allowed') headers.push(['Allow', denial.allow.join(', ')])
  if (retryAfter !== undefined) headers.push(['Retry-After', String(retryAfter)])
  for (const field of rateLimitFields(limits, wire.rateLimitFields, now)) headers.push(field)
  const cors = context.cors ?? wire.cors
  if (cors) for (const field of cors.fieldsFor(origin)) headers.push(field)
  if (extraHeaders) for (const field of extraHeaders) headers.push(field)
  return { status, headers, body }
}
