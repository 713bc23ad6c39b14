import type { QuotaPolicy } from '../model/quota.ts'
import { failureBudgets, failurePolicy } from './failure-budgets.ts'
import type { Finding } from './finding.ts'
import type { ConfigPath } from './mistake.ts'
import type { Config, FailureBudgetConfig } from './schema.ts'

export type AdminConfig = NonNullable<Config['admin']>

/** Whether there is an admin listener: somebody must be able to say who they are. */
export const adminIsOn = ({ admin }: Pick<Config, 'admin'>): boolean => admin !== undefined && (admin.token !== '' || admin.auth.length > 0)

/** The admin settings, when they are in use. */
export const adminOf = (config: Pick<Config, 'admin'>): AdminConfig | undefined => (adminIsOn(config) ? config.admin : undefined)

/** The budgets of the admin listener are counters of their own: a guess at the API must not lock its operators out. */
export function adminFailurePolicy(budget: FailureBudgetConfig): QuotaPolicy {
  const policy = failurePolicy(budget)
  return { ...policy, id: `admin_${policy.id}`, name: `admin_${policy.name}` }
}

export const adminFailureBudgets = (config: Pick<Config, 'admin'>): readonly FailureBudgetConfig[] => failureBudgets({ failed_authentication: adminOf(config)?.failed_authentication })

/** Names that the admin listener gives to what is its own. */
export const ADMIN_TOKEN = 'admin:token'

/** Who may come in must have proven something, and who may change things must have been given it. */
export function checkAdmin(config: Config): readonly Finding[] {
  const admin = adminOf(config)
  if (!admin) return []
  const path = (...rest: ConfigPath): ConfigPath => ['admin', ...rest]
  const demands = (['read', 'write'] as const).flatMap((access): Finding[] =>
    admin[access].scopes.length + admin[access].roles.length > 0 ? [] : [{ path: path(access), message: 'expected scopes or roles: without them everybody whom "auth" lets in could administer' }])
  const open = admin.auth.flatMap((name, index): Finding[] =>
    config.authenticators?.[name]?.type === 'anonymous' ? [{ path: path('auth', index), message: `"${name}" is of type anonymous: an admin is somebody`, needs: ['authenticators'] }] : [])
  return [...demands, ...open]
}
