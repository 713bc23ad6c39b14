import { CidrError, createCidrSet, type CidrSet } from '../base/cidr.ts'
import type { Mutator } from '../model/mutation.ts'
import type { CorsPolicy, Requirements, Route, RouteAuthentication } from '../model/route.ts'
import type { QueryConstraint, RouteEntry } from '../pipeline/route-table.ts'
import { createCorsPolicy, CorsMistake } from '../wire/cors.ts'
import { compileBody } from './compile-body.ts'
import { logoutRoutes } from './compile-logout.ts'
import { metadataRoutes } from './compile-metadata.ts'
import { createCredentialMutator, createIdentityMutator } from './compile-mutators.ts'
import { selfServiceRoutes } from './compile-self-service.ts'
import { challengesOf, compileAuthentication } from './compile-route-auth.ts'
import { failureQuotas, quotasOf } from './compile-route-quotas.ts'
import { judgedMembers } from './judged-members.ts'
import { isObserved } from './finding.ts'
import type { ConfigPath, Mistake } from './mistake.ts'
import { compilePrincipalJson, compilePrincipalTemplate, PrincipalTemplateError, type PrincipalTemplate } from './principal-template.ts'
import type { RouteContext, RoutesInput } from './route-context.ts'
import type { Config, RouteConfig } from './schema.ts'
import { route as routeSchema } from './schema.ts'

/** A value, or undefined and a mistake at `path`, when building it says why it cannot be. */
function attempt<T>(build: () => T, path: ConfigPath, mistakes: Mistake[]): T | undefined {
  try {
    return build()
  } catch (error) {
    if (!(error instanceof CidrError || error instanceof CorsMistake || error instanceof PrincipalTemplateError)) throw error
    mistakes.push({ path, message: error.message })
    return undefined
  }
}

const networks = (entries: readonly string[] | undefined, path: ConfigPath, mistakes: Mistake[]): CidrSet | undefined =>
  entries === undefined || entries.length === 0 ? undefined : attempt(() => createCidrSet(entries), path, mistakes)

const corsOf = (cors: Config['cors'], path: ConfigPath, mistakes: Mistake[]): CorsPolicy | undefined => cors && attempt(() => createCorsPolicy(cors), path, mistakes)

function requirementsOf({ scopes, roles, claims, min_tier }: RouteConfig, tierRanks: ReadonlyMap<string, number>): Requirements {
  return { scopes, roles, claims: Object.entries(claims).map(([path, values]) => ({ path: path.split('.'), values })), ...(min_tier !== undefined && { minTier: min_tier }), tierRanks }
}

function identityOf(config: RouteConfig, path: ConfigPath, context: RouteContext): (readonly [string, PrincipalTemplate])[] {
  const global = Object.entries(context.config.identity ?? { 'X-User-Id': 'sub' }).map(([name, text]) => [name, text, ['identity', name]] as const)
  const own = Object.entries(config.identity ?? {}).map(([name, text]) => [name, text, [...path, 'identity', name]] as const)
  const merged = new Map([...global, ...own].map((entry) => [entry[0].toLowerCase(), entry]))
  return [...merged.values()].flatMap(([name, text, at]) => {
    const template = attempt(() => compilePrincipalTemplate(text, context.names), at, context.mistakes)
    return template ? [[name, template] as const] : []
  })
}

function mutatorsOf(config: RouteConfig, path: ConfigPath, authentication: RouteAuthentication, context: RouteContext): Mutator[] {
  const identity = createIdentityMutator(identityOf(config, path, context), context.config.anonymous_identity === 'empty')
  if (authentication.mode === 'none') return [identity]
  // What serves a model must not be able to use the client's token elsewhere (MCP forbids passing tokens through).
  const forwarded = authentication.uses.map(({ authenticator }) => (config.mcp ? { ...authenticator, forwardCredential: 'strip' as const } : authenticator))
  return [createCredentialMutator(forwarded), identity]
}

function rewriteOf({ rewrite }: RouteConfig): ((path: string) => string) | undefined {
  if (!rewrite) return undefined
  const { path, strip_prefix = '', add_prefix = '' } = rewrite
  if (path !== undefined) return () => path
  return (judged) => {
    const rest = judged === strip_prefix || judged.startsWith(`${strip_prefix}/`) ? judged.slice(strip_prefix.length) : judged
    return `${add_prefix}${rest.startsWith('/') ? rest : `/${rest}`}`
  }
}

function answerOf({ respond }: RouteConfig, path: ConfigPath, context: RouteContext): Route['answer'] {
  if (!respond) return undefined
  const template = attempt(() => compilePrincipalJson(respond.json, context.names), [...path, 'respond', 'json'], context.mistakes)
  const headers = [['Content-Type', 'application/json'], ['Cache-Control', 'no-store']] as const
  return template && ((_request, principals) => ({ status: respond.status, headers, body: JSON.stringify(template(principals)) }))
}

/** The name in metrics and audit: what the operator wrote, else methods and first path. */
const idOf = ({ name, match: { methods, path } }: RouteConfig): string => name ?? [methods?.join(','), path[0]].filter((part) => part !== undefined && part !== '').join(' ')

