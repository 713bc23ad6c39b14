import { recall, remember } from '../base/memory.ts'
import type { HeaderMutation } from '../model/mutation.ts'
import type { Client, RequestDescription } from '../model/request.ts'
import { fieldLine, fieldLines } from './field-lines.ts'
import type { Framing } from './framing.ts'
import { createSpanId, traceparentOf } from './trace.ts'
import { upstreamHeaders, type UpstreamHeaders, type UpstreamHeadersInput } from './upstream-headers.ts'

/** The header list of a request to an upstream. */
export interface HeaderLines {
  /** Name, value, name, value, … */
  readonly list: () => readonly string[]
  /** Each with its CRLF. @throws {TypeError} when a part would break out of its place */
  readonly text: () => string
}

/** A list as it is. */
export const headerLines = (flat: readonly string[]): HeaderLines => ({ list: () => flat, text: () => fieldLines(flat) })

/** As it is written: up to the line of the id, from there into that of the trace, and the rest. */
interface Pieces { readonly before: string; readonly between: string; readonly behind: string }

/** What stands around the trace and the span of a trace that begins here. */
const [BEFORE_TRACE, BEHIND_SPAN] = ['traceparent: 00-', '-01\r\n']

function piecesOf({ flat, idAt, traceAt }: UpstreamHeaders): Pieces {
  const [id, trace] = [idAt === -1 ? flat.length : idAt - 1, traceAt === -1 ? flat.length : traceAt - 1]
  const [opening, closing] = traceAt === -1 ? ['', ''] : [BEFORE_TRACE, BEHIND_SPAN]
  // The id comes first where both are written.
  const before = fieldLines(flat.slice(0, Math.min(id, trace)))
  const between = fieldLines(flat.slice(id + 2, Math.max(id + 2, trace)))
  return { before: idAt === -1 ? before + opening : before, between: idAt === -1 ? '' : between + opening, behind: closing + fieldLines(flat.slice(trace + 2)) }
}

/** Bytes of the body that are announced; undefined where none are. */
const lengthOf = (framing: Framing): number | undefined => (framing.kind === 'length' ? framing.length : undefined)

/** A list in which nothing changes from request to request but the id and the trace, and what it followed from: not the request, which it outlives. */
class Remembered {
  readonly headers: UpstreamHeaders
  private readonly rawHeaders: readonly string[]
  private readonly mutation: HeaderMutation
  private readonly client: Client
  private readonly asked: string
  private readonly scheme: string
  private readonly host: string
  private readonly length: number | undefined
  /** Made when it is asked for a second time: most of what is said once is not said again. */
  private pieces: Pieces | undefined

  constructor(headers: UpstreamHeaders, { rawHeaders, mutation, request: { client, target }, upstreamHost, framing }: UpstreamHeadersInput) {
    this.headers = headers
    this.rawHeaders = rawHeaders
    this.mutation = mutation
    this.client = client
    this.asked = target.host
    this.scheme = target.scheme
    this.host = upstreamHost
    this.length = lengthOf(framing)
  }

  /** Whether the list for this request is the same. What it depends on besides does not change while a memory lasts. */
  fits({ rawHeaders, mutation, request: { client, target }, upstreamHost, framing }: UpstreamHeadersInput): boolean {
    return rawHeaders === this.rawHeaders && mutation === this.mutation && client === this.client && target.host === this.asked && target.scheme === this.scheme && upstreamHost === this.host && lengthOf(framing) === this.length
  }

  list(id: string, { traceId, spanId }: Trace): readonly string[] {
    const { flat, idAt, traceAt } = this.headers
    return flat.map((part, index) => (index === idAt ? id : index === traceAt ? traceparentOf(traceId, spanId) : part))
  }

  text(id: string, { traceId, spanId }: Trace): string {
    const { before, between, behind } = (this.pieces ??= piecesOf(this.headers))
    const named = this.headers.idAt === -1 ? before : before + fieldLine('X-Request-Id', id) + between
    if (this.headers.traceAt === -1) return named + behind
    // One that begins here has been made here; like every part of a line it is looked at where it is written.
    if (!TRACE_ID.test(traceId)) throw new TypeError('the id of a trace breaks out of its place')
    return `${named}${traceId}-${spanId}${behind}`
  }
}

/** A trace that begins here. */
interface Trace { readonly traceId: string; readonly spanId: string }

const TRACE_ID = /^[0-9a-f]{32}$/

/** That list with an id and a trace. */
class Filled implements HeaderLines, Trace {
  private readonly remembered: Remembered
  private readonly id: string
  readonly traceId: string
  readonly spanId: string

  constructor(remembered: Remembered, { id, traceId = '' }: RequestDescription) {
    this.remembered = remembered
    this.id = id
    this.traceId = traceId
    this.spanId = remembered.headers.traceAt === -1 ? '' : createSpanId()
  }

  list(): readonly string[] {
    return this.remembered.list(this.id, this)
  }

  text(): string {
    return this.remembered.text(this.id, this)
  }
}

/**
 * The list of `upstreamHeaders`, from memory where the connection says the same again and the same principal was proven.
 *
 * @param onStripped  is told once for every line of a claimed identity header that was removed; gets its folded name
 */
export function upstreamLines(input: UpstreamHeadersInput, onStripped: (identityHeaderName: string) => void): HeaderLines {
  const { request, routeHeaders, framing, upgrade } = input
  const memory = upgrade || framing.kind === 'chunked' ? undefined : request.memory
  const known = recall<Remembered>(memory, routeHeaders)
  const same = known?.fits(input) ? known : undefined
  const headers = same?.headers ?? upstreamHeaders(input)
  for (const name of headers.stripped) onStripped(name)
  if (same) return new Filled(same, request)
  remember(memory, routeHeaders, new Remembered(headers, input))
  return headerLines(headers.flat)
}
