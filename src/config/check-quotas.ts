import { quotasOf } from './check-names.ts'
import { failureBudgets } from './failure-budgets.ts'
import { suggestion } from './did-you-mean.ts'
import type { Finding } from './finding.ts'
import { pathText, type ConfigPath } from './mistake.ts'
import type { Config, QuotaConfig } from './schema.ts'

const PARTITIONS = ['client_ip', 'principal', 'credential', 'route']

/** Quota policies that cannot be meant as written. */
export function checkQuotas(config: Config): readonly Finding[] {
  return [
    ...quotasOf(config).flatMap(({ quota, path }) => [...arithmetic(quota, path), ...partition(quota, path, Object.keys(config.authenticators ?? {}))]),
    ...contradictions(config),
    ...reports(config),
    ...budgets(config),
  ]
}

function arithmetic(quota: QuotaConfig, path: ConfigPath): readonly Finding[] {
  const found: Finding[] = []
  if (typeof quota.limit === 'number' && quota.window === undefined) found.push({ path: [...path, 'limit'], message: `${quota.limit} – expected a window beside it, as in "window: 1m", or a rate such as "${quota.limit}/minute"` })
  if (typeof quota.limit !== 'number' && quota.window !== undefined) found.push({ path: [...path, 'window'], message: 'the limit is a rate and has its window already; write a number and "window", or a rate alone' })
  if (quota.burst !== undefined && quota.algorithm !== undefined && quota.algorithm !== 'gcra') found.push({ path: [...path, 'burst'], message: `only algorithm gcra has a burst, this policy says ${quota.algorithm}; remove one of the two` })
  return found
}

function partition(quota: QuotaConfig, path: ConfigPath, authenticators: readonly string[]): readonly Finding[] {
  const { key } = quota
  const known = [...PARTITIONS, ...authenticators.map((name) => `${name}.id`)]
  if (known.includes(key) || /^header:[A-Za-z0-9-]+$/.test(key) || /^body\.[^|\s]+(\|(lower|hmac))*$/.test(key) || authenticators.some((name) => key === `${name}.principal`)) return []
  // A name before `.id` may belong to an authenticator that could not be read.
  return [{ path: [...path, 'key'], message: `${JSON.stringify(key)} – expected ${known.join(', ')}, header:<name> or body.<path>.${suggestion(key, known)}`, needs: ['authenticators'] }]
}

const numbersOf = ({ limit, window, burst, algorithm }: QuotaConfig): string =>
  JSON.stringify([typeof limit === 'number' ? limit : limit.quota, typeof limit === 'number' ? window : limit.windowMs, burst, algorithm ?? (burst === undefined ? 'fixed' : 'gcra')])

/** One budget for each key, and a back-off that grows. */
function budgets(config: Config): readonly Finding[] {
  return [...budgetsAt(config, []), ...budgetsAt({ failed_authentication: config.admin?.failed_authentication }, ['admin'])]
}

function budgetsAt(settings: Pick<Config, 'failed_authentication'>, path: ConfigPath): readonly Finding[] {
  const all = failureBudgets(settings)
  const at = (index: number): ConfigPath => [...path, 'failed_authentication', ...(Array.isArray(settings.failed_authentication) ? [index] : [])]
  return all.flatMap(({ key, backoff, limit }, index): Finding[] => [
    ...(all.findIndex((other) => other.key === key) < index ? [{ path: [...at(index), 'key'], message: `another budget is per ${key} already` }] : []),
    ...(backoff !== undefined && backoff <= limit.windowMs ? [{ path: [...at(index), 'backoff'], message: 'not longer than the window of the limit, so it would never grow' }] : []),
  ])
}

/** A name is a counter: the same name with other numbers would be one counter with two limits. */
function contradictions(config: Config): readonly Finding[] {
  const first = new Map<string, { quota: QuotaConfig; path: ConfigPath }>()
  return quotasOf(config).flatMap(({ quota, path, scope }): Finding[] => {
    const name = `${scope}\0${quota.name}`
    const known = first.get(name)
    if (!known) first.set(name, { quota, path })
    if (!known || numbersOf(known.quota) === numbersOf(quota)) return []
    return [{ path: [...path, 'name'], message: `"${quota.name}" is the policy at ${pathText(known.path)} as well, with other numbers; a name is one counter, so give this one another` }]
  })
}

/** `X-RateLimit-*` can show one policy of an answer. */
function reports(config: Config): readonly Finding[] {
  const lists: readonly (readonly [readonly QuotaConfig[], ConfigPath])[] = [
    [config.rate_limit, ['rate_limit']],
    ...(config.routes ?? []).flatMap((route, index): [readonly QuotaConfig[], ConfigPath][] => (Array.isArray(route.rate_limit) ? [[route.rate_limit, ['routes', index, 'rate_limit']]] : [])),
    ...Object.entries(config.tiers ?? {}).flatMap(([tier, { limits }]): [readonly QuotaConfig[], ConfigPath][] => (Array.isArray(limits) ? [[limits, ['tiers', tier, 'limits']]] : [])),
  ]
  return lists.flatMap(([quotas, path]) => {
    const reported = new Set<string>()
    return quotas.flatMap((quota, index): Finding[] => {
      if (quota.report !== 'legacy') return []
      // Policies that never apply together may both be shown.
      const when = JSON.stringify(quota.when ?? null)
      if (!reported.has(when)) {
        reported.add(when)
        return []
      }
      return [{ path: [...path, index, 'report'], message: 'X-RateLimit-* can show one policy, and an earlier one says "report: legacy" already' }]
    })
  })
}
