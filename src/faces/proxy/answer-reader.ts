import { type ParsedHead, parseHead } from './answer-head-syntax.ts'
import { UpstreamClosedError, UpstreamProtocolError } from './engine.ts'
import { KeptHead } from './kept-head.ts'

export interface AnswerReaderEvents {
  readonly head: (head: ParsedHead) => void
  readonly data: (chunk: Buffer) => void
  /** The answer is whole. `reusable`: by the upstream's word, and nothing came behind it. */
  readonly end: (reusable: boolean) => void
}

/** Reads the answers of one connection, one at a time. Every method throws `UpstreamProtocolError` where HTTP is not spoken. */
export interface AnswerReader {
  /** A request with this method has been written: an answer may come. */
  readonly expect: (method: string) => void
  readonly push: (chunk: Buffer) => void
  /** Forgets what was being read: the connection is another one now. */
  readonly reset: () => void
  /** The upstream has closed. Ends an answer that has no other end. @throws {UpstreamClosedError} in the midst of one */
  readonly close: () => void
}

type State = 'idle' | 'head' | 'length' | 'until_close' | 'chunk_size' | 'chunk_data' | 'chunk_end' | 'trailers'

/** Largest head, trailers included, bytes. */
const MAX_HEAD = 64 * 1_024
/** Longest chunk-size line. Extensions are read past, never acted on. */
const MAX_SIZE_LINE = 256
/** Most informational answers before the final one. */
const MAX_INFORMATIONAL = 32

