import type { Clock } from '../base/time.ts'
import type { Config } from '../config/schema.ts'
import { answersChecks } from '../config/check-forward-auth.ts'
import { createForwardAuth } from '../faces/forward-auth/server.ts'
import type { ListenAddress } from '../faces/proxy/listener.ts'
import type { UpstreamPools } from '../faces/proxy/pools.ts'
import { createProxyFace, type ProxyFace } from '../faces/proxy/server.ts'
import type { Observer } from '../model/event.ts'
import type { Gateway } from '../model/gateway.ts'
import { listenError } from './listen-error.ts'
import { addressOf, listenerSettings } from './listener-settings.ts'

export interface DataFacesOptions {
  readonly config: Config
  readonly gateway: () => Gateway
  readonly observer: Observer
  readonly clock: Clock
  readonly pools: UpstreamPools
}

/** The listeners on the data plane: one for clients, and perhaps one for checks. */
export interface DataFaces extends Pick<ProxyFace, 'draining' | 'drain' | 'inFlight' | 'close'> {
  /** @throws {OperatorError} (rejects) when an address cannot be had; then none is open */
  readonly listen: () => Promise<{ readonly address: ListenAddress; readonly checks?: ListenAddress }>
}

/** Everything on a listener that is there for checks alone is forward-auth's, bytes that are no request included. */
const asForwardAuth = (observer: Observer): Observer => ({
  ...observer,
  decided: (event) => observer.decided({ ...event, face: 'forward_auth' }),
  answered: (event) => observer.answered({ ...event, face: 'forward_auth' }),
  opened: (what) => observer.opened(what, 'forward_auth'),
  closed: (what) => observer.closed(what, 'forward_auth'),
})

/** The proxy face, with checks answered beside it, instead of it, or on a listener of their own, as the config says. */
export function createDataFaces({ config, ...parts }: DataFacesOptions): DataFaces {
  const { gateway, observer, clock } = parts
  const settings = listenerSettings(config)
  const own = config.forward_auth?.listen
  const alone = config.mode === 'forward_auth'
  const checksFace = (dedicated: boolean): { readonly aside: ReturnType<typeof createForwardAuth> } => ({ aside: createForwardAuth({ gateway, observer, clock, dedicated }) })
  const main = createProxyFace({ ...parts, ...(alone && { observer: asForwardAuth(observer) }), listener: settings, ...(answersChecks(config) && own === undefined ? checksFace(alone) : {}) })
  const { tls: _clientsOnly, ...rest } = settings
  const checks = own && createProxyFace({ ...parts, observer: asForwardAuth(observer), listener: { ...rest, address: addressOf(own), proxyProtocol: false }, ...checksFace(true) })
  const all = checks ? [main, checks] : [main]
  const each = async (act: (face: ProxyFace) => Promise<void>): Promise<void> => void (await Promise.all(all.map(act)))
  return {
    listen: async () => {
      const asked = await checks?.listen().catch((error: unknown) => {
        throw listenError('forward_auth.listen', own ?? {}, error)
      })
      try {
        return { address: await main.listen(), ...(asked && { checks: asked }) }
      } catch (error) {
        await checks?.close()
        throw listenError('listen', settings.address, error)
      }
    },
    draining: () => all.forEach((face) => face.draining()),
    drain: (timeoutMs) => each((face) => face.drain(timeoutMs)),
    inFlight: () => all.reduce((sum, face) => sum + face.inFlight(), 0),
    close: () => each((face) => face.close()),
  }
}
