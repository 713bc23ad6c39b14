import { STATUS_CODES } from 'node:http'
import type { DurationMs, EpochMs } from '../base/time.ts'
import type { Reply } from '../model/decision.ts'
import type { Denial } from '../model/denial.ts'
import type { ErrorOverride, ErrorSettings, WireSettings } from '../model/gateway.ts'
import type { ServiceLimit } from '../model/quota.ts'
import { REASONS } from '../model/reason.ts'
import type { CorsPolicy } from '../model/route.ts'
import { challengeLines } from './challenge.ts'
import { PROBLEMS, type Problem } from './problems.ts'
import { rateLimitFields } from './rate-limit-fields.ts'

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

/** A denial with everything decided about how it is told. */
interface Told {
  readonly denial: Denial
  readonly status: number
  readonly problem: Problem
  readonly override: ErrorOverride
  /** Whole seconds, at least 1. */
  readonly retryAfter: number | undefined
  readonly requestId: string
}

/** Pause that is asked of clients when nobody knows how long the trouble lasts. */
const DEFAULT_PAUSE_MS: DurationMs = 5_000

const NO_OVERRIDE: ErrorOverride = {}

/** The authenticator's word before the general one, a code before a status. */
function overrideOf(denial: Denial, status: number, errors: ErrorSettings): ErrorOverride {
  const own = 'authenticatorId' in denial && denial.authenticatorId !== undefined ? errors.byAuthenticator.get(denial.authenticatorId) : undefined
  return own?.get(denial.code) ?? own?.get(String(status)) ?? errors.overrides.get(denial.code) ?? errors.overrides.get(String(status)) ?? NO_OVERRIDE
}

/** Rounded up, since a client that comes a moment too early is refused again. */
function retryAfterOf(denial: Denial, status: number): number | undefined {
  if (denial.code !== 'quota_exceeded' && status !== 429 && status !== 503) return undefined
  const ms = ('retryAfterMs' in denial ? denial.retryAfterMs : undefined) ?? DEFAULT_PAUSE_MS
  return Number.isFinite(ms) ? Math.max(1, Math.ceil(ms / 1_000)) : DEFAULT_PAUSE_MS / 1_000
}

/** What is wrong with the client's own syntax is said; what is wrong with a credential is not. */
function detailOf(denial: Denial, problem: Problem): string {
  if (denial.code === 'request_ambiguous' || denial.code === 'request_too_large' || denial.code === 'body_rejected') return denial.detail
  return problem.detail
}

/** Members of a denial that the answer shows in another way, or that are not about this request. */
const TOLD_ELSEWHERE: ReadonlySet<string> = new Set(['kind', 'code', 'status', 'detail', 'reason', 'evidence', 'challenges', 'violated', 'retryAfterMs', 'allow'])

/** Dev mode only: what `explain` would say. */
function explanation(denial: Denial): Readonly<Record<string, unknown>> {
  const rest = Object.entries(denial).filter(([name]) => !TOLD_ELSEWHERE.has(name))
  const evidence = { ...Object.fromEntries(rest), ...('evidence' in denial ? denial.evidence : {}) }
  return {
    ...('reason' in denial ? { reason: denial.reason, hint: REASONS[denial.reason].hint } : {}),
    ...(Object.keys(evidence).length > 0 ? { evidence } : {}),
  }
}

/** RFC 9457. The members of a quota problem follow draft-ietf-httpapi-ratelimit-headers-10. */
function problemDetails({ denial, status, problem, override, requestId }: Told, errors: ErrorSettings): Readonly<Record<string, unknown>> {
  return {
    type: `${errors.typeBase}${denial.code}`,
    title: override.title ?? problem.title,
    status,
    code: override.code ?? denial.code,
    detail: override.message ?? detailOf(denial, problem),
    request_id: requestId,
    ...(denial.code === 'quota_exceeded' ? { 'violated-policies': denial.violated } : {}),
    ...(errors.explain ? explanation(denial) : {}),
  }
}

function placeholderValues({ denial, status, problem, override, retryAfter, requestId }: Told): Readonly<Record<string, unknown>> {
  return {
    status,
    status_text: STATUS_CODES[status] ?? 'Error',
    code: override.code ?? denial.code,
    title: override.title ?? problem.title,
    message: override.message ?? detailOf(denial, problem),
    retry_after: retryAfter,
    request_id: requestId,
  }
}

/** Content type and text of the body. */
function bodyOf(told: Told, errors: ErrorSettings): readonly [type: string, body: string] {
  const values = placeholderValues(told)
  const { body, extra } = told.override
  if (body) return ['application/json', JSON.stringify(body(values))]
  const base = errors.shape ? errors.shape(values) : problemDetails(told, errors)
  const added = extra?.(values)
  const whole = typeof base === 'object' && base !== null && !Array.isArray(base) && typeof added === 'object' ? { ...base, ...added } : base
  return [errors.shape ? 'application/json' : 'application/problem+json', JSON.stringify(whole)]
}

/**
 * How a refusal is told: the one renderer. Problem details of RFC 9457 unless the config gives a shape, challenges of RFC 6750
 * on every 401, Retry-After on every 429 and 503, rate-limit and CORS fields as on any other answer, and never stored.
 */
export function replyOf(denial: Denial, context: ReplyContext): Reply {
  const { wire, requestId, now, origin, limits } = context
  const problem: Problem = PROBLEMS[denial.code]
  const usual = denial.code === 'request_too_large' ? denial.status : problem.status
  const override = overrideOf(denial, usual, wire.errors)
  const status = override.status ?? usual
  const retryAfter = retryAfterOf(denial, status)
  const [type, body] = bodyOf({ denial, status, problem, override, retryAfter, requestId }, wire.errors)
  return {
    status,
    headers: [
      ['Content-Type', type],
      ['Content-Length', String(Buffer.byteLength(body))],
      ['Cache-Control', 'no-store'],
      ['X-Content-Type-Options', 'nosniff'],
      ['X-Request-Id', requestId],
      ...challengeLines(denial, status, wire.realm).map((line) => ['WWW-Authenticate', line] as const),
      ...(denial.code === 'method_not_allowed' ? [['Allow', denial.allow.join(', ')] as const] : []),
      ...(retryAfter === undefined ? [] : [['Retry-After', String(retryAfter)] as const]),
      ...rateLimitFields(limits, wire.rateLimitFields, now),
      ...((context.cors ?? wire.cors)?.fieldsFor(origin) ?? []),
      ...(context.extraHeaders ?? []),
    ],
    body,
  }
}
