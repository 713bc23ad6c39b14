import { canonicalIp } from '../base/cidr.ts'
import type { DecidedEvent, Observer } from '../model/event.ts'

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

type Sight = readonly [peer: string, kind: 'believed' | 'ignored' | 'refused']

/** What a request tells of its peer; undefined when it is just a client. */
function sightOf({ face, request, wire, decision }: DecidedEvent): Sight | undefined {
  if (decision.outcome === 'deny' && decision.denial.code === 'forwarder_untrusted') return [canonicalIp(wire.peer) ?? wire.peer, 'refused']
  if (!request) return undefined
  const { peer, trustedHops } = request.client
  if (trustedHops > 0) return [peer, 'believed']
  return face === 'proxy' && NAMES_A_CLIENT.some((name) => request.headers.has(name)) ? [peer, 'ignored'] : undefined
}

/** Counts, for `postern doctor`, who speaks for others and whether that is believed. Keeps addresses of peers, in memory, and nothing of their clients. */
export function withPeerCensus(observer: Observer): PeerCensus {
  const peers = new Map<string, { peer: string; believed: number; ignored: number; refused: number }>()
  let others = 0
  const count = ([peer, kind]: Sight): void => {
    const known = peers.get(peer) ?? { peer, believed: 0, ignored: 0, refused: 0 }
    if (!peers.has(peer) && peers.size >= MOST) {
      others += 1
      return
    }
    known[kind] += 1
    peers.set(peer, known)
  }
  return {
    observer: {
      ...observer,
      decided: (event) => {
        const sight = sightOf(event)
        if (sight) count(sight)
        observer.decided(event)
      },
    },
    seen: () => ({ peers: [...peers.values()].map((peer) => ({ ...peer })), others }),
  }
}
