import { canonicalIp } from '../base/cidr.ts'
import type { DecidedEvent, Observer } from '../model/event.ts'
import type { HeaderMap } from '../model/request.ts'

/** What was seen of one peer: the other end of a connection, as the system or the PROXY protocol names it. */
export interface SeenPeer {
  readonly peer: string
  /** Requests whose forwarding headers were believed. */
  readonly believed: number
  /** Requests that named another client and were not believed. */
  readonly ignored: number
  /** Questions about requests that were refused, because nobody knows who asks. */
  readonly refused: number
}

export interface PeerCensus {
  readonly observer: Observer
  readonly seen: () => { readonly peers: readonly SeenPeer[]; /** Requests of peers that there was no more room for. */ readonly others: number }
}

/** Proxies are few. A flood of strangers must not become a list of them. */
const MOST = 64

const NAMES_A_CLIENT = ['x-forwarded-for', 'x-real-ip', 'forwarded'] as const

type Seen = 'believed' | 'ignored' | 'refused'

function namesAClient(headers: HeaderMap): boolean {
  for (const name of NAMES_A_CLIENT) if (headers.has(name)) return true
  return false
}

/** What a request tells of its peer; undefined when it is just a client. */
function seenIn({ face, request, decision }: DecidedEvent): Seen | undefined {
  if (decision.outcome === 'deny' && decision.denial.code === 'forwarder_untrusted') return 'refused'
  if (!request) return undefined
  if (request.client.trustedHops > 0) return 'believed'
  return face === 'proxy' && namesAClient(request.headers) ? 'ignored' : undefined
}

const peerOf = ({ request, wire }: DecidedEvent, seen: Seen): string => (seen === 'refused' || !request ? (canonicalIp(wire.peer) ?? wire.peer) : request.client.peer)

/** Counts, for `postern doctor`, who speaks for others and whether that is believed. Keeps addresses of peers, in memory, and nothing of their clients. */
export function withPeerCensus(observer: Observer): PeerCensus {
  const peers = new Map<string, { peer: string; believed: number; ignored: number; refused: number }>()
  let others = 0
  const count = (peer: string, seen: Seen): void => {
    const known = peers.get(peer)
    if (known) known[seen] += 1
    else if (peers.size >= MOST) others += 1
    else peers.set(peer, { peer, believed: 0, ignored: 0, refused: 0, [seen]: 1 })
  }
  return {
    observer: {
      ...observer,
      decided: (event) => {
        const seen = seenIn(event)
        if (seen) count(peerOf(event, seen), seen)
        observer.decided(event)
      },
    },
    seen: () => ({ peers: [...peers.values()].map((peer) => ({ ...peer })), others }),
  }
}