/** Extensions are tokens; quoted ones are read in two ways by too many (CVE-2026-24033). */
const SIZE_LINE = /^([0-9A-Fa-f]{1,8})(?:;[!#$%&'*+\-.^_`|~0-9A-Za-z]+(?:=[!#$%&'*+\-.^_`|~0-9A-Za-z]+)?)*$/

const isInformational = (status: number): boolean => status < 200

/** Whether the answer has no body whatever its fields say (RFC 9112 section 6.3). */
const isBodiless = (method: string, status: number): boolean => method === 'HEAD' || status === 204 || status === 304

interface Reading {
  readonly events: AnswerReaderEvents
  state: State
  /** The beginning of a head or line whose end has not arrived. */
  held: Buffer | undefined
  /** Bytes of the body or chunk that are still to come. */
  left: number
  method: string
  informational: number
  trailing: number
  keepAlive: boolean
  /** Of short heads. */
  readonly kept: KeptHead
}

const TRAILER = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+:[\t\x20-\x7e\x80-\xff]*$/

/** @param behind  bytes that arrived behind the end of the answer */
function finish(reading: Reading, behind: number): void {
  reading.state = 'idle'
  reading.events.end(reading.keepAlive && behind === 0)
}

/** Whoever was told of a part may have ended the exchange, and with it the reading. */
const isReading = ({ state }: Reading): boolean => state !== 'idle'

function begin(reading: Reading, head: ParsedHead, behind: number): void {
  const { status, chunked, length } = head
  if (status === 101) throw new UpstreamProtocolError('switched protocols without being asked')
  if (isInformational(status)) {
    // HTTP/1.0 knows none, and behind a last word there is no other: llhttp would not read on either.
    if (!head.keepAlive) throw new UpstreamProtocolError('an informational answer that ends its connection')
    reading.informational += 1
    if (reading.informational > MAX_INFORMATIONAL) throw new UpstreamProtocolError('a flood of informational answers')
    return reading.events.head(head)
  }
  const empty = isBodiless(reading.method, status) || length === 0
  reading.keepAlive = head.keepAlive && (empty || chunked || length !== undefined)
  reading.left = length ?? 0
  reading.state = empty ? 'length' : chunked ? 'chunk_size' : length === undefined ? 'until_close' : 'length'
  reading.events.head(head)
  if (empty && isReading(reading)) finish(reading, behind)
}

/** Index behind the terminator, or -1 after holding what there is. */
function lineEnd(reading: Reading, bytes: Buffer, at: number, { terminator, most }: { terminator: string; most: number }): number {
  const end = bytes.indexOf(terminator, at, 'latin1')
  if ((end === -1 ? bytes.length : end) - at > most) throw new UpstreamProtocolError('a head or a line that does not end')
  if (end === -1) reading.held = at === 0 ? bytes : bytes.subarray(at)
  return end === -1 ? -1 : end + terminator.length
}

const VERSION = 'HTTP/1.'
/** A head and some of a body, bytes. */
const SHORT_HEAD = 4_096
const HEAD = { terminator: '\r\n\r\n', most: MAX_HEAD }
const SIZE = { terminator: '\r\n', most: MAX_SIZE_LINE }
const NOTHING = { terminator: '\r\n', most: 1 }
const FIELD = { terminator: '\r\n', most: MAX_HEAD }

function pass({ events }: Reading, bytes: Buffer, at: number, most: number): number {
  const end = Math.min(bytes.length, at + most)
  events.data(at === 0 && end === bytes.length ? bytes : bytes.subarray(at, end))
  return end
}

/** One step from `at` in each state; gives where the next begins, or -1 when more bytes are needed. */
const STEPS: Readonly<Record<State, (reading: Reading, bytes: Buffer, at: number) => number>> = {
  idle: () => {
    throw new UpstreamProtocolError('spoke before it was asked')
  },
  head: (reading, bytes, at) => {
    const same = reading.kept.same(bytes, at)
    if (same) {
      const end = at + reading.kept.length
      begin(reading, same, bytes.length - end)
      return end
    }
    // Nearly every head is short: as text it is looked through and read at once.
    const text = bytes.toString('latin1', at, Math.min(bytes.length, at + SHORT_HEAD))
    const short = text.indexOf(HEAD.terminator)
    if (short !== -1) {
      const end = at + short + HEAD.terminator.length
      begin(reading, reading.kept.read(text.slice(0, short)), bytes.length - end)
      return end
    }
    const end = lineEnd(reading, bytes, at, HEAD)
    // What does not begin like an answer will not become one: nobody waits for its end.
    if (end === -1 && !VERSION.startsWith(text.slice(0, VERSION.length))) throw new UpstreamProtocolError('no HTTP/1')
    if (end !== -1) begin(reading, parseHead(bytes.toString('latin1', at, end - 4)), bytes.length - end)
    return end
  },
  length: (reading, bytes, at) => {
    const end = pass(reading, bytes, at, reading.left)
    reading.left -= end - at
    if (reading.left === 0 && isReading(reading)) finish(reading, bytes.length - end)
    return end
  },
  until_close: (reading, bytes, at) => pass(reading, bytes, at, bytes.length),
  chunk_size: (reading, bytes, at) => {
    const end = lineEnd(reading, bytes, at, SIZE)
    if (end === -1) return end
    const size = SIZE_LINE.exec(bytes.toString('latin1', at, end - 2))
    if (!size) throw new UpstreamProtocolError('a chunk size')
    reading.left = Number.parseInt(size[1] ?? '', 16)
    reading.trailing = 0
    reading.state = reading.left === 0 ? 'trailers' : 'chunk_data'
    return end
  },
  chunk_data: (reading, bytes, at) => {
    const end = pass(reading, bytes, at, reading.left)
    reading.left -= end - at
    if (reading.left === 0 && isReading(reading)) reading.state = 'chunk_end'
    return end
  },
  chunk_end: (reading, bytes, at) => {
    const end = lineEnd(reading, bytes, at, NOTHING)
    if (end === -1) return end
    if (end !== at + 2) throw new UpstreamProtocolError('a chunk longer than its size')
    reading.state = 'chunk_size'
    return end
  },
  trailers: (reading, bytes, at) => {
    // Read past, never merged (RFC 9110 section 6.5.1).
    const end = lineEnd(reading, bytes, at, FIELD)
    if (end === -1) return end
    reading.trailing += end - at
    if (reading.trailing > MAX_HEAD) throw new UpstreamProtocolError('trailers that do not end')
    if (end === at + 2) finish(reading, bytes.length - end)
    else if (!TRAILER.test(bytes.toString('latin1', at, end - 2))) throw new UpstreamProtocolError('a trailer that is no field')
    return end
  },
}

function push(reading: Reading, chunk: Buffer): void {
  const bytes = reading.held ? Buffer.concat([reading.held, chunk]) : chunk
  reading.held = undefined
  for (let at = 0; at < bytes.length && at !== -1; ) {
    at = STEPS[reading.state](reading, bytes, at)
    // What came behind a whole answer belongs to nobody: `end` has said that the connection is not to be used again.
    if (!isReading(reading)) return
  }
}

/** Builds a reader. It holds at most one head or one line; bodies pass through as slices of what arrived. */
export function createAnswerReader(events: AnswerReaderEvents): AnswerReader {
  const reading: Reading = { events, state: 'idle', held: undefined, left: 0, method: '', informational: 0, trailing: 0, keepAlive: false, kept: new KeptHead() }
  return {
    expect: (method) => {
      if (reading.state !== 'idle') throw new Error('an answer is under way')
      reading.method = method
      reading.informational = 0
      reading.state = 'head'
    },
    push: (chunk) => push(reading, chunk),
    reset: () => {
      reading.state = 'idle'
      reading.held = undefined
    },
    close: () => {
      if (!isReading(reading)) return
      if (reading.state !== 'until_close') throw new UpstreamClosedError()
      reading.keepAlive = false
      finish(reading, 0)
    },
  }
}
