import type { Readable } from 'node:stream'
import type { AnswerLines } from '../../wire/answer-lines.ts'
import type { HeaderLines } from '../../wire/header-lines.ts'
import type { Added } from '../../wire/response-headers.ts'

/** A request for an upstream, every byte of its head decided. */
export interface UpstreamRequest {
  readonly method: string
  /** The request target, as it is written. */
  readonly path: string
  /** Without framing but `Content-Length`, without fields of the connection. */
  readonly headers: HeaderLines
  /** Absent: none. A stream without a `Content-Length` in `headers` is sent chunked. */
  readonly body?: Buffer | Readable | undefined
  /** The connection is not to be used again. */
  readonly reset: boolean
}

/** A hold on an exchange under way. Once that is over, nothing it is told has an effect. */
export interface AnswerControl {
  /** Ends it: `failed` is told the reason, unless the exchange is over. */
  readonly abort: (reason: Error) => void
  readonly pause: () => void
  readonly resume: () => void
}

/** What an answer begins with. */
export interface AnswerStart {
  readonly status: number
  readonly message: string | undefined
  /** Flat, Latin-1. */
  readonly raw: readonly (string | Buffer)[]
  /** What may pass of it, once somebody has found it out: a head that comes again is the same object. */
  passing: Passing | undefined
}

/** The upstream's lines that may reach a client beside those of ours that were asked about; undefined where they have to be merged. */
export interface Passing extends Added { readonly lines: AnswerLines | undefined }

/** What becomes of a request. After `ended` or `failed` nothing follows; `failed` may come at any time. */
export interface AnswerEvents {
  /** The request is being written. */
  readonly started: (control: AnswerControl) => void
  /** The first byte of an answer has arrived. */
  readonly answered: () => void
  /** The head of an answer; informational ones (1xx) come before the final one. */
  readonly head: (start: AnswerStart) => void
  readonly data: (chunk: Buffer) => void
  readonly ended: () => void
  readonly failed: (error: unknown) => void
}

/** One place for one connection to an upstream; the socket in it comes and goes. */
export interface UpstreamConnection {
  /** Sends a request as soon as the connection has been looked at. One at a time: the pool sees to that. */
  readonly dispatch: (request: UpstreamRequest, events: AnswerEvents) => void
  /** Counts a request on the open socket; gives how many it had carried before, so 0 means a fresh one. */
  readonly carry: () => number
  readonly destroy: () => Promise<void>
}

/** The upstream did something that HTTP does not allow: never passed on, never repaired. */
export class UpstreamProtocolError extends Error {
  readonly code = 'POSTERN_UPSTREAM_PROTOCOL'
  constructor(message: string) {
    super(message)
    this.name = 'UpstreamProtocolError'
  }
}

/** The connection ended before the answer did. */
export class UpstreamClosedError extends Error {
  readonly code = 'POSTERN_UPSTREAM_CLOSED'
  constructor() {
    super('the upstream closed the connection')
    this.name = 'UpstreamClosedError'
  }
}

/** The upstream took too long. */
export class UpstreamTimeoutError extends Error {
  readonly code: 'POSTERN_CONNECT_TIMEOUT' | 'POSTERN_FIRST_BYTE_TIMEOUT' | 'POSTERN_IDLE_TIMEOUT'
  constructor(code: UpstreamTimeoutError['code']) {
    super(code)
    this.name = 'UpstreamTimeoutError'
    this.code = code
  }
}
