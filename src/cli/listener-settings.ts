import { checksAddress, checksTls } from '../config/check-listeners.ts'
import type { Address } from '../config/scalars.ts'
import type { Config } from '../config/schema.ts'
import type { ListenerSettings } from '../faces/proxy/settings.ts'

type ListenConfig = Exclude<Config['listen'], Address>

/** What the schema fills in when `listen` is only an address. */
const DEFAULTS: Omit<ListenConfig, 'address' | 'tls'> = {
  proxy_protocol: false,
  max_connections: 10_000,
  headers_timeout: 10_000,
  body_idle_timeout: 30_000,
  keep_alive_timeout: 75_000,
  max_header_size: 16_384,
  max_headers: 100,
}

/** An address of the config as a listener takes it. */
export const addressOf = ({ host, port, path }: Address): ListenerSettings['address'] => (path === undefined ? { host, port } : { path })

const tlsOf = (tls: ListenConfig['tls']): Pick<ListenerSettings, 'tls'> =>
  tls ? { tls: { certificate: tls.certificate, key: tls.key, ...(tls.client_ca !== undefined && { clientCa: tls.client_ca }), clientCertificate: tls.client_certificate } } : {}

/** Address and TLS of a listener for checks alone. */
export const checksSettings = (listener: Parameters<typeof checksAddress>[0]): Pick<ListenerSettings, 'address' | 'tls'> => ({ address: addressOf(checksAddress(listener)), ...tlsOf(checksTls(listener)) })

/** The listener of the proxy face, from `listen`. */
export function listenerSettings({ listen }: Pick<Config, 'listen'>): ListenerSettings {
  const { address, tls, ...rest }: ListenConfig = 'address' in listen ? listen : { ...DEFAULTS, address: listen }
  return {
    address: addressOf(address),
    ...tlsOf(tls),
    proxyProtocol: rest.proxy_protocol,
    maxConnections: rest.max_connections,
    ...(rest.max_connections_per_client !== undefined && { maxConnectionsPerClient: rest.max_connections_per_client }),
    headersTimeoutMs: rest.headers_timeout,
    bodyIdleTimeoutMs: rest.body_idle_timeout,
    keepAliveTimeoutMs: rest.keep_alive_timeout,
    maxHeaderSize: rest.max_header_size,
    maxHeaders: rest.max_headers,
  }
}
