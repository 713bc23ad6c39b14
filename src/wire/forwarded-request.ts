import type { EpochMs } from '../base/time.ts'
import { type Denial, isDenial } from '../model/denial.ts'
import type { WireSettings } from '../model/gateway.ts'
import type { HeaderMap, RequestDescription } from '../model/request.ts'
import { type ClientAddress, clientAddressOf, type TrustSettings } from './client-address.ts'
import { headerKinds } from './header-kind.ts'
import { collectHeaders, type ForwardedFacts, memoryOf, type IncomingLines, messageMistake, methodMistake, traceOf } from './incoming.ts'
import { ambiguous } from './refusal.ts'
import { requestIdOf } from './request-id.ts'
import { targetOf } from './target.ts'

/** What a forwarder says that its client asked for, before anybody looked at it. */
export interface Asked {
  readonly method: string
  /** The request target as the client sent it. */
  readonly rawTarget: string
  readonly host: string
  readonly scheme: 'http' | 'https'
}

/** What is known beside the message that asks for a decision about another request. */
export interface ForwardedContext {
  readonly wire: WireSettings
  /** Address of the forwarder. */
  readonly peer: string | undefined
  /** Who is believed about the client. */
  readonly trust: TrustSettings
  readonly now: EpochMs
  /** Most field lines a message may have. */
  readonly maxHeaders: number
  /** Headers of the forwarder's own that the described request does not have; lower-case. */
  readonly withheld: ReadonlySet<string>
  /** Headers that this kind of forwarder writes itself; folded names. */
  readonly own: ReadonlySet<string>
  /** Reads the request that it is about, from what this kind of forwarder writes and from nothing else. */
  readonly askedOf: (message: IncomingLines, headers: HeaderMap, address: ClientAddress) => Asked | Denial
}

/** Names under which a client could make the upstream answer another request than the judged one (T18, T21, T24). */
const TURNING: ReadonlySet<string> = new Set([
  'x-http-method-override', 'x-http-method', 'x-method-override', '-method', 'x-original-url', 'x-original-uri', 'x-original-method', 'x-rewrite-url', 'x-rewrite-uri', 'x-middleware-subrequest', 'x-middleware-rewrite',
])

/**
 * A forwarder passes on what its client sent, and nobody behind it removes anything, so what would be stripped from a proxied
 * request is refused here: fields that turn the request into another one, and identity headers in a second spelling, which
 * no forwarder overwrites and which WSGI, CGI and PHP read as the first (T2).
 */
function passedOnMistake(headers: HeaderMap, { wire, own }: ForwardedContext): Denial | undefined {
  const kind = headerKinds(wire.owned)
  for (const name of headers.keys()) {
    const { folded, identity } = kind(name)
    if (identity !== undefined && name !== identity) return ambiguous('header', 'a second spelling of an identity header')
    if (TURNING.has(folded) && !(own.has(folded) && name === folded)) return ambiguous('header', 'a field that asks for another request than the one to decide about')
  }
  return undefined
}

/** The handshake itself is the forwarder's; whether there is one decides which origin may ask (T60). */
const isUpgrade = (method: string, headers: HeaderMap): boolean =>
  method === 'GET' && (headers.has('sec-websocket-key') || headers.get('upgrade')?.some((value) => value.toLowerCase() === 'websocket') === true)

function without(headers: HeaderMap, names: ReadonlySet<string>): HeaderMap {
  for (const name of names) if (headers.has(name)) return new Map([...headers].filter(([other]) => !names.has(other)))
  return headers
}

/** The forwarder's word about its client. It is never the client itself, so without that word nobody knows who asks. */
function addressOf(headers: HeaderMap, { peer, trust }: ForwardedContext): ClientAddress | Denial {
  const address = clientAddressOf({ peer, headers, trust })
  if (isDenial(address)) return address
  if (!address.trusted) return { kind: 'denial', code: 'forwarder_untrusted' }
  return address.client.trustedHops > 0 ? address : ambiguous(trust.clientIpHeaders.join(', '), 'the forwarder names no client address')
}

/** What the lines say, or why they cannot be believed. The peer is the same for all messages of a connection. */
function factsOf(message: IncomingLines, context: ForwardedContext): ForwardedFacts | Denial {
  const { wire, trust, own, withheld } = context
  const { repeated } = message
  const known = repeated?.forwarded
  if (known?.wire === wire && known.trust === trust && known.own === own && known.withheld === withheld) return known
  const headers = collectHeaders(message.rawHeaders, wire)
  if (isDenial(headers)) return headers
  const mistake = messageMistake('', message, headers, { wire, upgrade: false }) ?? passedOnMistake(headers, context)
  if (mistake) return mistake
  const address = addressOf(headers, context)
  if (isDenial(address)) return address
  const facts: ForwardedFacts = { wire, trust, own, withheld, headers, described: without(headers, withheld), address }
  if (repeated) repeated.forwarded = facts
  return facts
}

/**
 * Describes the request that a forwarder asks about, by the same rules as one that comes in itself. What the forwarder should
 * say and does not say is never made up from the message that it sent: missing is refused (T23, CVE-2026-40575). The body of
 * the message is not looked at. Pure but for made-up ids; never throws.
 */
export function describeForwarded(message: IncomingLines, context: ForwardedContext): RequestDescription | Denial {
  const { wire, askedOf, now, maxHeaders } = context
  if (message.httpVersion !== '1.1' && message.httpVersion !== '1.0') return ambiguous('version', 'expected HTTP/1.0 or HTTP/1.1')
  if (message.rawHeaders.length / 2 > maxHeaders) return { kind: 'denial', code: 'request_too_large', status: 431, detail: `more than ${maxHeaders} header lines` }
  const facts = factsOf(message, context)
  if (isDenial(facts)) return facts
  const { headers, described, address } = facts
  const asked = askedOf(message, headers, address)
  if (isDenial(asked)) return asked
  const target = methodMistake(asked.method) ?? targetOf(asked)
  if (isDenial(target)) return target
  const traceId = traceOf(headers, wire.tracing)
  return {
    id: requestIdOf(headers, true),
    receivedAt: now,
    method: asked.method,
    target,
    headers: described,
    client: address.client,
    upgrade: isUpgrade(asked.method, headers) ? 'websocket' : undefined,
    traceId,
    memory: memoryOf(message, wire),
  }
}
