import type { Config, QuotaConfig, RouteConfig } from './schema.ts'

const bodyKeys = (quotas: readonly QuotaConfig[] | string | undefined): string[] =>
  typeof quotas === 'object' ? quotas.flatMap(({ key }) => (key.startsWith('body.') ? [key.slice('body.'.length).split('|', 1)[0] ?? ''] : [])) : []

/** Paths of the members of a route's bodies that any of its rules looks at: what must be equal, what is forbidden, what limits count by. */
export function judgedMembers({ body, rate_limit }: RouteConfig, global: Pick<Config, 'rate_limit' | 'tiers'>): readonly (readonly string[])[] {
  const limits = [rate_limit, global.rate_limit, ...Object.values(global.tiers ?? {}).map((tier) => tier.limits)]
  const names = [...Object.keys(body?.require_equal ?? {}), ...Object.keys(body?.forbid_anonymous ?? {}), ...(body?.grant_types ? ['grant_type'] : []), ...limits.flatMap(bodyKeys)]
  return [...new Set(names)].map((name) => name.split('.'))
}
