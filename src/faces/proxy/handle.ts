import type { Gateway } from '../../model/gateway.ts'
import { answerHeaders } from '../../wire/answer-headers.ts'
import type { IncomingLines } from '../../wire/incoming.ts'
import { createRequestId } from '../../wire/request-id.ts'
import type { Client, Ending } from './client.ts'
import { type Exchange, type FaceParts, originOf, type Presence, type Undoing } from './exchange.ts'
import { type Case, deny, judge, type Judged } from './judge.ts'
import { answerWith, refuse } from './refuse.ts'
import { relay } from './relay.ts'

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
  refuse(exchange, { denial: { kind: 'denial', code: 'internal' }, requestId: createRequestId(), limits: [], close: true })
}

/** One request from its head to the end of its answer: counted in and out, judged, and acted upon. A client that leaves before is noticed here. */
class Served implements Exchange, Presence, Case, Ending {
  readonly client: Client
  readonly parts: FaceParts
  readonly gateway: Gateway
  readonly upgrade = false
  left = false
  undo: Undoing | undefined
  private readonly startedAt = performance.now()

  constructor(client: Client, parts: FaceParts) {
    this.client = client
    this.parts = parts
    this.gateway = parts.gateway()
    parts.inFlight.enter()
    parts.observer.opened('request', 'proxy')
    client.onDone(this)
  }

  get incoming(): IncomingLines {
    return this.client.message
  }

  get asking(): Client {
    return this.client
  }

  get presence(): Presence {
    return this
  }

  act(judged: Judged): void {
    if (this.left) return
    try {
      act(this, judged)
    } catch (error) {
      failClosed(this, error)
    }
  }

  done(status: number | undefined, whole: boolean): void {
    const { parts: { observer, inFlight }, incoming } = this
    observer.closed('request', 'proxy')
    if (status !== undefined) observer.answered({ face: 'proxy', method: incoming.method ?? '', status, durationMs: performance.now() - this.startedAt })
    if (!whole) {
      this.left = true
      this.undo?.undo()
    }
    inFlight.leave()
  }
}

export interface Handle {
  readonly request: (client: Client) => void
  /** A request with an expectation that nobody here can meet (T13). */
  readonly expectation: (client: Client) => void
}

/** The path of a request: describe, decide, act. Never throws: a fault is answered 500. */
export function createHandle(parts: FaceParts): Handle {
  return {
    request: (client) => judge(new Served(client, parts)),
    expectation: (client) => {
      const exchange = new Served(client, parts)
      const denial = { kind: 'denial', code: 'request_ambiguous', part: 'expect', detail: 'expected nothing or 100-continue' } as const
      const requestId = createRequestId()
      const { method = '', url = '' } = client.message
      parts.observer.decided({ face: 'proxy', wire: { id: requestId, method, path: url.split('?', 1)[0] ?? '', peer: client.peer ?? '' }, decision: deny('describe', denial), durationMs: 0 })
      refuse(exchange, { denial, requestId, limits: [], status: 417, close: true })
    },
  }
}
