import type { DecisionPoint } from '../model/decision.ts'
import type { Gateway, WireSettings } from '../model/gateway.ts'
import type { Limiter } from '../model/ports.ts'
import type { Route } from '../model/route.ts'
import { CidrError, createCidrSet } from '../base/cidr.ts'
import { createDecisionPoint } from '../pipeline/decide.ts'
import { failClosed } from '../pipeline/fail-closed.ts'
import { observeOnly } from '../pipeline/observe-only.ts'
import { createRouteTable, type RouteConflict } from '../pipeline/route-table.ts'
import { createCorsPolicy } from '../wire/cors.ts'
import { createOwnedHeaders } from '../wire/headers.ts'
import { errorSettings, ErrorSettingsError } from '../wire/reply.ts'
import { adminWire, compileAdmin, type CompiledAdmin } from './compile-admin.ts'
import { compileAuthenticators, type CompiledAuthenticators } from './compile-authenticators.ts'
import { compileForwardAuth } from './compile-forward-auth.ts'
import { compileLimits, type CompiledLimits } from './compile-limits.ts'
import { compileRoutes, unmatchedRoute } from './compile-routes.ts'
import { compileUpstreams } from './compile-upstreams.ts'
import { ConfigError, type Mistake } from './mistake.ts'
import type { Resources } from './resources.ts'
import type { Config } from './schema.ts'

export interface CompileOptions {
  /** Answers carry reason and hint (dev mode). */
  readonly explain?: boolean
  /** Instead of the configured one; `explain` brings a limiter that only looks. */
  readonly limiter?: Limiter
  readonly revision?: string
}

export interface Compiled {
  readonly gateway: Gateway
  /** What guards the admin listener, when there is one. */
  readonly admin?: CompiledAdmin & { readonly wire: WireSettings }
  readonly warnings: readonly Mistake[]
  /** Key sources and the like; each is tried once before Postern is ready. */
  readonly providers: CompiledAuthenticators['readiness']
  readonly authenticators: CompiledAuthenticators['authenticators']
  /** Counters, for operators; and the store that they are in, when they are shared. */
  readonly limits: Pick<CompiledLimits, 'counters' | 'limiter' | 'store'>
}

const TYPE_BASE = 'https://postern.example/errors/'

/** Names that this config lets Postern write, on any route, and those in which services name users: read here, never sent on as they came. */
function identityNames(config: Config): string[] {
  const asserted = Object.values(config.authenticators ?? {}).flatMap((each) => (each.type === 'api_key' && each.subject ? [each.subject.from_header] : []))
  return [...Object.keys(config.identity ?? { 'X-User-Id': 'sub' }), ...(config.routes ?? []).flatMap(({ identity }) => Object.keys(identity ?? {})), ...asserted]
}

function credentialNames({ authenticators }: CompiledAuthenticators): string[] {
  return [...authenticators.values()].flatMap(({ authenticator }) => authenticator.carriers.filter((carrier) => carrier.kind === 'header').map((carrier) => carrier.name))
}

function trusted(config: Config, mistakes: Mistake[]): WireSettings['trustedProxies'] {
  const entries = config.client_ip.trusted_proxies
  try {
    // `unix` is not a network: it stands for the peers of a unix listener.
    return { ...createCidrSet(entries.filter((entry) => entry !== 'unix')), entries }
  } catch (error) {
    if (!(error instanceof CidrError)) throw error
    mistakes.push({ path: ['client_ip', 'trusted_proxies'], message: error.message })
    return createCidrSet([])
  }
}

function compileErrors(config: Config, explain: boolean, mistakes: Mistake[]): WireSettings['errors'] {
  const base = { explain, typeBase: TYPE_BASE }
  try {
    return errorSettings({ errors: config.errors, authenticators: config.authenticators as Parameters<typeof errorSettings>[0]['authenticators'], ...base })
  } catch (error) {
    if (!(error instanceof ErrorSettingsError)) throw error
    mistakes.push(...error.mistakes)
    return errorSettings({ errors: { codes: {} }, ...base })
  }
}

function compileWire(config: Config, authenticators: CompiledAuthenticators, explain: boolean, mistakes: Mistake[]): WireSettings {
  return {
    trustedProxies: trusted(config, mistakes),
    clientIpHeaders: config.client_ip.header,
    owned: createOwnedHeaders({ identity: identityNames(config), strip: config.forward.strip, credentials: credentialNames(authenticators) }),
    aliasHeaders: config.alias_headers,
    errors: compileErrors(config, explain, mistakes),
    rateLimitFields: config.rate_limit_headers,
    ...(config.cors && { cors: createCorsPolicy(config.cors) }),
    via: config.forward.via,
    tracing: config.tracing.enabled,
    realm: 'postern',
  }
}

function conflictMistake({ first, second }: RouteConflict): Mistake {
  return { path: ['routes'], message: `"${first.route.id}" and "${second.route.id}" both match ${second.pattern} and nothing says which one governs; give one of them methods or a query that the other lacks` }
}

function pointOf(point: DecisionPoint, { config, resources, unmatched }: { readonly config: Config; readonly resources: Resources; readonly unmatched: Route | undefined }): DecisionPoint {
  const observing = config.observe || (config.routes ?? []).some(({ mode }) => mode === 'observe')
  return failClosed(observing ? observeOnly(point, unmatched) : point, (error) => {
    resources.observer.faulted(error)
  })
}

/**
 * Turns a parsed config into functions and sets, and throws the config away. Never validates what `parse` did.
 *
 * @throws {ConfigError} with every name that does not resolve and every pair of routes that conflict
 */
export function compile(config: Config, resources: Resources, options: CompileOptions = {}): Compiled {
  const mistakes: Mistake[] = []
  const authenticators = compileAuthenticators(config, resources, mistakes)
  const upstreams = compileUpstreams(config, mistakes)
  const limits = compileLimits(config, resources, mistakes, options.limiter)
  const input = { config, authenticators: authenticators.authenticators, upstreams: [...upstreams.keys()], partitionSecret: limits.partitionSecret, resources, mistakes }
  const entries = compileRoutes(input)
  const unmatched = unmatchedRoute(input)
  const { table, conflicts } = createRouteTable(entries)
  mistakes.push(...conflicts.map(conflictMistake))
  const admin = compileAdmin(input, limits.limiter)
  const wire = mistakes.length === 0 ? compileWire(config, authenticators, options.explain ?? false, mistakes) : undefined
  if (!wire || mistakes.length > 0) throw new ConfigError(mistakes)
  const forwardAuth = compileForwardAuth(config, [...authenticators.authenticators.values()].map(({ authenticator }) => authenticator))
  const point = createDecisionPoint({ routes: table, limiter: limits.limiter, clock: resources.clock })
  return {
    gateway: { revision: options.revision ?? '', point: pointOf(point, { config, resources, unmatched }), wire, upstreams, ...(forwardAuth && { forwardAuth }), close: async () => undefined },
    ...(admin && { admin: { ...admin, wire: adminWire(wire) } }),
    warnings: authenticators.warnings,
    providers: authenticators.readiness,
    authenticators: authenticators.authenticators,
    limits,
  }
}
