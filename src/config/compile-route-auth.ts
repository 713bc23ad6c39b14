import type { Challenge } from '../model/denial.ts'
import type { AuthenticatorUse, RouteAuthentication } from '../model/route.ts'
import { metadataUrl } from './compile-metadata.ts'
import { notConfigured } from './not-configured.ts'
import type { RouteContext } from './route-context.ts'
import type { RouteConfig } from './schema.ts'

type AuthConfig = RouteConfig['auth']
type UseConfig = Exclude<AuthConfig, string | undefined> extends infer T ? (T extends readonly (infer U)[] ? U : never) : never

function compileUse(item: UseConfig, { authenticators }: RouteContext): AuthenticatorUse | undefined {
  const name = typeof item === 'string' ? item : 'use' in item ? item.use : item.optional
  const known = authenticators.get(name)
  if (!known) return undefined
  const { authenticator, onMissing, onInvalid, onUnavailable, scopes = [] } = known
  const optional = typeof item === 'object' && 'optional' in item
  return { authenticator, onMissing, onInvalid, onUnavailable, optional, scopes: typeof item === 'string' ? scopes : [...scopes, ...item.scopes] }
}

/** What was written, as one list with its mode. `none` alone is no list at all. */
function writtenUses(auth: AuthConfig, context: RouteContext): { readonly mode: 'none' | 'any' | 'all'; readonly items: readonly UseConfig[]; readonly primary?: string } {
  if (auth === 'none') return { mode: 'none', items: [] }
  if (auth === undefined) return { mode: 'any', items: Object.keys(context.config.authenticators ?? {}) }
  if (typeof auth === 'string') return { mode: 'any', items: [auth] }
  if (Array.isArray(auth)) return { mode: 'any', items: auth }
  const [mode, items] = 'any' in auth ? (['any', auth.any] as const) : (['all', auth.all] as const)
  return { mode, items, ...(auth.primary !== undefined && { primary: auth.primary }) }
}

/** How a route composes its authenticators; those that are off are left out, and a route never becomes open by that. */
export function compileAuthentication(auth: AuthConfig, context: RouteContext): RouteAuthentication {
  const { mode, items, primary } = writtenUses(auth, context)
  if (mode === 'none') return { mode: 'none' }
  const uses = items.map((item) => compileUse(item, context)).filter((use) => use !== undefined)
  // Every listed authenticator is off. The route stays guarded: it answers that nothing is configured. In `all`, a
  // required authenticator that is off must not simply vanish from the list.
  const requiredIsOff = mode === 'all' && items.some((item) => !(typeof item === 'object' && 'optional' in item) && !compileUse(item, context))
  // What is left must not be `anonymous` alone, or switching a variable off would open the route.
  const onlyAnonymous = uses.length < items.length && uses.every(({ authenticator }) => authenticator.kind === 'anonymous')
  if (uses.length === 0 || onlyAnonymous || requiredIsOff) return { mode: 'any', uses: [notConfigured()] }
  return { mode, uses, ...(primary !== undefined && { primary }) }
}

/** Challenges of the route's authenticators, Bearer first, each once. */
export function challengesOf(authentication: RouteAuthentication, mcp: RouteConfig['mcp']): Challenge[] {
  if (authentication.mode === 'none') return []
  const seen = new Map<string, Challenge>()
  for (const { authenticator } of authentication.uses) {
    if (authenticator.kind !== 'anonymous') seen.set(JSON.stringify(authenticator.challenge), authenticator.challenge)
  }
  const metadata = mcp && ([['resource_metadata', metadataUrl(mcp.resource)], ...(mcp.scopes.length > 0 ? [['scope', mcp.scopes.join(' ')] as const] : [])] as const)
  const all = [...seen.values()].map((challenge) => (metadata && challenge.scheme === 'Bearer' ? { ...challenge, parameters: [...challenge.parameters, ...metadata] } : challenge))
  const bearer = all.find(({ scheme }) => scheme === 'Bearer')
  return bearer ? [bearer, ...all.filter(({ scheme }) => scheme !== 'Bearer')] : all
}
