import type { DurationMs } from '../../base/time.ts'

/** TLS on our own listener, for those without a proxy in front. Paths of PEM files, re-read when they change. */
export interface ListenerTls {
  readonly certificate: string
  readonly key: string
  readonly clientCa?: string
  /** `optional`: a certificate may be missing, but one that is shown must be good. */
  readonly clientCertificate: 'off' | 'optional' | 'required'
}

/** Where clients connect, and what one of them may cost. Plain data. */
export interface ListenerSettings {
  readonly address: { readonly host: string; readonly port: number } | { readonly path: string }
  readonly tls?: ListenerTls
  /** Every connection must come from a trusted proxy and begin with a PROXY protocol header, v1 or v2. */
  readonly proxyProtocol: boolean
  readonly maxConnections: number
  /** Per client address (IPv6: per /64); absent means no limit of its own. */
  readonly maxConnectionsPerClient?: number
  /** Until the whole head of a request has arrived. */
  readonly headersTimeoutMs: DurationMs
  /** Longest pause in a request body. */
  readonly bodyIdleTimeoutMs: DurationMs
  readonly keepAliveTimeoutMs: DurationMs
  /** Bytes of one request head. */
  readonly maxHeaderSize: number
  /** Field lines of one request. */
  readonly maxHeaders: number
  /** Requests and tunnels at once; more are answered 503. Default 10,000. */
  readonly maxInFlight?: number
}
