import { createOwnTokens } from '../keys/self-service.ts'
import type { Route } from '../model/route.ts'
import type { RouteEntry } from '../pipeline/route-table.ts'
import { keyServicesOf } from './compile-managed-keys.ts'
import type { ConfigPath, Mistake } from './mistake.ts'
import type { Resources } from './resources.ts'
import { selfServiceAnswers } from './self-service-answers.ts'
import { route as routeSchema, type Config, type RouteConfig } from './schema.ts'

type SelfServiceConfig = NonNullable<Config['self_service']>

/** Compiles a route as if it were written in the config, at a path for its mistakes. */
export type CompileRoute = (config: RouteConfig, path: ConfigPath) => Route

/** Who may sign in here: people, proven by a session or token. A key that could make keys would outlive its own revocation. */
function authMistakes({ auth }: SelfServiceConfig, { authenticators = {} }: Config): Mistake[] {
  return auth.flatMap((name, index): Mistake[] => {
    const type = authenticators[name]?.type
    const path = ['self_service', 'auth', index]
    // Tokens belong to a subject, and whoever shares its name with another issuer's person would share the tokens (T30, T39).
    if (index > 0) return [{ path, message: 'expected one way to sign in: people of two authenticators may have the same subject, and would own the same tokens' }]
    if (type === undefined) return [{ path, message: `there is no authenticator "${name}"` }]
    return type === 'api_key' || type === 'anonymous' ? [{ path, message: `"${name}" is of type ${type}: tokens are made by people who signed in, with a session or a token` }] : []
  })
}

function keysOf({ keys }: SelfServiceConfig, config: Config, resources: Resources, mistakes: Mistake[]) {
  const services = keyServicesOf(config, resources)
  const [only, ...others] = services.keys()
  const name = keys ?? (others.length === 0 ? only : undefined)
  const service = name === undefined ? undefined : services.get(name)
  if (!service) mistakes.push({ path: ['self_service', 'keys'], message: services.size === 0 ? 'no authenticator has a key store: give one of type api_key "store" and "pepper"' : `expected one of the authenticators with a key store: ${[...services.keys()].join(', ')}` })
  return service
}

/** The public routes on which people manage tokens of their own; none without `self_service`. */
export function selfServiceRoutes(config: Config, resources: Resources, mistakes: Mistake[], compileRoute: CompileRoute): RouteEntry[] {
  const settings = config.self_service
  if (!settings) return []
  mistakes.push(...authMistakes(settings, config))
  const service = keysOf(settings, config, resources, mistakes)
  if (!service) return []
  const { path, auth, scopes, max_tokens: maxTokens, max_lifetime: maxLifetimeMs } = settings
  const tokens = createOwnTokens({ service, clock: resources.clock, scopes: scopes && new Set(scopes), maxTokens, maxLifetimeMs })
  const answers = selfServiceAnswers({ tokens, path, clock: resources.clock })
  const entry = (name: string, pattern: string, methods: readonly string[], answer: NonNullable<Route['answer']>, body?: readonly string[]): RouteEntry => {
    const written = routeSchema.parse({ name: `self-service ${name}`, auth, ...(body && { body: { max_bytes: '16KiB', content_types: body } }) })
    return { pattern, methods: new Set(methods), route: { ...compileRoute(written, ['self_service']), answer } }
  }
  return [
    entry('list', path, ['GET', 'HEAD'], answers.list),
    entry('create', path, ['POST'], answers.create, ['application/json', 'application/x-www-form-urlencoded']),
    entry('revoke', `${path}/{id}`, ['DELETE'], answers.revoke),
    entry('revoke by form', `${path}/{id}/revoke`, ['POST'], answers.revoke, ['application/x-www-form-urlencoded']),
  ]
}
