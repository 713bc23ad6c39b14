import type { Clock, DurationMs } from '../../base/time.ts'
import type { Observer } from '../../model/event.ts'
import type { Gateway } from '../../model/gateway.ts'
import type { Client } from './client.ts'
import { GOING_AWAY } from './close-frame.ts'
import { createInFlight, type FaceParts } from './exchange.ts'
import { createHandle } from './handle.ts'
import { createListener, type ListenAddress, type ListenerEvents, type ListenerSettings } from './listener.ts'
import { createPeers } from './peer.ts'
import type { UpstreamPools } from './pools.ts'
import { createTunnels } from './tunnels.ts'
import { createUnparsable } from './unparsable.ts'
import { createUpgrade } from './upgrade.ts'
import { createVigil } from './vigil.ts'

/** Requests on this listener that are for somebody else than the API behind it. */
export interface Aside {
  /** By the request target as sent. */
  readonly takes: (rawTarget: string) => boolean
  /** Answers it. `last`: nothing else will come on this connection. Never throws. */
  readonly answer: (client: Client, context: { readonly last: boolean; readonly overloaded: boolean; readonly maxHeaders: number }) => void
}

export interface ProxyFaceSettings {
  /** Read once per request. */
  readonly gateway: () => Gateway
  readonly observer: Observer
  readonly clock: Clock
  /** Not closed with the face: they outlive reloads. */
  readonly pools: UpstreamPools
  readonly listener: ListenerSettings
  readonly aside?: Aside
}

const MAX_IN_FLIGHT = 10_000
/** How long a connection that was taken has to say what it wants once nobody else is taken. */
const HEARING_MS: DurationMs = 500

/** Hands on what is for somebody else; counted, so that a drain waits for it. */
function withAside({ request }: Pick<ListenerEvents, 'request'>, aside: Aside, { inFlight, isDraining, listener }: FaceParts): ListenerEvents['request'] {
  return (client) => {
    if (!aside.takes(client.message.url ?? '')) return request(client)
    inFlight.enter()
    client.onDone({ done: inFlight.leave })
    aside.answer(client, { last: isDraining(), overloaded: inFlight.count() > (listener.maxInFlight ?? MAX_IN_FLIGHT), maxHeaders: listener.maxHeaders })
  }
}

/** The face that stands in front of an API: HTTP in, the same HTTP out, with a decision in between. */
export interface ProxyFace {
  /** @throws (rejects) with the system's error when the address cannot be had */
  readonly listen: () => Promise<ListenAddress>
  /** From now on every answer is the last of its connection; new connections are still taken. */
  readonly draining: () => void
  /**
   * Takes no new connections, says 1001 to tunnels, waits for what is in flight, and cuts off what is left after `timeoutMs`.
   * Never rejects.
   */
  readonly drain: (timeoutMs: DurationMs) => Promise<void>
  /** Requests and tunnels that are not done. */
  readonly inFlight: () => number
  /** At once: cuts off everything. */
  readonly close: () => Promise<void>
}

/**
 * Builds the proxy face.
 *
 * @throws when a PEM file of the listener cannot be read or used
 */
export function createProxyFace({ gateway, observer, clock, pools, listener: settings, aside }: ProxyFaceSettings): ProxyFace {
  const inFlight = createInFlight()
  const tunnels = createTunnels({ observer, clock })
  const vigil = createVigil({ clock, observer })
  let isDraining = false
  const peers = createPeers(settings)
  const parts: FaceParts = { gateway, observer, clock, pools, peers, listener: settings, isDraining: () => isDraining, inFlight, vigil }
  const upgrades = createUpgrade(parts, tunnels)
  const handle = createHandle(parts)
  const request = aside ? withAside(handle, aside, parts) : handle.request
  const listener = createListener({ settings, observer, peers, trustedProxies: () => gateway().wire.trustedProxies, ...(aside && { aside: aside.takes }) }, { ...handle, ...upgrades, request, unparsable: createUnparsable(parts) })

  const drain = async (timeoutMs: DurationMs): Promise<void> => {
    isDraining = true
    await listener.stop(Math.min(timeoutMs, HEARING_MS))
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, timeoutMs)
    })
    // An answer that had promised to keep its connection leaves an idle one behind.
    const sweep = setInterval(listener.closeIdle, 100)
    await Promise.race([Promise.all([tunnels.closeAll(GOING_AWAY), inFlight.empty()]), late])
    clearTimeout(timer)
    clearInterval(sweep)
    vigil.close()
    listener.closeAll()
    upgrades.cut()
  }

  return {
    listen: listener.listen,
    draining: () => {
      isDraining = true
    },
    drain,
    inFlight: inFlight.count,
    close: () => drain(0),
  }
}