function compileRoute(config: RouteConfig, path: ConfigPath, context: RouteContext): Route {
  const { config: global, mistakes, upstreams } = context
  const id = idOf(config)
  const authentication = compileAuthentication(config.auth, context)
  const guarded = authentication.mode !== 'none'
  const quotas = quotasOf(config, path, id, guarded, context)
  const allowedNetworks = networks(config.allowed_networks ?? global.allowed_networks, config.allowed_networks ? [...path, 'allowed_networks'] : ['allowed_networks'], mistakes)
  const deniedNetworks = networks(config.denied_networks ?? global.denied_networks, config.denied_networks ? [...path, 'denied_networks'] : ['denied_networks'], mistakes)
  const body = compileBody(config.body, [...path, 'body'], context.names, mistakes)
  const cors = corsOf(config.cors ?? global.cors, config.cors ? [...path, 'cors'] : ['cors'], mistakes)
  const rewrite = rewriteOf(config)
  const answer = answerOf(config, path, context)
  return {
    id,
    ...(allowedNetworks && { allowedNetworks }),
    ...(deniedNetworks && { deniedNetworks }),
    requireHttps: config.require_https ?? global.require_https,
    authentication,
    challenges: challengesOf(authentication, config.mcp),
    requirements: requirementsOf(config, context.tierRanks),
    csrf: { origins: new Set([...global.csrf.origins, ...(config.csrf?.origins ?? []), ...(global.public_url === undefined ? [] : [new URL(global.public_url).origin])]) },
    clientQuotas: quotas.client,
    principalQuotas: quotas.principal,
    failureQuotas: authentication.mode === 'none' ? [] : failureQuotas(context, authentication.uses),
    mutators: mutatorsOf(config, path, authentication, context),
    ...(body && { body: { ...body, members: judgedMembers(config, global) } }),
    ...(cors && { cors }),
    ...(answer && { answer }),
    ...(config.deny && { deny: config.deny }),
    upstreamId: config.upstream ?? upstreams[0] ?? '',
    ...(rewrite && { rewrite }),
    requestHeaders: { set: Object.entries(config.request_headers?.set ?? {}), remove: (config.request_headers?.remove ?? []).map((name) => name.toLowerCase()) },
    maxBodyBytes: config.max_body ?? global.max_body,
    observe: isObserved(config, global),
  }
}

const queryOf = (query: RouteConfig['match']['query']): QueryConstraint | undefined => query && new Map(Object.entries(query).map(([name, values]) => [name, new Set(values)]))

function entriesOf(config: RouteConfig, route: Route): RouteEntry[] {
  const { path, methods, host, query } = config.match
  const constraint = queryOf(query)
  return path.flatMap((pattern) =>
    (host ?? [undefined]).map((name) => ({
      pattern,
      route,
      ...(methods && { methods: new Set(methods.map((method) => method.toUpperCase())) }),
      ...(name !== undefined && { host: name.toLowerCase() }),
      ...(constraint && { query: constraint }),
    })),
  )
}

/** Names of the routes that a config writes, in its order: what `public` adds, then `routes`, or the one that stands for none. */
export const routeNames = ({ public: open, routes }: Pick<Config, 'public' | 'routes'>): readonly string[] =>
  [...new Set([...open.map(publicRoute), ...(routes ?? [DEFAULT_ROUTE])].map(idOf))]

/** Governs what no route matches, in a gateway that only observes: an open route of the default upstream, which is what there would be without Postern. */
export function unmatchedRoute(input: RoutesInput): Route | undefined {
  const { config: { observe, mode }, upstreams } = input
  const passable = observe && (upstreams.length > 0 || mode === 'forward_auth')
  return passable ? compileRoute(routeSchema.parse({ name: 'unmatched', auth: 'none', rate_limit: 'none' }), ['routes'], contextOf(input)) : undefined
}

const DEFAULT_ROUTE = routeSchema.parse({ name: 'default' })

/** A route of the config's short form: `GET /healthz`, or a path for every method. */
function publicRoute(text: string): RouteConfig {
  const [first = '', second] = text.split(/\s+/)
  return routeSchema.parse(second === undefined ? { match: { path: first }, auth: 'none' } : { match: { path: second, methods: first }, auth: 'none' })
}

/** The people of one Supabase project are the same, whichever entry of the config checked them: the first one counts them all. */
function countedAs({ authenticators = {} }: Config): ReadonlyMap<string, string> {
  const byProject = new Map<string, string>()
  const found = new Map<string, string>()
  for (const [id, each] of Object.entries(authenticators)) {
    if (each.type !== 'supabase' || each.url === undefined) continue
    const first = byProject.get(each.url) ?? id
    byProject.set(each.url, first)
    if (first !== id) found.set(id, first)
  }
  return found
}

function contextOf(input: RoutesInput): RouteContext {
  const { config } = input
  return {
    ...input,
    names: new Set(Object.keys(config.authenticators ?? {})),
    // Those that are off included: a limit of theirs is no mistake, it has nobody to count.
    countedAs: countedAs(config),
    kinds: new Map(Object.entries(config.authenticators ?? {}).map(([id, { type }]) => [id, type])),
    tierRanks: new Map(Object.keys(config.tiers ?? {}).map((tier, rank) => [tier, rank])),
  }
}

/** All entries of the table: what is written, what `public` adds, and one guarded route for everything when none is written. */
export function compileRoutes(input: RoutesInput): RouteEntry[] {
  const { config } = input
  const context = contextOf(input)
  const written = config.routes ?? [DEFAULT_ROUTE]
  const compiled = [...config.public.map((text, index) => [publicRoute(text), ['public', index]] as const), ...written.map((route, index) => [route, ['routes', index]] as const)]
  const entries = compiled.flatMap(([route, path]) => entriesOf(route, compileRoute(route, path, context)))
  const base = (id: string): Route => compileRoute(routeSchema.parse({ name: id, auth: 'none' }), ['routes'], context)
  const build = (route: RouteConfig, path: ConfigPath): Route => compileRoute(route, path, context)
  const own = input.resources ? [...selfServiceRoutes(config, input.resources, input.mistakes, build), ...logoutRoutes(config, input.resources, input.mistakes, build)] : []
  return [...entries, ...own, ...metadataRoutes(written.flatMap(({ mcp }) => (mcp ? [mcp] : [])), base)]
}
