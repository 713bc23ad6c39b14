import type { Denial } from '../../model/denial.ts'
import type { ErrorSettings } from '../../model/gateway.ts'
import type { Reply } from '../../model/decision.ts'
import type { ServiceLimit } from '../../model/quota.ts'
import type { CorsPolicy } from '../../model/route.ts'
import type { WireSettings } from '../../model/gateway.ts'
import { replyOf } from '../../wire/reply.ts'
import { writeReply } from '../../wire/write.ts'
import { type Exchange, originOf } from './exchange.ts'
import { hasUnreadBody, lingerAfterAnswer } from './linger.ts'

/** A refusal and what its answer depends on. */
export interface Refusal {
  readonly denial: Denial
  readonly requestId: string
  readonly limits: readonly ServiceLimit[]
  readonly cors?: CorsPolicy | undefined
  /** Status of the protocol rather than of the code: 408, 417. */
  readonly status?: number | undefined
  /** Where the message ends is in doubt. */
  readonly close?: boolean
}

const withStatus = (errors: ErrorSettings, code: string, status: number): ErrorSettings => ({
  ...errors,
  overrides: new Map(errors.overrides).set(code, { ...errors.overrides.get(code), status }),
})

/** The answer to a refusal, by the one renderer. */
export function refusalReply(refusal: Refusal, { wire, now, origin }: { wire: WireSettings; now: number; origin?: string | undefined }): Reply {
  const { denial, requestId, limits, cors, status } = refusal
  const told = status === undefined ? wire : { ...wire, errors: withStatus(wire.errors, denial.code, status) }
  return replyOf(denial, { wire: told, requestId, now, origin, cors, limits })
}

/** Sends an answer of our own. A body that nobody will read makes it the last one of its connection (T13). */
export function answerWith(exchange: Exchange, reply: Reply, close = false): void {
  const { incoming, response, parts } = exchange
  const unread = hasUnreadBody(incoming)
  if (unread || close) lingerAfterAnswer(incoming)
  writeReply(response, reply, { close: close || unread || parts.isDraining(), head: incoming.method === 'HEAD' })
}

/** Refuses the request of an exchange. An answer that has begun is cut off instead: it must not look complete. */
export function refuse(exchange: Exchange, refusal: Refusal): void {
  const { response, incoming, gateway, parts } = exchange
  if (response.headersSent) {
    response.destroy()
    return
  }
  answerWith(exchange, refusalReply(refusal, { wire: gateway.wire, now: parts.clock(), origin: originOf(incoming) }), refusal.close)
}
