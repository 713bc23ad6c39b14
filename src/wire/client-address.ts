import { canonicalIp, partitionOfIp } from '../base/cidr.ts'
import { remembering } from '../base/remembering.ts'
import type { Denial } from '../model/denial.ts'
import type { WireSettings } from '../model/gateway.ts'
import type { Client, HeaderMap } from '../model/request.ts'
import { forwardedElementOf, forwardedElements, nodeAddressOf } from './forwarded.ts'
import { hostOf } from './host.ts'
import { ambiguous } from './refusal.ts'

/** Who asks, and what a trusted proxy said about how it was asked. */
export interface ClientAddress {
  readonly client: Client
  /** Whether the peer is a trusted proxy: only then may anything that it says be believed. */
  readonly trusted: boolean
  /** The scheme the client used towards the outermost trusted proxy, when a trusted proxy says so. */
  readonly scheme?: 'http' | 'https' | undefined
  /** The host the client asked for, when a trusted proxy says so; lower-case and valid. */
  readonly host?: string | undefined
}

/** What the walk needs of the config. */
export type TrustSettings = Pick<WireSettings, 'trustedProxies' | 'clientIpHeaders'>

/** The peer of a unix socket listener. It has no address, so it is trusted only when the list says `unix`. */
export const UNIX_PEER = 'unix'

interface Walk {
  readonly ip: string
  /** Entries believed, counted from the right. */
  readonly hops: number
}

/** One list that a trusted proxy may have sent: its texts, client first, and how an entry is read. */
interface HopList {
  readonly entries: readonly string[]
  readonly addressOf: (entry: string) => string | undefined
}

const xForwardedFor = (lines: readonly string[]): HopList => ({ entries: listOf(lines), addressOf: (entry) => canonicalIp(entry.trim()) })

/** A header with one value: a second line makes it unreadable, since nobody can tell who wrote which. */
const xRealIp = (lines: readonly string[]): HopList => ({ entries: lines.length === 1 ? lines : [''], addressOf: (entry) => canonicalIp(entry.trim()) })

const forwarded = (lines: readonly string[]): HopList => ({ entries: forwardedElements(lines), addressOf: (entry) => nodeAddressOf(forwardedElementOf(entry)?.get('for')) })

const HOP_LISTS = { 'x-forwarded-for': xForwardedFor, 'x-real-ip': xRealIp, forwarded } as const

/** Elements of a comma-separated field; several lines are one list in order (RFC 9110 section 5.3). */
const listOf = (lines: readonly string[]): string[] => (lines.length === 1 ? (lines[0] ?? '') : lines.join(',')).split(',')

/** Address of the peer in its one spelling. A zone id, which the kernel adds to link-local peers, names our interface and not the peer. */
function peerIpOf(peer: string): string | undefined {
  if (peer === UNIX_PEER) return UNIX_PEER
  const zone = peer.indexOf('%')
  return canonicalIp(zone < 0 ? peer : peer.slice(0, zone))
}

/**
 * Goes from the peer to the left as long as the hop it stands on is trusted. The first entry that is no address ends the walk
 * on the last trusted hop: what stands left of it was never vouched for (T26, CVE-2024-47070).
 */
function walk(peer: string, { entries, addressOf }: HopList, isTrusted: (ip: string) => boolean): Walk {
  let ip = peer
  let hops = 0
  while (hops < entries.length && isTrusted(ip)) {
    const next = addressOf(entries[entries.length - 1 - hops] ?? '')
    if (next === undefined) break
    ip = next
    hops += 1
  }
  return { ip, hops }
}

const clientOf = ({ ip, hops }: Walk, peer: string): Client => ({ ip, peer, trustedHops: hops, partition: partitionOfIp(ip) })

/**
 * The element of a list that belongs to the outermost trusted hop. One element alone is the nearest proxy's own word, whatever
 * stood before it. Of several, each written by one hop like `X-Forwarded-For`, it is the one as far from the right as the
 * client's address is. When the list is too short for that, or no hop was believed, nobody can say which it is: refused.
 */
