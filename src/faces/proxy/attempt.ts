import type { Readable } from 'node:stream'
import type { EpochMs } from '../../base/time.ts'
import type { Allow } from '../../model/decision.ts'
import type { Denial } from '../../model/denial.ts'
import type { ExchangedEvent } from '../../model/event.ts'
import { responseHeaders } from '../../wire/response-headers.ts'
import { checkAnswer, relayedHead } from './answer-head.ts'
import { type BodyTrouble, createBodySource } from './body-source.ts'
import type { AnswerSink } from './client.ts'
import type { AnswerControl, AnswerEvents, UpstreamConnection, UpstreamRequest } from './engine.ts'
import type { Exchange } from './exchange.ts'
import { causeOf, ExchangeEnded, failureOf } from './failure.ts'
import type { Errand } from './outbound.ts'
import { firstExpiry, isEndless } from './proof-end.ts'
import { refuse } from './refuse.ts'

/** One exchange with an upstream, over one connection. */
export interface Attempt {
  readonly exchange: Exchange
  readonly errand: Errand
  readonly options: Omit<UpstreamRequest, 'body'>
  readonly connection: UpstreamConnection
  readonly mayRetry: boolean
  readonly release: () => void
}

/** How far it has come. */
interface Progress {
  readonly startedAt: number
  control: AnswerControl | undefined
  /** The request is on its way, so the connection works. */
  sent: boolean
  /** The connection had carried requests before. */
  reused: boolean
  /** The first byte of an answer has arrived. */
  answered: boolean
  status: number | undefined
  /** Set when we ended the exchange before the library had begun it. */
  ended: ExchangeEnded | undefined
}

export const tooLarge = (maxBytes: number): Denial => ({ kind: 'denial', code: 'request_too_large', status: 413, detail: `the body is larger than ${maxBytes} bytes` })

export const CLIENT_LEFT = new ExchangeEnded({ outcome: 'client_abort', denial: { kind: 'denial', code: 'body_rejected', detail: 'the client left' } })

const BODY_LATE = new ExchangeEnded({
  outcome: 'client_abort',
  status: 408,
  denial: { kind: 'denial', code: 'request_ambiguous', part: 'body', detail: 'the body did not arrive in time' },
})

/** How an idle connection ends that the upstream closed. */
const CONNECTION_LOST: ReadonlySet<string> = new Set(['POSTERN_UPSTREAM_CLOSED', 'UND_ERR_SOCKET', 'ECONNRESET', 'EPIPE'])

const isInformational = (status: number): boolean => status < 200 && status !== 101

function end(progress: Progress, reason: ExchangeEnded): void {
  progress.ended ??= reason
  progress.control?.abort(reason)
}

/** The body to send: nothing, the bytes that were judged, or the client's as it comes. */
function bodyOf({ exchange, errand }: Attempt, progress: Progress): Buffer | Readable | undefined {
  const { request, decision, framing } = errand
  if (request.body) return Buffer.from(request.body.bytes)
  if (framing.kind === 'none' || (framing.kind === 'length' && framing.length === 0)) return undefined
  const { client, parts } = exchange
  // Its announced length was looked at.
  const whole = client.body.whole()
  if (whole) return whole
  const { maxBodyBytes } = decision.route
  const reasons: Readonly<Record<BodyTrouble, () => ExchangeEnded>> = {
    too_large: () => new ExchangeEnded({ outcome: 'client_abort', denial: tooLarge(maxBodyBytes) }),
    idle: () => BODY_LATE,
    gone: () => CLIENT_LEFT,
  }
  return createBodySource(client.body.stream(), {
    maxBytes: maxBodyBytes,
    idleMs: parts.listener.bodyIdleTimeoutMs,
    onWanted: client.body.ask,
    onTrouble: (trouble) => end(progress, reasons[trouble]()),
  })
}

function report({ exchange, errand }: Attempt, progress: Progress, outcome: ExchangedEvent['outcome']): void {
  const { observer, pools } = exchange.parts
  const { settings, request } = errand
  // It points at all of the exchange, and what is found in use by a collection would keep that until a full one.
  progress.control = undefined
  if (progress.sent) pools.reached(settings.id)
  observer.exchanged({ upstream: settings.id, outcome, status: progress.status, durationMs: performance.now() - progress.startedAt, requestId: request.id })
}

