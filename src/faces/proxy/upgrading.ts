import type { IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { Allow, Reply } from '../../model/decision.ts'
import type { Gateway } from '../../model/gateway.ts'
import type { RequestDescription } from '../../model/request.ts'
import { writeReplyToSocket } from '../../wire/write.ts'
import type { EarlyBytes } from './early-bytes.ts'
import type { FaceParts } from './exchange.ts'
import { type Refusal, refusalReply } from './refuse.ts'

/** One upgrade on its way. */
export interface Upgrading {
  readonly incoming: IncomingMessage
  readonly client: Duplex
  readonly early: EarlyBytes
  readonly parts: FaceParts
  readonly gateway: Gateway
  readonly origin: string | undefined
  readonly startedAt: number
}

/** One that was allowed, on a socket that can become a tunnel. */
export interface Allowed extends Upgrading {
  readonly client: Socket
  readonly request: RequestDescription
  readonly decision: Allow
}

/** Tells that an answer has left. */
export function answered({ parts, incoming, startedAt }: Upgrading, status: number): void {
  parts.observer.answered({ face: 'proxy', method: incoming.method ?? '', status, durationMs: performance.now() - startedAt })
}

/** Gives a complete answer instead of a tunnel; it is the last one of the connection. */
export function answer(upgrading: Upgrading, reply: Reply): void {
  if (upgrading.early.gone()) return
  upgrading.early.onGone = () => undefined
  writeReplyToSocket(upgrading.client, reply)
  answered(upgrading, reply.status)
}

export function refuse(upgrading: Upgrading, refusal: Refusal): void {
  const { gateway, parts, origin } = upgrading
  answer(upgrading, refusalReply(refusal, { wire: gateway.wire, now: parts.clock(), origin }))
}

