import type { ConfigPath } from './mistake.ts'
import { unknownName, usesOf, type AuthUse, type Finding, type Findings } from './finding.ts'
import type { AuthenticatorConfig, Config, QuotaConfig } from './schema.ts'

const NAME = /^[A-Za-z][A-Za-z0-9_-]{0,63}$/

/** Names that do not exist, names that nobody uses, and names that cannot be labels. */
export function checkNames(config: Config): Findings {
  const authenticators = Object.keys(config.authenticators ?? {})
  const upstreams = Object.keys(config.upstreams ?? {})
  const tiers = Object.keys(config.tiers ?? {})
  const admins = (config.admin?.auth ?? []).map((name, index): AuthUse => ({ name, path: ['admin', 'auth', index] }))
  const uses = [...(config.routes ?? []).flatMap((route, index) => usesOf(route.auth, ['routes', index, 'auth'])), ...admins]
  const skips = quotasOf(config).flatMap(({ quota, path }) => (quota.skip ?? []).map((name, index): AuthUse => ({ name, path: [...path, 'skip', index] })))
  const bodies = (config.routes ?? []).flatMap((route, index): AuthUse[] => (route.body?.when === undefined ? [] : [{ name: route.body.when, path: ['routes', index, 'body', 'when'] }]))
  const mistakes: Finding[] = [
    ...[...uses, ...skips, ...bodies].filter(({ name }) => !authenticators.includes(name)).map(({ name, path }) => ({ path, message: unknownName('authenticator', name, authenticators), needs: ['authenticators'] as const })),
    ...(config.routes ?? []).flatMap((route, index) => [
      ...missing({ name: route.upstream, known: upstreams, what: 'upstream', path: ['routes', index, 'upstream'], needs: 'upstreams' }),
      ...missing({ name: route.min_tier, known: tiers, what: 'tier', path: ['routes', index, 'min_tier'], needs: 'tiers' }),
    ]),
    ...unlabelled(authenticators, 'authenticators'),
    ...unlabelled(upstreams, 'upstreams'),
    ...unlabelled(tiers, 'tiers'),
    ...(authenticators.includes('none') ? [{ path: ['authenticators', 'none'], message: '"none" means no authentication on a route; use another name', at: 'key' as const }] : []),
    ...needed(config, authenticators, upstreams),
    ...assertions(config),
  ]
  return { mistakes, warnings: unused(config, authenticators, uses) }
}

/** Every quota policy, with where it is written and what it belongs to. */
export function quotasOf(config: Config): readonly { readonly quota: QuotaConfig; readonly path: ConfigPath; readonly scope: string }[] {
  const listed = (quotas: readonly QuotaConfig[], path: ConfigPath, scope: string) => quotas.map((quota, index) => ({ quota, path: [...path, index], scope }))
  return [
    ...listed(config.rate_limit, ['rate_limit'], ''),
    ...listed(config.admin?.rate_limit ?? [], ['admin', 'rate_limit'], ''),
    ...(config.routes ?? []).flatMap((route, index) => (Array.isArray(route.rate_limit) ? listed(route.rate_limit, ['routes', index, 'rate_limit'], '') : [])),
    ...Object.entries(config.tiers ?? {}).flatMap(([tier, { limits }]) => (Array.isArray(limits) ? listed(limits, ['tiers', tier, 'limits'], `tier ${tier}`) : [])),
  ]
}

function missing({ name, known, what, path, needs }: { name: string | undefined; known: readonly string[]; what: string; path: ConfigPath; needs: keyof Config }): Finding[] {
  return name === undefined || known.includes(name) ? [] : [{ path, message: unknownName(what, name, known), needs: [needs] }]
}

/** Names become metric labels and parts of templates. Names of digits would also change their place in the order. */
const unlabelled = (names: readonly string[], section: keyof Config): Finding[] =>
  names.filter((name) => !NAME.test(name)).map((name) => ({ path: [section, name], message: 'expected a name that starts with a letter and has letters, digits, dashes and underscores, 64 at most', at: 'key' }))

/** What every config must have. */
function needed(config: Config, authenticators: readonly string[], upstreams: readonly string[]): readonly Finding[] {
  const found: Finding[] = []
  const guarded = config.routes ? config.routes.findIndex((route) => route.auth === undefined && route.deny === undefined) : -1
  if (authenticators.length === 0 && (guarded >= 0 || !config.routes)) {
    found.push({ path: guarded >= 0 ? ['routes', guarded] : ['authenticators'], message: 'no authenticator is configured; add "auth:", or say "auth: none" on every route that is open to all', needs: ['authenticators', 'routes'] })
  }
  const forwarding = config.routes ? config.routes.findIndex((route) => route.deny === undefined && route.respond === undefined) : 0
  if (upstreams.length === 0 && forwarding >= 0 && config.mode === 'proxy') {
    found.push({ path: config.routes ? ['routes', forwarding] : ['upstream'], message: 'no upstream is configured; add "upstream: http://127.0.0.1:3000"', needs: ['upstreams', 'routes', 'mode'] })
  }
  return found
}

/** A trusted service and the header in which it names the user belong together. */
function assertions(config: Config): readonly Finding[] {
  return Object.entries(config.authenticators ?? {}).flatMap(([name, authenticator]): Finding[] => {
    if (authenticator.type !== 'api_key') return []
    const keys = authenticator.keys ?? []
    const first = keys.findIndex((key) => key.assert_subject)
    if (first >= 0 && !authenticator.subject) return [{ path: ['authenticators', name, 'keys', first, 'assert_subject'], message: 'there is no header to name the subject in; add "subject: {from_header: X-User-Id}" to this authenticator' }]
    const hopeless = authenticator.subject && first < 0 && !hasOtherKeys(authenticator)
    return hopeless ? [{ path: ['authenticators', name, 'subject'], message: 'no key of this authenticator may assert a subject; add "assert_subject: true" to the trusted one' }] : []
  })
}

const hasOtherKeys = (authenticator: AuthenticatorConfig): boolean => ('file' in authenticator && authenticator.file !== undefined) || 'store' in authenticator

function unused(config: Config, authenticators: readonly string[], uses: readonly AuthUse[]): readonly Finding[] {
  if (!config.routes || config.routes.some((route) => route.auth === undefined && route.deny === undefined)) return []
  return authenticators.filter((name) => !uses.some((use) => use.name === name)).map((name) => ({ path: ['authenticators', name], message: 'no route uses this authenticator', at: 'key', needs: ['routes'] }))
}
