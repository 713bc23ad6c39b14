import { type ClientRequest, type IncomingMessage, ServerResponse } from 'node:http'
import { Socket } from 'node:net'
import { type Duplex, pipeline } from 'node:stream'
import type { EpochMs } from '../../base/time.ts'
import type { Allow, Reply } from '../../model/decision.ts'
import type { ExchangedEvent } from '../../model/event.ts'
import type { Gateway } from '../../model/gateway.ts'
import type { Principals } from '../../model/principal.ts'
import type { RequestDescription } from '../../model/request.ts'
import { answerHeaders } from '../../wire/answer-headers.ts'
import { writeAnswerHead, writeReplyToSocket } from '../../wire/write.ts'
import { checkAnswer, relayedHead } from './answer-head.ts'
import { type EarlyBytes, holdEarlyBytes } from './early-bytes.ts'
import { type FaceParts, originOf } from './exchange.ts'
import { causeOf, ExchangeEnded, failureOf } from './failure.ts'
import { createHandshake, type Handshake } from './handshake.ts'
import { judge, type Judged } from './judge.ts'
import { isLeaving } from './linger.ts'
import { outboundHeaders, outboundPath } from './outbound.ts'
import { type Refusal, refusalReply } from './refuse.ts'
import type { Tunnels } from './tunnels.ts'

/** One upgrade on its way. */
interface Upgrading {
  readonly incoming: IncomingMessage
  readonly client: Duplex
  readonly early: EarlyBytes
  readonly parts: FaceParts
  readonly gateway: Gateway
  readonly origin: string | undefined
  readonly startedAt: number
}

interface Allowed extends Upgrading {
  readonly client: Socket
  readonly request: RequestDescription
  readonly decision: Allow
}

/** When the first of the proofs ends that opened a tunnel. */
function firstExpiry({ primary, byAuthenticator }: Principals): EpochMs | undefined {
  const instants = [primary, ...byAuthenticator.values()].flatMap((principal) => (principal.kind === 'identified' && principal.expiresAt !== undefined ? [principal.expiresAt] : []))
  return instants.length === 0 ? undefined : Math.min(...instants)
}

function answered({ parts, incoming, startedAt }: Upgrading, status: number): void {
  parts.observer.answered({ face: 'proxy', method: incoming.method ?? '', status, durationMs: performance.now() - startedAt })
}

function reply(upgrading: Upgrading, answer: Reply): void {
  if (upgrading.early.gone()) return
  upgrading.early.onGone = () => undefined
  writeReplyToSocket(upgrading.client, answer)
  answered(upgrading, answer.status)
}

function refuse(upgrading: Upgrading, refusal: Refusal): void {
  const { gateway, parts, origin } = upgrading
  reply(upgrading, refusalReply(refusal, { wire: gateway.wire, now: parts.clock(), origin }))
}

function report({ parts, request, decision, startedAt }: Allowed, outcome: ExchangedEvent['outcome'], status?: number): void {
  parts.observer.exchanged({ upstream: decision.route.upstreamId, outcome, ...(status === undefined ? {} : { status }), durationMs: performance.now() - startedAt, requestId: request.id })
}

const headOf = ({ statusCode = 502, rawHeaders }: IncomingMessage): { status: number; raw: readonly Buffer[] } => ({ status: statusCode, raw: rawHeaders.map((part) => Buffer.from(part, 'latin1')) })

/** What is wrong with an answer that is not a 101, or is one without an upgrade. */
function mistakeIn(answer: IncomingMessage): unknown {
  const { status, raw } = headOf(answer)
  try {
    checkAnswer(status, raw)
    return undefined
  } catch (error) {
    return error
  }
}

/** Passes on an answer that is not a 101, as the last one of both connections: nothing was switched. */
function relayAnswer(allowed: Allowed, answer: IncomingMessage): void {
  const { client, incoming, parts, gateway, decision, request } = allowed
  const { status, raw } = headOf(answer)
  const response = new ServerResponse(incoming)
  response.shouldKeepAlive = false
  response.assignSocket(client)
  response.on('error', () => undefined)
  const exchange = { incoming, response, parts, gateway, awaitsContinue: false }
  writeAnswerHead(response, status, answer.statusMessage, relayedHead(exchange, { decision, requestId: request.id }, status, raw))
  response.flushHeaders()
  answered(allowed, status)
  pipeline(answer, response, (error) => {
    report(allowed, error ? 'reset' : 'ok', status)
    response.detachSocket(client)
    if (error) client.destroy()
    else client.destroySoon()
  })
}

const TOO_SLOW = (upstream: string): ExchangeEnded => new ExchangeEnded({ outcome: 'timeout', denial: { kind: 'denial', code: 'upstream_timeout', upstream, phase: 'first_byte' } })

