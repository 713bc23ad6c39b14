/** How a server is trusted, and we by it. */
export interface RedisTls {
  /** PEM texts. */
  readonly ca?: string
  readonly certificate?: string
  readonly key?: string
  /** Name in the certificate, when it is not the host that is connected to. */
  readonly serverName?: string
}

/** Where a Redis (6.2 or newer) or Valkey is. Plain data: equal settings can share a connection across reloads. */
export interface RedisSettings {
  readonly kind: 'single' | 'sentinel' | 'cluster'
  /** The server, the sentinels, or seeds of the cluster; at least one. */
  readonly nodes: readonly { readonly host: string; readonly port: number }[]
  /** `sentinel` only: what the sentinels call the master. */
  readonly masterName?: string
  readonly sentinelUsername?: string
  readonly sentinelPassword?: string
  /** ACL user. */
  readonly username?: string
  readonly password?: string
  readonly database?: number
  readonly tls?: RedisTls
}

/** For log and probes: where, never with what. */
export const redisName = ({ nodes, masterName }: Pick<RedisSettings, 'nodes' | 'masterName'>): string =>
  `${masterName === undefined ? '' : `${masterName} of `}${nodes.map(({ host, port }) => `${host.includes(':') ? `[${host}]` : host}:${port}`).join(', ')}`
