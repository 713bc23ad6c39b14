import type { IncomingMessage } from 'node:http'
import type { Memory } from '../base/memory.ts'
import type { EpochMs } from '../base/time.ts'
import { type Denial, isDenial } from '../model/denial.ts'
import type { OwnedHeaders, WireSettings } from '../model/gateway.ts'
import type { HeaderMap, RequestDescription } from '../model/request.ts'
import { type ClientAddress, clientAddressOf, type TrustSettings } from './client-address.ts'
import { framingOf } from './framing.ts'
import { handshakeMistake } from './handshake.ts'
import { headerKinds } from './header-kind.ts'
import { addHeader, connectionTokens, foldedName, isOwned, isToken } from './headers.ts'
import { ambiguous } from './refusal.ts'
import { requestIdOf } from './request-id.ts'
import { targetOf } from './target.ts'
import { createTraceId, traceIdOf } from './trace.ts'

/** The parts of Node's message that are looked at. `rawHeaders` is the only source of fields: `headers` drops and joins lines. */
export interface IncomingLines extends Pick<IncomingMessage, 'method' | 'url' | 'httpVersion' | 'rawHeaders'> {
  readonly repeated?: Repeated
}

/** What is known of a connection that says the same again. */
export interface Repeated {
  /** What follows from all field lines of a message that is no upgrade, once somebody has found it out: for those with the very same ones. */
  facts: Facts | undefined
  /** The same of a message in which a forwarder asks about another request. */
  forwarded: ForwardedFacts | undefined
  /** For all messages of the connection: most lines stay when one changes. */
  readonly kept: Kept
}

export interface Kept { wire: WireSettings | undefined; memory: Memory }

interface Facts {
  /** The settings under which it follows. */
  readonly wire: WireSettings
  readonly headers: HeaderMap
  readonly address: ClientAddress
}

/** What the field lines of a forwarder say besides which request it asks about. */
export interface ForwardedFacts {
  /** Under which it follows. */
  readonly wire: WireSettings
  readonly trust: TrustSettings
  readonly own: ReadonlySet<string>
  readonly withheld: ReadonlySet<string>
  readonly headers: HeaderMap
  /** Those of the described request. */
  readonly described: HeaderMap
  readonly address: ClientAddress
}

/** What the face knows beside the message. */
export interface IncomingContext {
  readonly wire: WireSettings
  /** Address of the socket's peer, or the one the PROXY protocol named; `unix` for a unix socket listener. */
  readonly peer: string | undefined
  /** Whether the connection itself is TLS. */
  readonly encrypted: boolean
  readonly now: EpochMs
  /** The message came as an upgrade to WebSocket. */
  readonly upgrade: boolean
  /** Most field lines a request may have. */
  readonly maxHeaders: number
}

const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'] as const
const ORDINARY: ReadonlySet<string> = new Set(METHODS)

/** Fields that `Connection` may not take away: with one of them gone, another request than the judged one arrives (T3). */
const NEVER_NOMINATED: ReadonlySet<string> = new Set([
  'host', 'content-length', 'transfer-encoding', 'content-type', 'content-encoding', 'authorization', 'cookie', 'origin', 'sec-fetch-site', 'x-request-id',
])

/**
 * Why a method is not accepted, or undefined. CONNECT and TRACE are never proxied (T15); other tokens pass as they are, for the
 * routes to judge. Methods are case-sensitive, but not every upstream knows, so a lower-case letter is refused.
 */
export function methodMistake(method: string): Denial | undefined {
  if (ORDINARY.has(method)) return undefined
  if (!isToken(method) || method.length > 64 || method !== method.toUpperCase()) return ambiguous('method', 'expected an upper-case token')
  return method === 'CONNECT' || method === 'TRACE' ? { kind: 'denial', code: 'method_not_allowed', allow: METHODS } : undefined
}

/** Collects the field lines and refuses names that are second spellings of others (T2). */
export function collectHeaders(rawHeaders: readonly string[], wire: WireSettings): HeaderMap | Denial {
  const kind = headerKinds(wire.owned)
  const headers = new Map<string, string[]>()
  for (let index = 0; index + 1 < rawHeaders.length; index += 2) {
    const { lower, credentialAlias, separated } = kind(rawHeaders[index] ?? '')
    if (credentialAlias) return ambiguous('header', 'a second spelling of a credential header')
    if (separated && wire.aliasHeaders === 'reject') return ambiguous('header', 'a name with an underscore or a dot')
    addHeader(headers, lower, rawHeaders[index + 1] ?? '')
  }
  return headers
}

