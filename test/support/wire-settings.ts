import { createCidrSet, NO_NETWORKS } from '../../src/base/cidr.ts'
import type { WireSettings } from '../../src/model/gateway.ts'
import { createOwnedHeaders } from '../../src/wire/headers.ts'

/** What a test says about a config; everything else has the defaults of the schema. */
export interface WireSettingsOptions extends Partial<Omit<WireSettings, 'trustedProxies' | 'owned'>> {
  readonly trustedProxies?: readonly string[]
  readonly identity?: readonly string[]
  readonly credentials?: readonly string[]
  readonly strip?: readonly string[]
}

/** Wire settings as a config with `X-User-Id` and `X-API-Key` compiles to. `unix` among the trusted proxies means unix peers. */
export function wireSettings({ trustedProxies = [], identity = ['X-User-Id'], credentials = ['X-API-Key'], strip = [], ...rest }: WireSettingsOptions = {}): WireSettings {
  const networks = trustedProxies.filter((entry) => entry !== 'unix')
  const set = networks.length === 0 ? NO_NETWORKS : createCidrSet(networks)
  return {
    trustedProxies: { contains: set.contains, entries: trustedProxies },
    clientIpHeaders: ['x-forwarded-for'],
    owned: createOwnedHeaders({ identity, strip, credentials }),
    aliasHeaders: 'pass',
    errors: { overrides: new Map(), byAuthenticator: new Map(), explain: false, typeBase: 'about:blank' },
    rateLimitFields: { ietf: true, legacy: false, reset: 'epoch' },
    via: false,
    tracing: false,
    realm: 'api',
    ...rest,
  }
}
