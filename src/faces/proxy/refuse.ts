import type { Denial } from '../../model/denial.ts'
import type { ErrorSettings } from '../../model/gateway.ts'
import type { Reply } from '../../model/decision.ts'
import type { ServiceLimit } from '../../model/quota.ts'
import type { CorsPolicy } from '../../model/route.ts'
import type { WireSettings } from '../../model/gateway.ts'
import { replyOf } from '../../wire/reply.ts'
import { type Exchange, originOf } from './exchange.ts'

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

/** Sends an answer of our own. */
export function answerWith({ client, parts }: Exchange, reply: Reply, close = false): void {
  client.reply(reply, { close: close || parts.isDraining() })
}

/** Refuses the request of an exchange. An answer that has begun is cut off instead: it must not look complete. */
export function refuse(exchange: Exchange, refusal: Refusal): void {
  const { client, incoming, gateway, parts } = exchange
  if (client.begun()) client.destroy()
  else answerWith(exchange, refusalReply(refusal, { wire: gateway.wire, now: parts.clock(), origin: originOf(incoming) }), refusal.close)
}
