import type { EpochMs } from '../base/time.ts'
import type { Allow, Answer } from '../model/decision.ts'
import type { WireSettings } from '../model/gateway.ts'
import { rateLimitFields } from './rate-limit-fields.ts'

type Fields = readonly (readonly [name: string, value: string])[]

/** What the fields of an answer depend on besides the decision. */
export interface AnswerContext {
  readonly wire: WireSettings
  readonly requestId: string
  readonly now: EpochMs
  /** The request's `Origin`, when it has exactly one. */
  readonly origin?: string | undefined
}

const carriesCors = (fields: Fields): boolean => fields.some(([name]) => name.toLowerCase().startsWith('access-control-') || name.toLowerCase() === 'vary')

/**
 * What Postern adds to an answer that is not a refusal: the request id, what is left of the quotas, and who may read it. An answer
 * of Postern's own that already speaks CORS (a preflight, open metadata) is not contradicted.
 */
export function answerHeaders(decision: Allow | Answer, context: AnswerContext): Fields {
  const { wire, requestId, now, origin } = context
  const cors = decision.route?.cors ?? wire.cors
  const silent = decision.outcome === 'answer' && carriesCors(decision.reply.headers)
  return [
    ['X-Request-Id', requestId],
    ...rateLimitFields(decision.limits, wire.rateLimitFields, now),
    ...(cors && !silent ? cors.fieldsFor(origin) : []),
  ]
}

/** Fields whose lines add up: two of them mean what one with both values means. */
const ADDITIVE: ReadonlySet<string> = new Set(['vary', 'ratelimit', 'ratelimit-policy'])

const ORIGINS_OWN = /^x-ratelimit-/

/**
 * Puts the added fields into an upstream's flat header list (name, value, name, value …). Ours replace the upstream's, except that
 * additive ones stand beside them, and that an upstream's own `X-RateLimit-*` stay: a neighbour in the middle must not
 * make an origin's limits look more generous than they are (draft-ietf-httpapi-ratelimit-headers-10). When CORS is answered here, every
 * `Access-Control-*` of the upstream goes: two Allow-Origin lines are an error to a browser.
 */
export function mergeAnswerHeaders(upstream: readonly string[], added: Fields): string[] {
  const names = new Set(added.map(([name]) => name.toLowerCase()))
  const answersCors = [...names].some((name) => name.startsWith('access-control-'))
  const kept: string[] = []
  let ownLimits = false
  for (let index = 0; index + 1 < upstream.length; index += 2) {
    const name = upstream[index] ?? ''
    const key = name.toLowerCase()
    if (ORIGINS_OWN.test(key)) ownLimits = true
    const replaced = (names.has(key) && !ADDITIVE.has(key) && !ORIGINS_OWN.test(key)) || (answersCors && key.startsWith('access-control-'))
    if (!replaced) kept.push(name, upstream[index + 1] ?? '')
  }
  for (const [name, value] of added) {
    if (!(ownLimits && ORIGINS_OWN.test(name.toLowerCase()))) kept.push(name, value)
  }
  return kept
}
