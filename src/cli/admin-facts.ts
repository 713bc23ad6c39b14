import { keyCountsOf } from '../config/compile-managed-keys.ts'
import type { LoadedConfig } from '../config/load.ts'
import type { Resources } from '../config/resources.ts'
import type { Config, QuotaConfig } from '../config/schema.ts'
import { shownSettings } from '../config/shown-settings.ts'
import type { PageFacts, ShownLimit } from '../faces/admin/page-views.ts'
import type { Recent } from '../observe/recent.ts'
import type { Prepared } from './load-config.ts'
import { VERSION } from './version.ts'

export interface AdminFactsOptions {
  readonly current: () => Prepared
  readonly resources: Resources
  readonly recent: Recent
}

const limitOf = (where: string) => ({ name, limit, window, key }: QuotaConfig): ShownLimit =>
  ({ name, where, key, limit: typeof limit === 'number' ? `${limit} per ${(window ?? 0) / 1_000} s` : `${limit.quota} per ${limit.windowMs / 1_000} s` })

function limitsOf({ rate_limit: global, routes = [], tiers = {}, admin }: Config): readonly ShownLimit[] {
  return [
    ...global.map(limitOf('every guarded route')),
    ...(admin?.rate_limit ?? []).map(limitOf('the admin listener')),
    ...routes.flatMap(({ name, match, rate_limit: own }) => (Array.isArray(own) ? own.map(limitOf(`route ${name ?? match.path.join(', ')}`)) : [])),
    ...Object.entries(tiers).flatMap(([tier, { limits }]) => limits.map(limitOf(`tier ${tier}`))),
  ]
}

/** What the admin page shows of a running Postern. */
export function adminFacts({ current, resources, recent }: AdminFactsOptions): PageFacts {
  const loaded = (): LoadedConfig => current().loaded
  return {
    overview: () => [
      ['Version', VERSION],
      ['Node', process.versions.node],
      ['Config', `${loaded().file}, revision ${loaded().revision.slice(0, 12)}`],
      ['Running for', `${Math.floor(process.uptime())} s`],
      ['Memory', `${Math.round(process.memoryUsage.rss() / 2 ** 20)} MiB`],
      ['Upstreams', [...current().compiled.gateway.upstreams.values()].map(({ id, origin, socketPath }) => `${id} ${socketPath ?? origin}`).join(', ')],
      ['Authenticators', [...current().compiled.authenticators.keys()].join(', ')],
    ],
    counts: () => keyCountsOf(loaded().config, resources),
    settings: () => shownSettings(loaded()),
    limits: () => limitsOf(loaded().config),
    decisions: recent.decisions,
    acts: recent.acts,
  }
}
