import type { Readable } from 'node:stream'
import type { DurationMs, EpochMs } from '../../base/time.ts'
import type { Allow } from '../../model/decision.ts'
import type { Denial } from '../../model/denial.ts'
import type { ExchangedEvent } from '../../model/event.ts'
import { responseHeaders } from '../../wire/response-headers.ts'
import { checkAnswer, relayedHead } from './answer-head.ts'
import { type BodyTrouble, createBodySource } from './body-source.ts'
import type { AnswerSink, AnswerSinkHooks } from './client.ts'
import type { AnswerControl, AnswerEvents, AnswerStart, UpstreamConnection, UpstreamRequest } from './engine.ts'
import type { Exchange, Undoing } from './exchange.ts'
import { causeOf, ExchangeEnded, failureOf } from './failure.ts'
import type { Errand } from './outbound.ts'
import { firstExpiry, isEndless } from './proof-end.ts'
import type { UpstreamPool } from './pool.ts'
import { refuse } from './refuse.ts'

/** What is asked of an upstream, and over which connection. */
export interface AttemptSettings {
  readonly exchange: Exchange
  readonly errand: Errand
  readonly options: Omit<UpstreamRequest, 'body'>
  readonly connection: UpstreamConnection
  readonly pool: UpstreamPool
  readonly mayRetry: boolean
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

type RawHeaders = readonly (string | Buffer)[]

/** When a stream of events ends that nobody else ends: with the proof that opened it. */
function streamEnd(decision: Allow, raw: RawHeaders): EpochMs | undefined {
  const until = firstExpiry(decision)
  return until !== undefined && isEndless(raw) ? until : undefined
}

/**
 * One exchange with an upstream, over one connection: is told by the upstream what comes back, and by the client's side whether it keeps up.
 * One object for both, since there is one for each request.
 */
class Attempt implements AnswerEvents, AnswerSinkHooks, Undoing {
  private readonly settings: AttemptSettings
  private readonly startedAt = performance.now()
  private control: AnswerControl | undefined
  private sink: AnswerSink | undefined
  /** The head of the answer. */
  private raw: RawHeaders | undefined
  /** The request is on its way, so the connection works. */
  private sent = false
  /** The connection had carried requests before. */
  private reused = false
  /** The first byte of an answer has arrived. */
  private begun = false
  private status: number | undefined
  /** Set when we ended the exchange before the library had begun it. */
  private over: ExchangeEnded | undefined

  constructor(settings: AttemptSettings) {
    this.settings = settings
  }

  get stallMs(): DurationMs {
    return this.settings.errand.settings.idleTimeoutMs
  }

  start(): void {
    const { exchange, connection, options } = this.settings
    exchange.presence.undo = this
    connection.dispatch({ ...options, body: this.body() }, this)
  }

  /** The client has left. */
  undo(): void {
    this.end(CLIENT_LEFT)
  }

  started(control: AnswerControl): void {
    this.control = control
    this.sent = true
    this.reused = this.settings.connection.carry() > 0
    if (this.over) control.abort(this.over)
  }

  answered(): void {
    this.begun = true
  }

  head(start: AnswerStart): void {
    const { status, message, raw } = start
    const { exchange, errand: { decision, request } } = this.settings
    const { client, parts } = exchange
    checkAnswer(status, raw)
    if (isInformational(status)) return client.inform(status, responseHeaders(raw, []))
    this.status = status
    this.raw = raw
    const lines = relayedHead(exchange, { decision, requestId: request.id }, start)
    this.sink = client.relay({ status, message, lines, last: parts.isDraining() }, this)
    this.sink.begin()
  }

  data(chunk: Buffer): void {
    this.sink?.write(chunk)
  }

  ended(): void {
    const { exchange, pool, connection } = this.settings
    this.report('ok')
    exchange.presence.undo = undefined
    pool.release(connection)
    this.sink?.end()
  }

