import type { Compiled } from '../config/compile.ts'
import { failureBudgets, failurePolicyName } from '../config/failure-budgets.ts'
import type { Config, QuotaConfig } from '../config/schema.ts'
import type { KnownNames } from '../observe/known-series.ts'

const namesOf = (quotas: readonly QuotaConfig[] | 'tier' | 'none' | undefined): readonly string[] => (Array.isArray(quotas) ? quotas.map(({ name }: QuotaConfig) => name) : [])

/** Policy ids as the compiler makes them: tiers use names of their own. */
function policies({ rate_limit, routes, tiers, failed_authentication }: Config): readonly string[] {
  const tiered = Object.entries(tiers ?? {}).flatMap(([tier, { limits }]) => namesOf(limits).map((name) => `${tier}/${name}`))
  return [...new Set([...namesOf(rate_limit), ...(routes ?? []).flatMap((route) => namesOf(route.rate_limit)), ...tiered, ...failureBudgets({ failed_authentication }).map(({ key }) => failurePolicyName(key))])]
}

/** What a config makes possible as label values. */
export function knownNames(config: Config, { authenticators, gateway, providers }: Compiled): KnownNames {
  const used = [...authenticators.values()].map(({ authenticator }) => authenticator)
  return {
    kinds: used.map(({ kind }) => kind),
    // Key sets are shared between authenticators and named by their issuer.
    providers: [...used.filter(({ kind }) => kind !== 'jwt').map(({ id, kind }) => ({ name: id, kind })), ...providers.map(({ name }) => ({ name, kind: 'jwt' as const }))],
    policies: policies(config),
    identityHeaders: [...gateway.wire.owned.identity],
  }
}
