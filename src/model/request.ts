import type { Memory } from '../base/memory.ts'
import type { EpochMs } from '../base/time.ts'

/** Header fields by lower-case name; each value is one field line as it was sent. Never joined, so repetition stays visible. */
export type HeaderMap = ReadonlyMap<string, readonly string[]>

/**
 * What is asked for. `path` and `query` are the bytes that were judged and, if allowed, the bytes that are sent
 * (house rule 4: refuse, never repair).
 */
export interface Target {
  readonly scheme: 'http' | 'https'
  /** The Host field as verified: host with optional port, lower-case. */
  readonly host: string
  /** Starts with `/`; percent-encoding untouched. The one exception is the asterisk of `OPTIONS *`. */
  readonly path: string
  /** Without the leading `?`; empty when there is none. */
  readonly query: string
}

/** The party at the far end, after trusted hops. */
export interface Client {
  /** Canonical text of the address; IPv4-mapped IPv6 is written as IPv4. */
  readonly ip: string
  /** Address of the TCP peer (or the one that the PROXY protocol named). */
  readonly peer: string
  /** How many trusted proxies stood between; 0 when the peer itself is the client. */
  readonly trustedHops: number
  /** What limits count by: an IPv4 address, or the /64 of an IPv6 one. */
  readonly partition: string
}

/** What a route that declares `body` had the face read, before the decision. Every other body streams past unread. */
export interface RequestBody {
  readonly bytes: Uint8Array
  /** Parsed JSON value, or form fields as an object of strings; undefined when the content type is neither. */
  readonly value: unknown
}

/** One HTTP request, described; whoever brought it. */
export interface RequestDescription {
  /** Request id: taken from a trusted proxy or made here. Goes to every answer, log line and to the upstream. */
  readonly id: string
  readonly receivedAt: EpochMs
  /** Upper-case token as sent. */
  readonly method: string
  readonly target: Target
  /** Every field the client sent, as sent: nothing in here is verified. */
  readonly headers: HeaderMap
  readonly client: Client
  readonly upgrade?: 'websocket' | undefined
  readonly body?: RequestBody
  /** W3C trace id (32 hex digits), passed on or made here. */
  readonly traceId?: string | undefined
  /** Of its connection; absent where nobody says the same again. */
  readonly memory?: Memory | undefined
}