function nominationMistake(headers: HeaderMap, owned: OwnedHeaders): Denial | undefined {
  for (const token of connectionTokens(headers)) {
    if (token === 'keep-alive' || token === 'close' || token === 'upgrade') continue
    if (!isToken(token)) return ambiguous('connection', 'expected a list of tokens')
    const folded = foldedName(token)
    if (NEVER_NOMINATED.has(folded) || owned.credentials.has(folded) || owned.credentials.has(token) || isOwned(owned, token)) {
      return ambiguous('connection', 'it names a field that is not for one hop')
    }
  }
  return undefined
}

/** The message's own rules: version, framing, connection options, handshake. */
export function messageMistake(method: string, message: IncomingLines, headers: HeaderMap, context: Pick<IncomingContext, 'wire' | 'upgrade'>): Denial | undefined {
  const framing = framingOf(headers, message.httpVersion)
  if (isDenial(framing)) return framing
  const nomination = nominationMistake(headers, context.wire.owned)
  if (nomination) return nomination
  return context.upgrade ? handshakeMistake({ method, httpVersion: message.httpVersion, headers }) : undefined
}

/** The one `traceparent` line's trace, or a new one when tracing is on. */
export function traceOf(headers: HeaderMap, tracing: boolean): string | undefined {
  const lines = headers.get('traceparent')
  return (lines?.length === 1 ? traceIdOf(lines[0]) : undefined) ?? (tracing ? createTraceId() : undefined)
}

/** The host of the request line's authority: exactly one line, also on HTTP/1.0, where Node and RFC 9112 would do without. */
function hostLineOf(headers: HeaderMap): string | Denial {
  const lines = headers.get('host')
  const host = lines?.[0]
  return lines?.length === 1 && host !== undefined ? host : ambiguous('host', 'expected exactly one Host line')
}

/** The target under the host and scheme that the client used. The Host line must be valid also when a proxy named another. */
function askedTarget(message: IncomingLines, headers: HeaderMap, address: ClientAddress, context: IncomingContext): ReturnType<typeof targetOf> {
  const host = hostLineOf(headers)
  if (isDenial(host)) return host
  const scheme = address.scheme ?? (context.encrypted ? 'https' : 'http')
  const target = targetOf({ rawTarget: message.url ?? '', host, scheme, method: message.method ?? '' })
  return isDenial(target) || address.host === undefined ? target : { ...target, host: address.host }
}

/** The memory of the connection of this message. Nothing outlives the settings under which it was found. */
export function memoryOf({ repeated }: IncomingLines, wire: WireSettings): Memory | undefined {
  if (!repeated) return undefined
  const { kept } = repeated
  if (kept.wire !== wire) {
    kept.wire = wire
    kept.memory = new Map()
  }
  return kept.memory
}

/** What the field lines say, or why they cannot be believed. The peer is the same for all messages of a connection. */
function factsOf(message: IncomingLines, method: string, context: IncomingContext): Facts | Denial {
  const { wire, upgrade } = context
  const { repeated } = message
  const known = upgrade ? undefined : repeated?.facts
  if (known?.wire === wire) return methodMistake(method) ?? known
  const headers = collectHeaders(message.rawHeaders, wire)
  if (isDenial(headers)) return headers
  const mistake = methodMistake(method) ?? messageMistake(method, message, headers, context)
  if (mistake) return mistake
  const address = clientAddressOf({ peer: context.peer, headers, trust: wire })
  if (isDenial(address)) return address
  const facts: Facts = { wire, headers, address }
  if (repeated && !upgrade) repeated.facts = facts
  return facts
}

/**
 * Describes a request, or says why it cannot be described without guessing. Everything that two readers could take in two ways
 * is refused here, before a route is looked for; after a refusal the connection must be closed, because where the message
 * ends is in doubt. Nothing in the description's `headers` is verified. Pure but for made-up ids; never throws.
 */
export function describe(message: IncomingLines, context: IncomingContext): RequestDescription | Denial {
  const { wire } = context
  if (message.httpVersion !== '1.1' && message.httpVersion !== '1.0') return ambiguous('version', 'expected HTTP/1.0 or HTTP/1.1')
  // CVE-2026-58044: Node 20 drops what is over its count and keeps the body, so the lines are counted here.
  if (message.rawHeaders.length / 2 > context.maxHeaders) return { kind: 'denial', code: 'request_too_large', status: 431, detail: `more than ${context.maxHeaders} header lines` }
  const method = message.method ?? ''
  const facts = factsOf(message, method, context)
  if (isDenial(facts)) return facts
  const { headers, address } = facts
  const target = askedTarget(message, headers, address, context)
  if (isDenial(target)) return target
  const traceId = traceOf(headers, wire.tracing)
  return {
    id: requestIdOf(headers, address.trusted),
    receivedAt: context.now,
    method,
    target,
    headers,
    client: address.client,
    upgrade: context.upgrade ? 'websocket' : undefined,
    traceId,
    memory: memoryOf(message, wire),
  }
}
