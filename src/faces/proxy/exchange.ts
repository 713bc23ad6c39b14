import type { Clock } from '../../base/time.ts'
import type { Observer } from '../../model/event.ts'
import type { Gateway } from '../../model/gateway.ts'
import type { IncomingLines } from '../../wire/incoming.ts'
import type { Client } from './client.ts'
import type { Peers } from './peer.ts'
import type { UpstreamPools } from './pools.ts'
import type { ListenerSettings } from './settings.ts'
import type { Vigil } from './vigil.ts'

/** What every part of the face works with. */
export interface FaceParts {
  readonly gateway: () => Gateway
  readonly observer: Observer
  readonly clock: Clock
  readonly pools: UpstreamPools
  readonly peers: Peers
  readonly listener: ListenerSettings
  /** While true, every answer is the last of its connection. */
  readonly isDraining: () => boolean
  /** Requests and tunnels that are not done. */
  readonly inFlight: InFlight
  /** Ends what stays open when its proof is ended. */
  readonly vigil: Vigil
}

/** One request on its way, under the gateway that was current when it came. */
export interface Exchange {
  readonly incoming: IncomingLines
  readonly client: Client
  readonly parts: FaceParts
  readonly gateway: Gateway
  readonly presence: Presence
}

/** What is to be undone when a client leaves: the place in the queue, the exchange with the upstream. */
export interface Undoing {
  readonly undo: () => void
}

/** The client, watched from the request to the end of the answer. */
export interface Presence {
  left: boolean
  undo: Undoing | undefined
}

/** Counts what is not done, and tells who waits for the end. */
export interface InFlight {
  readonly count: () => number
  readonly enter: () => void
  readonly leave: () => void
  /** Resolves when nothing is left, at once when nothing is. */
  readonly empty: () => Promise<void>
}

export function createInFlight(): InFlight {
  let count = 0
  let waiting: (() => void)[] = []
  return {
    count: () => count,
    enter: () => {
      count += 1
    },
    leave: () => {
      count -= 1
      if (count > 0) return
      const woken = waiting
      waiting = []
      for (const wake of woken) wake()
    },
    empty: () => (count === 0 ? Promise.resolve() : new Promise((resolve) => waiting.push(resolve))),
  }
}

/** The one `Origin` of a request, if it has exactly one. */
export function originOf({ rawHeaders }: Pick<IncomingLines, 'rawHeaders'>): string | undefined {
  let origin: string | undefined
  for (let index = 0; index + 1 < rawHeaders.length; index += 2) {
    const name = rawHeaders[index]
    if (name?.length !== 6 || name.toLowerCase() !== 'origin') continue
    if (origin !== undefined) return undefined
    origin = rawHeaders[index + 1]
  }
  return origin?.includes(',') ? undefined : origin
}
