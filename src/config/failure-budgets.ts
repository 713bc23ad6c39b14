import type { QuotaPolicy } from '../model/quota.ts'
import type { Config, FailureBudgetConfig } from './schema.ts'

/** The budgets as written, one or several. */
export function failureBudgets({ failed_authentication: budgets }: Pick<Config, 'failed_authentication'>): readonly FailureBudgetConfig[] {
  return budgets === undefined ? [] : Array.isArray(budgets) ? budgets : [budgets]
}

/** What the budget of a key is called in answers, metrics and the store. */
export const failurePolicyName = (key: FailureBudgetConfig['key']): string => (key === 'client_ip' ? 'failed_authentication' : 'failed_authentication_account')

/** The budget as the limiter counts it. */
export function failurePolicy({ limit, key, backoff }: FailureBudgetConfig): QuotaPolicy {
  const name = failurePolicyName(key)
  return { id: name, name, ...limit, algorithm: 'fixed', ...(backoff !== undefined && { backoffMs: backoff }), onUnavailable: 'local', shadow: false, reported: false }
}
