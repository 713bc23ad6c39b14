import type { ClientRequest, IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import type { ExchangedEvent } from '../../model/event.ts'
import type { UpstreamSettings } from '../../model/gateway.ts'
import { answerHeaders } from '../../wire/answer-headers.ts'
import { causeOf, ExchangeEnded, failureOf } from './failure.ts'
import type { Handshake } from './handshake.ts'
import { outboundLines, outboundPath } from './outbound.ts'
import { mistakeIn, relayAnswer } from './other-answer.ts'
import { firstExpiry } from './proof-end.ts'
import type { Tunnels } from './tunnels.ts'
import { type Allowed, answered, refuse } from './upgrading.ts'

/** A handshake under way. It ends once: agreed, answered otherwise, failed, or left by the client. */
interface Shaking {
  readonly allowed: Allowed
  readonly upstream: UpstreamSettings
  readonly tunnels: Tunnels
  readonly timer: NodeJS.Timeout
  request?: ClientRequest
  ended: boolean
}

const tooSlow = (upstream: string): ExchangeEnded => new ExchangeEnded({ outcome: 'timeout', denial: { kind: 'denial', code: 'upstream_timeout', upstream, phase: 'first_byte' } })

/** Whether this is the first end. */
function end(shaking: Shaking): boolean {
  if (shaking.ended) return false
  shaking.ended = true
  clearTimeout(shaking.timer)
  return true
}

function report({ allowed }: Shaking, outcome: ExchangedEvent['outcome'], status?: number): void {
  const { parts, request, decision, startedAt } = allowed
  parts.observer.exchanged({ upstream: decision.route.upstreamId, outcome, ...(status === undefined ? {} : { status }), durationMs: performance.now() - startedAt, requestId: request.id })
}

function fail(shaking: Shaking, error: unknown): void {
  if (!end(shaking)) return
  const { allowed, upstream, request } = shaking
  request?.destroy()
  const { outcome, denial } = failureOf(error, { upstream: upstream.id, sent: causeOf(error) === 'ECONNRESET' })
  report(shaking, outcome)
  if (outcome === 'connect_error') allowed.parts.pools.missed(upstream.id, causeOf(error))
  refuse(allowed, { denial, requestId: allowed.request.id, limits: allowed.decision.limits, cors: allowed.decision.route.cors })
}

function leave(shaking: Shaking): void {
  if (!end(shaking)) return
  shaking.request?.destroy()
  report(shaking, 'client_abort')
}

function takeAnswer(shaking: Shaking, answer: IncomingMessage): void {
  const mistake = mistakeIn(answer)
  if (mistake !== undefined) return fail(shaking, mistake)
  if (!end(shaking)) return
  const { allowed, upstream } = shaking
  allowed.parts.pools.reached(upstream.id)
  allowed.early.onGone = () => shaking.request?.destroy()
  answer.setTimeout(upstream.idleTimeoutMs, () => answer.destroy())
  relayAnswer(allowed, answer, (ok, status) => report(shaking, ok ? 'ok' : 'reset', status))
}

function join(shaking: Shaking, socket: Socket): boolean {
  if (!end(shaking)) return false
  const { allowed, upstream, tunnels } = shaking
  allowed.parts.pools.reached(upstream.id)
  report(shaking, 'ok', 101)
  answered(allowed, 101)
  allowed.early.giveBack()
  tunnels.add({ client: allowed.client, upstream: socket, expiresAt: firstExpiry(allowed.decision), watch: (over) => allowed.parts.vigil.watch(allowed.decision, over), idleMs: upstream.idleTimeoutMs })
  return true
}

/** Asks the upstream of an allowed upgrade to agree, within the time it has for a first byte, and opens the tunnel when it does. */
export function openTunnel(allowed: Allowed, handshake: Handshake, tunnels: Tunnels): void {
  const { incoming, client, early, parts, gateway, request, decision, origin } = allowed
  const upstream = gateway.upstreams.get(decision.route.upstreamId)
  if (!upstream) throw new Error(`route ${decision.route.id} names an upstream that is not there: ${decision.route.upstreamId}`)
  const errand = { request, decision, settings: upstream, framing: { kind: 'none' } as const }
  const timer = setTimeout(() => fail(shaking, tooSlow(upstream.id)), upstream.connectTimeoutMs + upstream.firstByteTimeoutMs)
  const shaking: Shaking = { allowed, upstream, tunnels, timer, ended: false }
  early.onGone = () => leave(shaking)
  const settings = {
    incoming,
    client,
    upstream,
    path: outboundPath(errand),
    headers: outboundLines(allowed, errand, true).list(),
    added: answerHeaders(decision, { wire: gateway.wire, requestId: request.id, now: parts.clock(), origin }),
    onError: (error: unknown) => fail(shaking, error),
    onAnswer: (answer: IncomingMessage) => takeAnswer(shaking, answer),
    onAgreed: (socket: Socket) => join(shaking, socket),
  }
  try {
    shaking.request = handshake(settings)
  } catch (error) {
    end(shaking)
    throw error
  }
}