/** Asks the upstream to agree, within the time it has for a first byte. */
function shakeHands(allowed: Allowed, handshake: Handshake, tunnels: Tunnels): void {
  const { incoming, client, early, parts, gateway, request, decision } = allowed
  const upstream = gateway.upstreams.get(decision.route.upstreamId)
  if (!upstream) throw new Error(`route ${decision.route.id} names an upstream that is not there: ${decision.route.upstreamId}`)
  const errand = { request, decision, settings: upstream, framing: { kind: 'none' } as const }
  let done = false
  let pending: ClientRequest | undefined
  const finish = (): boolean => {
    clearTimeout(timer)
    const first = !done
    done = true
    return first
  }
  const fail = (error: unknown): void => {
    if (!finish()) return
    pending?.destroy()
    const { outcome, denial } = failureOf(error, { upstream: upstream.id, sent: causeOf(error) === 'ECONNRESET' })
    report(allowed, outcome)
    if (outcome === 'connect_error') parts.pools.missed(upstream.id, causeOf(error))
    refuse(allowed, { denial, requestId: request.id, limits: decision.limits, cors: decision.route.cors })
  }
  const timer = setTimeout(fail, upstream.connectTimeoutMs + upstream.firstByteTimeoutMs, TOO_SLOW(upstream.id))
  early.onGone = () => {
    if (!finish()) return
    pending?.destroy()
    report(allowed, 'client_abort')
  }
  pending = handshake({
    incoming,
    client,
    upstream,
    path: outboundPath(errand),
    headers: outboundHeaders(allowed, errand, true),
    added: answerHeaders(decision, { wire: gateway.wire, requestId: request.id, now: parts.clock(), origin: allowed.origin }),
    onError: fail,
    onAnswer: (answer) => {
      const mistake = mistakeIn(answer)
      if (mistake !== undefined) return fail(mistake)
      if (!finish()) return
      parts.pools.reached(upstream.id)
      early.onGone = () => pending?.destroy()
      answer.setTimeout(upstream.idleTimeoutMs, () => answer.destroy())
      relayAnswer(allowed, answer)
    },
    onAgreed: (socket) => {
      if (!finish()) return false
      parts.pools.reached(upstream.id)
      report(allowed, 'ok', 101)
      answered(allowed, 101)
      early.giveBack()
      tunnels.add({ client, upstream: socket, expiresAt: firstExpiry(decision.principals), idleMs: upstream.idleTimeoutMs })
      return true
    },
  })
}

function act(upgrading: Upgrading, { request, requestId, decision }: Judged, open: (allowed: Allowed) => Promise<void>): Promise<void> | void {
  if (decision.outcome === 'deny') return refuse(upgrading, { denial: decision.denial, requestId, limits: decision.limits, cors: decision.route?.cors })
  if (decision.outcome === 'answer') return reply(upgrading, decision.reply)
  // Node gives another stream when the request has a body; describe() has refused that.
  if (!request || !(upgrading.client instanceof Socket)) throw new Error('an upgrade that cannot be was allowed')
  return open({ ...upgrading, client: upgrading.client, request, decision })
}

export interface Upgrade {
  readonly upgrade: (incoming: IncomingMessage, socket: Duplex, head: Buffer) => void
  readonly connect: (incoming: IncomingMessage, socket: Duplex) => void
  /** Cuts off what is still being decided or agreed on; the server does not know these sockets any more. */
  readonly cut: () => void
}

/**
 * The path of an upgrade: decided like any request, before the upstream hears of it, then a tunnel. CONNECT takes the same path and is
 * refused on it. Never throws.
 */
export function createUpgrade(parts: FaceParts, tunnels: Tunnels): Upgrade {
  const sockets = new Set<Duplex>()
  let library: Promise<Handshake> | undefined
  const open = async (allowed: Allowed): Promise<void> => {
    // Most deployments never see a WebSocket; the library costs memory only then.
    library ??= import('http-proxy-3').then(({ createProxyServer }) => createHandshake(createProxyServer({})))
    const handshake = await library
    if (!allowed.early.gone()) shakeHands(allowed, handshake, tunnels)
  }

  const begin = (incoming: IncomingMessage, socket: Duplex, head: Buffer, upgrade: boolean): void => {
    // Node has taken its own listeners away: without one a reset ends the process (T52).
    socket.on('error', () => socket.destroy())
    if (isLeaving(incoming.socket)) {
      socket.destroy()
      return
    }
    sockets.add(socket)
    parts.inFlight.enter()
    parts.observer.opened('request', 'proxy')
    socket.once('close', () => {
      sockets.delete(socket)
      parts.observer.closed('request', 'proxy')
      parts.inFlight.leave()
    })
    const upgrading: Upgrading = { incoming, client: socket, early: holdEarlyBytes(socket, head), parts, gateway: parts.gateway(), origin: originOf(incoming), startedAt: performance.now() }
    judge({ incoming, parts, gateway: upgrading.gateway, upgrade, onBodyWanted: () => undefined })
      .then((judged) => (upgrading.early.gone() ? undefined : act(upgrading, judged, open)))
      .catch((error: unknown) => {
        parts.observer.faulted(error)
        refuse(upgrading, { denial: { kind: 'denial', code: 'internal' }, requestId: '', limits: [] })
        socket.end()
      })
  }

  return {
    upgrade: (incoming, socket, head) => begin(incoming, socket, head, true),
    connect: (incoming, socket) => begin(incoming, socket, Buffer.alloc(0), false),
    cut: () => {
      for (const socket of sockets) socket.destroy()
    },
  }
}
