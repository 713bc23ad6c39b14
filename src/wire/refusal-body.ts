import { STATUS_CODES } from 'node:http'
import type { Denial, ProblemCode } from '../model/denial.ts'
import type { ErrorOverride, ErrorSettings } from '../model/gateway.ts'
import { REASONS } from '../model/reason.ts'
import type { Problem } from './problems.ts'

/** A denial with everything decided about how it is told. */
export interface Told {
  readonly denial: Denial
  readonly status: number
  readonly problem: Problem
  readonly override: ErrorOverride
  /** Whole seconds, at least 1. */
  readonly retryAfter: number | undefined
  readonly requestId: string
}

/** What is wrong with the client's own syntax is said; what is wrong with a credential is not. */
const saysMore = (denial: Denial): denial is Extract<Denial, { detail: string }> => denial.code === 'request_ambiguous' || denial.code === 'request_too_large' || denial.code === 'body_rejected'

const detailOf = (denial: Denial, problem: Problem): string => (saysMore(denial) ? denial.detail : problem.detail)

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

/** RFC 9457: the members that are the same for every request, unless the detail is about this one. */
const commonMembers = ({ denial, status, problem, override }: Told, errors: ErrorSettings): Readonly<Record<string, unknown>> => ({
  type: `${errors.typeBase}${denial.code}`,
  title: override.title ?? problem.title,
  status,
  code: override.code ?? denial.code,
  detail: override.message ?? detailOf(denial, problem),
})

/** The whole document. The members of a quota problem follow draft-ietf-httpapi-ratelimit-headers-10. */
function problemDetails(told: Told, errors: ErrorSettings): Readonly<Record<string, unknown>> {
  const { denial, requestId } = told
  return {
    ...commonMembers(told, errors),
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

/** The text of the common members, without its closing brace. */
interface Beginning { readonly status: number; readonly override: ErrorOverride; readonly text: string }

/** By code, for each config. */
const beginnings = new WeakMap<ErrorSettings, Map<ProblemCode, Beginning>>()

function beginningOf(told: Told, errors: ErrorSettings): string {
  const { denial: { code }, status, override } = told
  const byCode = beginnings.get(errors) ?? new Map<ProblemCode, Beginning>()
  const known = byCode.get(code)
  if (known?.status === status && known.override === override) return known.text
  const text = JSON.stringify(commonMembers(told, errors)).slice(0, -1)
  beginnings.set(errors, byCode.set(code, { status, override, text }))
  return text
}

/** The same text as that of the whole document, of which all but the request is known. */
function usualProblem(told: Told, errors: ErrorSettings): string {
  const { denial, requestId } = told
  const violated = denial.code === 'quota_exceeded' ? `,"violated-policies":${JSON.stringify(denial.violated)}` : ''
  return `${beginningOf(told, errors)},"request_id":${JSON.stringify(requestId)}${violated}}`
}

/** Content type and text of the body of a refusal. */
export function refusalBody(told: Told, errors: ErrorSettings): { readonly type: string; readonly body: string } {
  const { denial, override: { body, extra } } = told
  if (!body && !extra && !errors.shape && !errors.explain && !saysMore(denial)) return { type: 'application/problem+json', body: usualProblem(told, errors) }
  const values = placeholderValues(told)
  if (body) return { type: 'application/json', body: JSON.stringify(body(values)) }
  const base = errors.shape ? errors.shape(values) : problemDetails(told, errors)
  const added = extra?.(values)
  const whole = typeof base === 'object' && base !== null && !Array.isArray(base) && typeof added === 'object' ? { ...base, ...added } : base
  return { type: errors.shape ? 'application/json' : 'application/problem+json', body: JSON.stringify(whole) }
}