function elementOf(lines: readonly string[], hops: number): string | undefined {
  const elements = listOf(lines)
  return (elements.length === 1 ? elements[0] : elements[elements.length - hops])?.trim()
}

const SCHEMES: ReadonlyMap<string, 'http' | 'https'> = new Map([['http', 'http'], ['https', 'https'], ['ws', 'http'], ['wss', 'https']])

/** What trusted proxies said about one property: a value, nothing, or something that cannot be believed. */
type Said<T> = { readonly value?: T; readonly denial?: Denial }

function said<T>(name: string, text: string | undefined, parse: (text: string) => T | undefined): Said<T> {
  if (text === '') return {}
  const value = text === undefined ? undefined : parse(text)
  return value === undefined ? { denial: ambiguous(name, 'a trusted proxy sent a value that cannot be told or is not valid') } : { value }
}

/** `proto` or `host` of the `Forwarded` element that named the client, else the X-Forwarded field of that name. */
function saidBy<T>(source: Source, parameter: 'proto' | 'host', parse: (text: string) => T | undefined): Said<T> {
  const own = source.element?.get(parameter)
  if (own !== undefined) return said('forwarded', own, parse)
  const name = `x-forwarded-${parameter}`
  const lines = source.headers.get(name)
  return lines === undefined ? {} : said(name, elementOf(lines, source.hops), parse)
}

interface Source {
  readonly headers: HeaderMap
  readonly hops: number
  /** The `Forwarded` element that named the client, when that field was the one in use. */
  readonly element: ReturnType<typeof forwardedElementOf>
}

function throughProxies(peer: string, headers: HeaderMap, { trustedProxies, clientIpHeaders }: TrustSettings): ClientAddress | Denial {
  const name = clientIpHeaders.find((candidate) => headers.has(candidate))
  const list = name === undefined ? undefined : HOP_LISTS[name](headers.get(name) ?? [])
  const isTrusted = (ip: string): boolean => ip === UNIX_PEER || trustedProxies.contains(ip)
  const walked = list ? walk(peer, list, isTrusted) : { ip: peer, hops: 0 }
  const named = name === 'forwarded' && walked.hops > 0 ? list?.entries[list.entries.length - walked.hops] : undefined
  const source: Source = { headers, hops: walked.hops, element: named === undefined ? undefined : forwardedElementOf(named) }
  const scheme = saidBy(source, 'proto', (text) => SCHEMES.get(text.toLowerCase()))
  const host = saidBy(source, 'host', hostOf)
  const denial = scheme.denial ?? host.denial
  if (denial) return denial
  return { client: clientOf(walked, peer), trusted: true, scheme: scheme.value, host: host.value }
}

/** A peer by its one spelling, as the client that it is when nobody trusts it. Many requests come over each connection. */
const directOf = remembering((rawPeer): ClientAddress | undefined => {
  const peer = peerIpOf(rawPeer)
  return peer === undefined ? undefined : { client: clientOf({ ip: peer, hops: 0 }, peer), trusted: false, scheme: undefined, host: undefined }
})

/**
 * Finds the client behind trusted hops (T25-T31). `peer` is the address of the socket or the one that the PROXY protocol
 * named; `unix` for a unix socket; undefined when the socket is already gone, which is refused. With nobody trusted, and that
 * is the default, the peer is the client and every forwarding field is noise.
 *
 * A trusted proxy must set the fields that it is believed for, or remove what the client sent.
 */
export function clientAddressOf({ peer: rawPeer, headers, trust }: { peer: string | undefined; headers: HeaderMap; trust: TrustSettings }): ClientAddress | Denial {
  const direct = rawPeer === undefined ? undefined : directOf(rawPeer)
  if (direct === undefined) return ambiguous('peer', 'the address of the peer is not known')
  const { peer } = direct.client
  const trusted = peer === UNIX_PEER ? trust.trustedProxies.entries.includes(UNIX_PEER) : trust.trustedProxies.contains(peer)
  return trusted ? throughProxies(peer, headers, trust) : direct
}