  failed(error: unknown): void {
    const { exchange, errand: { request, decision, settings }, pool, connection } = this.settings
    const { presence, parts } = exchange
    if (!presence.left && this.retried(error)) return
    const failure = failureOf(this.over ?? error, { upstream: settings.id, sent: this.sent })
    this.report(failure.outcome)
    if (!this.sent && !presence.left) parts.pools.missed(settings.id, causeOf(error))
    if (failure.denial.code === 'internal') parts.observer.faulted(error)
    pool.release(connection)
    if (presence.left) return
    presence.undo = undefined
    refuse(exchange, { denial: failure.denial, status: failure.status, requestId: request.id, limits: decision.limits, cors: decision.route.cors })
  }

  onFull(): void {
    this.control?.pause()
  }

  onDrained(): void {
    this.control?.resume()
  }

  onStalled(): void {
    this.settings.exchange.client.destroy()
  }

  /** An answer that goes on ends when its proof does. */
  onLasting(): void {
    const { exchange: { client, parts }, errand: { request, decision } } = this.settings
    const release = parts.vigil.watch(decision, (why) => {
      parts.observer.noticed('info', `stream_${why}`, why === 'revoked' ? 'an answer was cut off because its credential was revoked' : 'a stream was ended because its credential has expired', { request_id: request.id })
      client.destroy()
    }, streamEnd(decision, this.raw ?? []))
    if (release) client.onDone({ done: release })
  }

  private end(reason: ExchangeEnded): void {
    this.over ??= reason
    this.control?.abort(reason)
  }

  /** The body to send: nothing, the bytes that were judged, or the client's as it comes. */
  private body(): Buffer | Readable | undefined {
    const { exchange: { client }, errand: { request, framing } } = this.settings
    if (request.body) return Buffer.from(request.body.bytes)
    if (framing.kind === 'none' || (framing.kind === 'length' && framing.length === 0)) return undefined
    // Its announced length was looked at.
    return client.body.whole() ?? this.streamed()
  }

  private streamed(): Readable {
    const { exchange: { client, parts }, errand: { decision: { route: { maxBodyBytes } } } } = this.settings
    const reasons: Readonly<Record<BodyTrouble, () => ExchangeEnded>> = {
      too_large: () => new ExchangeEnded({ outcome: 'client_abort', denial: tooLarge(maxBodyBytes) }),
      idle: () => BODY_LATE,
      gone: () => CLIENT_LEFT,
    }
    return createBodySource(client.body.stream(), {
      maxBytes: maxBodyBytes,
      idleMs: parts.listener.bodyIdleTimeoutMs,
      onWanted: () => client.body.ask(),
      onTrouble: (trouble) => this.end(reasons[trouble]()),
    })
  }

  private report(outcome: ExchangedEvent['outcome']): void {
    const { exchange: { parts: { observer, pools } }, errand: { settings, request } } = this.settings
    // It points at all of the exchange, and what is found in use by a collection would keep that until a full one.
    this.control = undefined
    if (this.sent) pools.reached(settings.id)
    observer.exchanged({ upstream: settings.id, outcome, status: this.status, durationMs: performance.now() - this.startedAt, requestId: request.id })
  }

  /** The only repetition there is: a reused connection was lost before a byte of an answer, and asking again changes nothing. */
  private retried(error: unknown): boolean {
    if (!this.settings.mayRetry || !this.reused || this.begun || !CONNECTION_LOST.has(causeOf(error))) return false
    this.report('reset')
    // Not within a callback of the library, whose state is in between.
    setImmediate(startAttempt, { ...this.settings, mayRetry: false })
    return true
  }
}

/** Sends the request of an errand over a connection and relays what comes back. Reports one exchange, and releases the connection. */
export function startAttempt(settings: AttemptSettings): void {
  if (settings.exchange.presence.left) return settings.pool.release(settings.connection)
  new Attempt(settings).start()
}
