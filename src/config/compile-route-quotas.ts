import type { Principals } from '../model/principal.ts'
import type { QuotaRule } from '../model/quota.ts'
import type { AuthenticatorUse } from '../model/route.ts'
import { claimedAccount } from './claimed-account.ts'
import { compileQuota, type CompiledQuota } from './compile-quotas.ts'
import { failureBudgets, failurePolicy } from './failure-budgets.ts'
import type { ConfigPath } from './mistake.ts'
import type { RouteContext } from './route-context.ts'
import type { QuotaConfig, RouteConfig } from './schema.ts'

/** What a route spends before authentication, and after authorization. */
export interface RouteQuotas { readonly client: readonly QuotaRule[]; readonly principal: (principals: Principals) => readonly QuotaRule[] }

function compileAll(quotas: readonly QuotaConfig[], path: ConfigPath, routeId: string, context: RouteContext, namespace = ''): CompiledQuota[] {
  const { kinds, countedAs, partitionSecret, mistakes } = context
  return quotas.map((quota, index) => compileQuota(quota, [...path, index], { kinds, countedAs, routeId, partitionSecret, mistakes }, namespace)).filter((quota) => quota !== undefined)
}

/** Limits that a credential brings along, counted per credential wherever it is used. */
function ownQuotas(routeId: string, context: RouteContext): (principals: Principals) => readonly QuotaRule[] | undefined {
  const own = compileQuota({ name: 'own', key: 'credential', limit: 1, window: 1, cost: 1, on_store_error: 'local', shadow: false, report: 'none' }, [], { ...context, routeId })
  return ({ primary }) => (primary.kind === 'identified' && own ? primary.quotas?.map((policy) => ({ policy, cost: 1, steady: true, partitionOf: own.rule.partitionOf })) : undefined)
}

/**
 * A principal's own limits, else those of its tier; a tier without limits is unlimited. Nobody escapes by having no tier, or one that
 * the config does not know: those have the limits of the lowest.
 */
function tierQuotas(routeId: string, context: RouteContext): RouteQuotas {
  const byTier = new Map<string, readonly QuotaRule[]>()
  for (const [tier, { limits }] of Object.entries(context.config.tiers ?? {})) {
    byTier.set(tier, compileAll(limits, ['tiers', tier, 'limits'], routeId, context, tier).map(({ rule }) => rule))
  }
  const [lowest = []] = byTier.values()
  const own = ownQuotas(routeId, context)
  return {
    client: [],
    principal: (principals) => {
      const { primary } = principals
      if (primary.kind !== 'identified') return []
      return own(principals) ?? (primary.tier === undefined ? undefined : byTier.get(primary.tier)) ?? lowest
    },
  }
}

/** The route's own quotas, or the top-level ones where there is authentication; those of the credential come on top. */
export function quotasOf(config: RouteConfig, path: ConfigPath, id: string, guarded: boolean, context: RouteContext): RouteQuotas {
  const written = config.rate_limit ?? (guarded ? context.config.rate_limit : 'none')
  if (written === 'tier') return tierQuotas(id, context)
  if (written === 'none') {
    const own = ownQuotas(id, context)
    return { client: [], principal: (principals) => own(principals) ?? [] }
  }
  const compiled = compileAll(written, config.rate_limit === undefined ? ['rate_limit'] : [...path, 'rate_limit'], id, context)
  const of = (stage: CompiledQuota['stage']): QuotaRule[] => compiled.filter((quota) => quota.stage === stage).map(({ rule }) => rule)
  const principal = of('principal')
  const own = ownQuotas(id, context)
  return {
    client: of('client'),
    principal: (principals) => {
      const brought = own(principals)
      return brought ? [...principal, ...brought] : principal
    },
  }
}

/** The budgets for refused credentials, per client address and per account. */
export function failureQuotas({ config, partitionSecret }: RouteContext, uses: readonly AuthenticatorUse[]): QuotaRule[] {
  return failureBudgets(config).map((budget) => ({
    policy: failurePolicy(budget),
    cost: 1,
    partitionOf: budget.key === 'account' ? claimedAccount(uses, partitionSecret) : (request) => `ip:${request.client.partition}`,
  }))
}
