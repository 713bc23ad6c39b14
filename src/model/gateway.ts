import type { CidrSet } from '../base/cidr.ts'
import type { DurationMs } from '../base/time.ts'
import type { DecisionPoint } from './decision.ts'
import type { CorsPolicy } from './route.ts'

/** How the upstream is reached. Plain data: the proxy face keeps pools by `key`, so that a reload does not drop connections. */
export interface UpstreamSettings {
  readonly id: string
  /** Hash of everything that makes a connection; equal keys share a pool across reloads. */
  readonly key: string
  /** `http://host:port` or `https://host:port`, without a path. */
  readonly origin: string
  /** Path prefix of the configured URL, without a trailing slash; usually empty. */
  readonly basePath: string
  /** Unix socket instead of TCP. */
  readonly socketPath?: string
  readonly connectTimeoutMs: DurationMs
  readonly firstByteTimeoutMs: DurationMs
  readonly idleTimeoutMs: DurationMs
  readonly maxConnections: number
  readonly keepAlive: boolean
  readonly host: 'preserve' | 'upstream'
  /** Who reads its answers: our own strict reader, or undici. Default: direct. */
  readonly engine?: 'direct' | 'undici'
  /** PEM text. */
  readonly ca?: string
  readonly serverName?: string
}

/** Names that only Postern may write. Compared after lower-casing and mapping every other character than a-z0-9 to `-`. */
export interface OwnedHeaders {
  /** Configured identity headers, lower-case with dashes. */
  readonly identity: ReadonlySet<string>
  /** Everything else that is removed from every request: forwarding fields, neighbours' bypass headers, `forward.strip`. */
  readonly other: ReadonlySet<string>
  /** Prefixes of `forward.strip` entries that ended in `*`, and shipped ones such as `x-envoy-`. */
  readonly prefixes: readonly string[]
  /** Credential headers; an alias of one (`X_API_Key`) is refused. */
  readonly credentials: ReadonlySet<string>
}

/** A JSON body whose placeholders are filled in per answer; compiled once. */
export type BodyTemplate = (values: Readonly<Record<string, unknown>>) => unknown

/** One refusal's look, compiled from `errors`; undefined members mean the default. */
export interface ErrorOverride {
  readonly status?: number
  readonly code?: string
  readonly title?: string
  readonly message?: string
  /** Members added to the body; fills in an object. */
  readonly extra?: BodyTemplate
  /** The whole body instead of the shape. */
  readonly body?: BodyTemplate
}

export interface ErrorSettings {
  /** Body of every refusal, or undefined for RFC 9457 problem details. */
  readonly shape?: BodyTemplate
  /** By code, then by status ("401"). */
  readonly overrides: ReadonlyMap<string, ErrorOverride>
  /** By authenticator id, then as above. */
  readonly byAuthenticator: ReadonlyMap<string, ReadonlyMap<string, ErrorOverride>>
  /** Dev mode: answers carry the reason and the hint. */
  readonly explain: boolean
  /** Prefix of problem `type` URLs. */
  readonly typeBase: string
}

export interface RateLimitFieldSettings {
  readonly ietf: boolean
  readonly legacy: boolean
  readonly reset: 'epoch' | 'delta'
}

/** What a face needs to translate between bytes and values. */
export interface WireSettings {
  readonly trustedProxies: CidrSet
  readonly clientIpHeaders: readonly ('x-forwarded-for' | 'x-real-ip' | 'forwarded')[]
  readonly owned: OwnedHeaders
  readonly aliasHeaders: 'pass' | 'reject'
  readonly errors: ErrorSettings
  readonly rateLimitFields: RateLimitFieldSettings
  /** Applies where no route was found, so that refusals before routing carry it too. */
  readonly cors?: CorsPolicy
  readonly via: boolean
  readonly tracing: boolean
  readonly realm: string
}

/** What forward-auth needs besides; absent where it is off. */
export interface ForwardAuthSettings {
  /** SHA-256 of the secrets that a caller may show in `X-Postern-Secret`; with any, every caller must. */
  readonly secretDigests: readonly Uint8Array[]
  /**
   * Credential headers, lower-case, that callers are set up to replace by what the answer has under these names: the upstream gets
   * what is returned, so an empty one takes the credential away.
   */
  readonly returned: readonly string[]
}

/** A compiled config. A face holds `() => Gateway` and reads it once per request. */
export interface Gateway {
  /** Short hash of the config file it was made from. */
  readonly revision: string
  readonly point: DecisionPoint
  readonly wire: WireSettings
  readonly upstreams: ReadonlyMap<string, UpstreamSettings>
  readonly forwardAuth?: ForwardAuthSettings
  /** Releases what only this gateway used. */
  readonly close: () => Promise<void>
}
