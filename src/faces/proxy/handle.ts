import { randomUUID } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { answerHeaders } from '../../wire/answer-headers.ts'
import { type Exchange, type FaceParts, originOf } from './exchange.ts'
import { deny, judge, type Judged } from './judge.ts'
import { isLeaving } from './linger.ts'
import { answerWith, refuse } from './refuse.ts'
import { relay } from './relay.ts'

const nothing = (): void => undefined

/** The newest answer of each connection. */
const answering = new WeakMap<Socket, ServerResponse>()

/** Whether part of an answer has been written to a connection, so that nothing else may be. */
export function hasBegunAnswer(socket: Socket): boolean {
  const response = answering.get(socket)
  return response?.headersSent === true && !response.destroyed
}

const ending = new WeakSet<Socket>()

/**
 * Whether whole requests of a connection still wait for their answers. Then the connection ends behind the last of them: what else
 * came is no request (RFC 9112 section 9.6), and must not take away answers to what was already done.
 */
export function endsAfterAnswers(socket: Socket): boolean {
  const last = answering.get(socket)
  if (last?.req.complete !== true || last.destroyed) return false
  if (!ending.has(socket)) last.once('close', () => socket.destroySoon())
  ending.add(socket)
  return true
}

/** More requests than anybody pipelines; each takes room from other clients, and connections are what is counted per client. */
const MAX_UNANSWERED = 128

/** Of each connection, the requests that wait for their answers: what is to be done when one is answered or will never be. */
const unanswered = new WeakMap<Socket, Set<() => void>>()

/**
 * Node tells only the answer whose turn it is that the connection is closed, and none of them once an upgrade or CONNECT behind them
 * has taken the connection away from it.
 */
function unansweredOf(socket: Socket): Set<() => void> {
  const known = unanswered.get(socket)
  if (known) return known
  const made = new Set<() => void>()
  unanswered.set(socket, made)
  socket.once('close', () => {
    for (const leave of made) leave()
  })
  return made
}

/** Counts the request in, and out when its connection or its answer is done; a client that leaves before is noticed here. */
function track({ incoming, response, parts, presence }: Exchange): void {
  const { observer, inFlight } = parts
  const startedAt = performance.now()
  inFlight.enter()
  // The message loses its socket in the end.
  const { socket } = incoming
  answering.set(socket, response)
  const waiting = unansweredOf(socket)
  observer.opened('request', 'proxy')
  // A write after the client has gone is no error of ours, and unheard it would end the process (T52).
  response.on('error', nothing)
  // Whoever reads the body listens too, but may stop between the moment when Node sees that somebody does and the one when it tells:
  // a broken body behind a request that still has its answer to come ended the process so.
  incoming.on('error', nothing)
  const leave = (): void => {
    if (!waiting.delete(leave)) return
    observer.closed('request', 'proxy')
    if (response.headersSent) observer.answered({ face: 'proxy', method: incoming.method ?? '', status: response.statusCode, durationMs: performance.now() - startedAt })
    if (!response.writableFinished) {
      presence.left = true
      presence.undo?.()
    }
    inFlight.leave()
  }
  waiting.add(leave)
  response.on('close', leave)
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
  const { incoming, response, parts, gateway, awaitsContinue, presence } = exchange
  const crowded = unansweredOf(incoming.socket).size > MAX_UNANSWERED
  judge({ incoming, parts, gateway, upgrade: false, crowded, onBodyWanted: () => awaitsContinue && response.writeContinue() }, (judged) => {
    if (presence.left) return
    try {
      // The body of such a request was asked for already.
      act(judged.request?.body ? { ...exchange, awaitsContinue: false } : exchange, judged)
    } catch (error) {
      failClosed(exchange, error)
    }
  })
}

export interface Handle {
  readonly request: (incoming: IncomingMessage, response: ServerResponse, awaitsContinue: boolean) => void
  /** A request with an expectation that nobody here can meet (T13). */
  readonly expectation: (incoming: IncomingMessage, response: ServerResponse) => void
}

/** The path of a request: describe, decide, act. Never throws: a fault is answered 500. */
export function createHandle(parts: FaceParts): Handle {
  const exchangeOf = (incoming: IncomingMessage, response: ServerResponse, awaitsContinue: boolean): Exchange | undefined => {
    // Behind the last answer of a connection there are no requests, only bytes. It ends by itself.
    if (isLeaving(incoming.socket)) return undefined
    const exchange: Exchange = { incoming, response, parts, gateway: parts.gateway(), awaitsContinue, presence: { left: false, undo: undefined } }
    track(exchange)
    return exchange
  }
  return {
    request: (incoming, response, awaitsContinue) => {
      const exchange = exchangeOf(incoming, response, awaitsContinue)
      if (exchange) serve(exchange)
    },
    expectation: (incoming, response) => {
      const exchange = exchangeOf(incoming, response, false)
      if (!exchange) return
      const denial = { kind: 'denial', code: 'request_ambiguous', part: 'expect', detail: 'expected nothing or 100-continue' } as const
      const requestId = randomUUID()
      parts.observer.decided({ face: 'proxy', wire: { id: requestId, method: incoming.method ?? '', path: incoming.url?.split('?', 1)[0] ?? '', peer: parts.peers.of(incoming.socket) ?? '' }, decision: deny('describe', denial), durationMs: 0 })
      refuse(exchange, { denial, requestId, limits: [], status: 417, close: true })
    },
  }
}
