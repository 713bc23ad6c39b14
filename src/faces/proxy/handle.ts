import { randomUUID } from 'node:crypto'
import { answerHeaders } from '../../wire/answer-headers.ts'
import type { Client } from './client.ts'
import { type Exchange, type FaceParts, originOf } from './exchange.ts'
import { deny, judge, type Judged } from './judge.ts'
import { answerWith, refuse } from './refuse.ts'
import { relay } from './relay.ts'

/** Counts the request in, and out when its connection or its answer is done; a client that leaves before is noticed here. */
function track({ client, incoming, parts, presence }: Exchange): void {
  const { observer, inFlight } = parts
  const startedAt = performance.now()
  inFlight.enter()
  observer.opened('request', 'proxy')
  client.onDone((status, whole) => {
    observer.closed('request', 'proxy')
    if (status !== undefined) observer.answered({ face: 'proxy', method: incoming.method ?? '', status, durationMs: performance.now() - startedAt })
    if (!whole) {
      presence.left = true
      presence.undo?.()
    }
    inFlight.leave()
  })
}

/** Acts on a decision: the only place where a decided request becomes bytes. */
function act(exchange: Exchange, { request, requestId, decision, close }: Judged): void {
  const { gateway, parts, incoming } = exchange
  if (decision.outcome === 'deny') return refuse(exchange, { denial: decision.denial, requestId, limits: decision.limits, cors: decision.route?.cors, close })
  if (decision.outcome === 'answer') {
    const added = answerHeaders(decision, { wire: gateway.wire, requestId, now: parts.clock(), origin: originOf(incoming) })
    return answerWith(exchange, { ...decision.reply, headers: [...decision.reply.headers, ...added] }, close)
  }
  if (!request) throw new Error('an undescribed request was allowed')
  relay(exchange, request, decision)
}

function failClosed(exchange: Exchange, error: unknown): void {
  exchange.parts.observer.faulted(error)
  refuse(exchange, { denial: { kind: 'denial', code: 'internal' }, requestId: randomUUID(), limits: [], close: true })
}

function serve(exchange: Exchange): void {
  const { client, parts, gateway, presence } = exchange
  judge({ asking: client, parts, gateway, upgrade: false }, (judged) => {
    if (presence.left) return
    try {
      act(exchange, judged)
    } catch (error) {
      failClosed(exchange, error)
    }
  })
}

export interface Handle {
  readonly request: (client: Client) => void
  /** A request with an expectation that nobody here can meet (T13). */
  readonly expectation: (client: Client) => void
}

/** The path of a request: describe, decide, act. Never throws: a fault is answered 500. */
export function createHandle(parts: FaceParts): Handle {
  const begin = (client: Client): Exchange => {
    const exchange: Exchange = { incoming: client.message, client, parts, gateway: parts.gateway(), presence: { left: false, undo: undefined } }
    track(exchange)
    return exchange
  }
  return {
    request: (client) => serve(begin(client)),
    expectation: (client) => {
      const exchange = begin(client)
      const denial = { kind: 'denial', code: 'request_ambiguous', part: 'expect', detail: 'expected nothing or 100-continue' } as const
      const requestId = randomUUID()
      const { method = '', url = '' } = client.message
      parts.observer.decided({ face: 'proxy', wire: { id: requestId, method, path: url.split('?', 1)[0] ?? '', peer: client.peer ?? '' }, decision: deny('describe', denial), durationMs: 0 })
      refuse(exchange, { denial, requestId, limits: [], status: 417, close: true })
    },
  }
}
