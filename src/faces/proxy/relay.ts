import { isDenial, type Denial } from '../../model/denial.ts'
import type { Allow } from '../../model/decision.ts'
import type { UpstreamSettings } from '../../model/gateway.ts'
import type { RequestDescription } from '../../model/request.ts'
import { type Framing, framingOf } from '../../wire/framing.ts'
import { headerLines } from '../../wire/header-lines.ts'
import { type AttemptSettings, CLIENT_LEFT, startAttempt, tooLarge } from './attempt.ts'
import type { Exchange } from './exchange.ts'
import { type Errand, outboundLines, outboundPath, withoutTransferCoding } from './outbound.ts'
import { refuse, type Refusal } from './refuse.ts'

/** Asking again may repeat the effect of other methods (RFC 9110 section 9.2.2). */
const IDEMPOTENT: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE'])

/** How the body goes out: from the message, never from the method (F3), or as exactly the bytes that were judged. */
function outboundFraming(exchange: Exchange, { body, headers }: RequestDescription): Framing {
  if (body) return { kind: 'length', length: body.bytes.length }
  const framing = framingOf(headers, exchange.incoming.httpVersion)
  if (isDenial(framing)) throw new Error('a request with ambiguous framing got as far as the relay')
  return framing
}

function errandOf(exchange: Exchange, request: RequestDescription, decision: Allow): Errand {
  const { upstreamId } = decision.route
  const settings: UpstreamSettings | undefined = exchange.gateway.upstreams.get(upstreamId)
  if (!settings) throw new Error(`route ${decision.route.id} names an upstream that is not there: ${upstreamId}`)
  return { request, decision, settings, framing: outboundFraming(exchange, request) }
}

/** What is the same for both attempts. A connection that carried chunks is not used again: their end is where desyncs live (T12). */
function dispatchOptions(exchange: Exchange, errand: Errand): AttemptSettings['options'] {
  const { request, settings, framing } = errand
  const headers = outboundLines(exchange, errand)
  return {
    path: outboundPath(errand),
    method: request.method,
    headers: framing.kind === 'chunked' ? headerLines(withoutTransferCoding(headers.list())) : headers,
    reset: framing.kind === 'chunked' || !settings.keepAlive,
  }
}

const refusalOf = ({ request, decision }: Errand, denial: Denial): Refusal => ({ denial, requestId: request.id, limits: decision.limits, cors: decision.route.cors })

const OVERLOADED: Denial = { kind: 'denial', code: 'overloaded' }

/** A request that waits until a connection is free. */
function queue(settings: Omit<AttemptSettings, 'connection'>, refuseWith: (denial: Denial) => void): void {
  const { exchange: { presence, parts }, errand, pool } = settings
  let refused = false
  const withdraw = pool.wait((connection) => {
    clearTimeout(timer)
    // A connection on its way here cannot be withdrawn from; what was told to come back must not be done.
    if (presence.left || refused) return pool.release(connection)
    startAttempt({ ...settings, connection })
  })
  presence.undo = { undo: () => {
    clearTimeout(timer)
    withdraw()
    parts.observer.exchanged({ upstream: errand.settings.id, outcome: CLIENT_LEFT.failure.outcome, durationMs: 0, requestId: errand.request.id })
  } }
  const timer = setTimeout(() => {
    refused = true
    withdraw()
    presence.undo = undefined
    refuseWith(OVERLOADED)
  }, errand.settings.connectTimeoutMs)
}

const isBodiless = (framing: Framing): boolean => framing.kind === 'none' || (framing.kind === 'length' && framing.length === 0)

/** Sends an allowed request to its upstream and the answer to the client. Everything that goes wrong there is answered here. */
export function relay(exchange: Exchange, request: RequestDescription, decision: Allow): void {
  const errand = errandOf(exchange, request, decision)
  const { settings, framing } = errand
  const { maxBodyBytes } = decision.route
  if (framing.kind === 'length' && framing.length > maxBodyBytes && !request.body) return refuse(exchange, refusalOf(errand, tooLarge(maxBodyBytes)))

  const pool = exchange.parts.pools.of(settings)
  const options = dispatchOptions(exchange, errand)
  // A body passes once: what the first attempt has read is nowhere any more, even if all of it had arrived before.
  const mayRetry = IDEMPOTENT.has(request.method) && isBodiless(framing)
  const connection = pool.take()
  if (connection) startAttempt({ exchange, errand, options, connection, pool, mayRetry })
  else queue({ exchange, errand, options, pool, mayRetry }, (denial) => refuse(exchange, refusalOf(errand, denial)))
}
