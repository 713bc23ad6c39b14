import type { Clock } from '../base/time.ts'
import type { Config } from '../config/schema.ts'
import { answersChecks } from '../config/check-forward-auth.ts'
import { checksAddress } from '../config/check-listeners.ts'
import { createGrpcAuthorization, type GrpcAuthorization } from '../faces/forward-auth/grpc.ts'
import type { SecureListening } from '../faces/forward-auth/http2-server.ts'
import { createForwardAuth } from '../faces/forward-auth/server.ts'
import type { ListenAddress, ListenerTls } from '../faces/proxy/listener.ts'
import type { UpstreamPools } from '../faces/proxy/pools.ts'
import { createProxyFace, type ProxyFace } from '../faces/proxy/server.ts'
import { followCertificate, readCertificate } from '../faces/proxy/tls.ts'
import type { Observer } from '../model/event.ts'
import type { Gateway } from '../model/gateway.ts'
import { listenError } from './listen-error.ts'
import { checksSettings, listenerSettings } from './listener-settings.ts'

export interface DataFacesOptions {
  readonly config: Config
  readonly gateway: () => Gateway
  readonly observer: Observer
  readonly clock: Clock
  readonly pools: UpstreamPools
}

/** The listeners on the data plane: one for clients, and perhaps some for checks. */
export interface DataFaces extends Pick<ProxyFace, 'draining' | 'drain' | 'inFlight' | 'close'> {
  /** @throws {OperatorError} (rejects) when an address cannot be had; then none is open */
  readonly listen: () => Promise<{ readonly address: ListenAddress; readonly checks?: ListenAddress; readonly grpc?: ListenAddress }>
}

/** Everything on a listener that is there for checks alone is forward-auth's, bytes that are no request included. */
const asForwardAuth = (observer: Observer): Observer => ({
  ...observer,
  decided: (event) => observer.decided({ ...event, face: 'forward_auth' }),
  answered: (event) => observer.answered({ ...event, face: 'forward_auth' }),
  opened: (what) => observer.opened(what, 'forward_auth'),
  closed: (what) => observer.closed(what, 'forward_auth'),
})

/** Requests at once that are more than anybody needs. */
const MAX_CHECKS = 10_000

/** TLS for a face that has no files of its own to look after. */
const securedBy = (tls: ListenerTls, observer: Observer): SecureListening => ({
  clientCertificate: tls.clientCertificate,
  read: () => readCertificate(tls),
  follow: (server) => followCertificate(server, tls, observer),
})

function grpcFace({ config, gateway, observer, clock }: DataFacesOptions): GrpcAuthorization | undefined {
  const own = config.forward_auth?.grpc
  if (!own) return undefined
  const { address, tls } = checksSettings(own)
  return createGrpcAuthorization({ gateway, observer, clock, address, ...(tls && { tls: securedBy(tls, observer) }), maxHeaders: listenerSettings(config).maxHeaders, maxInFlight: MAX_CHECKS })
}

/** The faces of a config that speak HTTP/1.1: the one for clients first, then one for checks where it has an address of its own. */
function httpFaces({ config, ...parts }: DataFacesOptions): readonly ProxyFace[] {
  const { gateway, observer, clock } = parts
  const { tls: _clientsOnly, ...settings } = listenerSettings(config)
  const own = config.forward_auth?.listen
  const alone = config.mode === 'forward_auth'
  const asideOf = (dedicated: boolean): Pick<Parameters<typeof createProxyFace>[0], 'aside'> => ({ aside: createForwardAuth({ gateway, observer, clock, dedicated }) })
  const main = createProxyFace({ ...parts, ...(alone && { observer: asForwardAuth(observer) }), listener: listenerSettings(config), ...(answersChecks(config) && own === undefined ? asideOf(alone) : {}) })
  if (!own) return [main]
  return [main, createProxyFace({ ...parts, observer: asForwardAuth(observer), listener: { ...settings, ...checksSettings(own), proxyProtocol: false }, ...asideOf(true) })]
}

/** What is opened, in order, under the key that it has in the config. */
interface Opening { readonly key: string; readonly address: Parameters<typeof listenError>[1]; readonly listen: () => Promise<ListenAddress>; readonly close: () => Promise<void> }

/** Opens all or none. */
async function openAll(openings: readonly Opening[]): Promise<readonly ListenAddress[]> {
  const open: ListenAddress[] = []
  for (const { key, address, listen } of openings) {
    try {
      open.push(await listen())
    } catch (error) {
      await Promise.all(openings.slice(0, open.length).map(({ close }) => close()))
      throw listenError(key, address, error)
    }
  }
  return open
}

/** The proxy face, with checks answered beside it, instead of it, or on listeners of their own, as the config says. */
export function createDataFaces(options: DataFacesOptions): DataFaces {
  const { config } = options
  const faces = httpFaces(options)
  const grpc = grpcFace(options)
  const [main, checks] = faces
  const openings: readonly Opening[] = [
    ...(checks ? [{ key: 'forward_auth.listen', address: config.forward_auth?.listen ? checksAddress(config.forward_auth.listen) : {}, listen: checks.listen, close: checks.close }] : []),
    ...(grpc ? [{ key: 'forward_auth.grpc', address: config.forward_auth?.grpc ? checksAddress(config.forward_auth.grpc) : {}, listen: grpc.listen, close: () => grpc.drain(0) }] : []),
    ...(main ? [{ key: 'listen', address: listenerSettings(config).address, listen: main.listen, close: main.close }] : []),
  ]
  const drain = async (timeoutMs: number): Promise<void> => void (await Promise.all([...faces.map((face) => face.drain(timeoutMs)), grpc?.drain(timeoutMs)]))
  return {
    listen: async () => {
      const open = await openAll(openings)
      const of = (key: string): ListenAddress | undefined => open[openings.findIndex((opening) => opening.key === key)]
      const [asked, calls] = [of('forward_auth.listen'), of('forward_auth.grpc')]
      return { address: of('listen') ?? { path: '' }, ...(asked && { checks: asked }), ...(calls && { grpc: calls }) }
    },
    draining: () => faces.forEach((face) => face.draining()),
    drain,
    inFlight: () => faces.reduce((sum, face) => sum + face.inFlight(), grpc?.inFlight() ?? 0),
    close: () => drain(0),
  }
}