/** The only repetition there is: a reused connection was lost before a byte of an answer, and asking again changes nothing. */
function retried(attempt: Attempt, progress: Progress, error: unknown): boolean {
  if (!attempt.mayRetry || !progress.reused || progress.answered || !CONNECTION_LOST.has(causeOf(error))) return false
  report(attempt, progress, 'reset')
  // Not within a callback of the library, whose state is in between.
  setImmediate(startAttempt, { ...attempt, mayRetry: false })
  return true
}

function fail(attempt: Attempt, progress: Progress, error: unknown): void {
  const { exchange, errand, release } = attempt
  const { presence } = exchange
  const { request, decision, settings } = errand
  if (!presence.left && retried(attempt, progress, error)) return
  const failure = failureOf(progress.ended ?? error, { upstream: settings.id, sent: progress.sent })
  report(attempt, progress, failure.outcome)
  if (!progress.sent && !presence.left) exchange.parts.pools.missed(settings.id, causeOf(error))
  if (failure.denial.code === 'internal') exchange.parts.observer.faulted(error)
  release()
  if (presence.left) return
  exchange.presence.undo = undefined
  refuse(exchange, { denial: failure.denial, status: failure.status, requestId: request.id, limits: decision.limits, cors: decision.route.cors })
}

type RawHeaders = readonly (string | Buffer)[]

/** When a stream of events ends that nobody else ends: with the proof that opened it. */
function streamEnd(decision: Allow, raw: RawHeaders): EpochMs | undefined {
  const until = firstExpiry(decision)
  return until !== undefined && isEndless(raw) ? until : undefined
}

/** Begins the final answer. */
function beginAnswer(attempt: Attempt, progress: Progress, { status, message, raw }: { status: number; message: string | undefined; raw: RawHeaders }): AnswerSink {
  const { exchange, errand } = attempt
  const { client, parts } = exchange
  const { request, decision, settings } = errand
  const fields = relayedHead(exchange, { decision, requestId: request.id }, status, raw)
  const sink = client.relay({ status, message, fields, last: parts.isDraining() }, {
    onFull: () => progress.control?.pause(),
    onDrained: () => progress.control?.resume(),
    onStalled: client.destroy,
    onLasting: () => watchLasting(attempt, raw),
    stallMs: settings.idleTimeoutMs,
  })
  sink.begin()
  return sink
}

/** An answer that goes on ends when its proof does. */
function watchLasting({ exchange: { client, parts }, errand: { request, decision } }: Attempt, raw: RawHeaders): void {
  const release = parts.vigil.watch(decision, (why) => {
    parts.observer.noticed('info', `stream_${why}`, why === 'revoked' ? 'an answer was cut off because its credential was revoked' : 'a stream was ended because its credential has expired', { request_id: request.id })
    client.destroy()
  }, streamEnd(decision, raw))
  if (release) client.onDone(release)
}

function eventsOf(attempt: Attempt, progress: Progress): AnswerEvents {
  const { exchange, connection, release } = attempt
  let sink: AnswerSink | undefined
  return {
    started: (control) => {
      progress.control = control
      progress.sent = true
      progress.reused = connection.carry() > 0
      if (progress.ended) control.abort(progress.ended)
    },
    answered: () => {
      progress.answered = true
    },
    head: (status, message, raw) => {
      checkAnswer(status, raw)
      if (isInformational(status)) return exchange.client.inform(status, responseHeaders(raw, []))
      progress.status = status
      sink = beginAnswer(attempt, progress, { status, message, raw })
    },
    data: (chunk) => sink?.write(chunk),
    ended: () => {
      report(attempt, progress, 'ok')
      exchange.presence.undo = undefined
      release()
      sink?.end()
    },
    failed: (error) => fail(attempt, progress, error),
  }
}

/** Sends the request of an errand over a connection and relays what comes back. Reports one exchange, and releases the connection. */
export function startAttempt(attempt: Attempt): void {
  if (attempt.exchange.presence.left) return attempt.release()
  const progress: Progress = { startedAt: performance.now(), control: undefined, sent: false, reused: false, answered: false, status: undefined, ended: undefined }
  attempt.exchange.presence.undo = () => end(progress, CLIENT_LEFT)
  const { method, path, headers, reset } = attempt.options
  attempt.connection.dispatch({ method, path, headers, reset, body: bodyOf(attempt, progress) }, eventsOf(attempt, progress))
}
