import type { EpochMs } from '../base/time.ts'
import type { Allow, Answer } from '../model/decision.ts'
import type { WireSettings } from '../model/gateway.ts'
import { pushRateLimitFields, rateLimitFields } from './rate-limit-fields.ts'

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

/**
 * The same for an answer of the upstream's, at the end of a flat list. Nothing is decided here about the upstream's own fields of these
 * names.
 */
export function pushAnswerHeaders(out: string[], { limits, route }: Allow, { wire, requestId, now, origin }: AnswerContext): void {
  out.push('X-Request-Id', requestId)
  pushRateLimitFields(out, limits, wire.rateLimitFields, now)
  const cors = route.cors ?? wire.cors
  if (cors) for (const [name, value] of cors.fieldsFor(origin)) out.push(name, value)
}
