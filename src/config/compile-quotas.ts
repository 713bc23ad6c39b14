import { hmacSha256 } from '../base/bytes.ts'
import type { AuthenticatorKind } from '../model/ports.ts'
import type { Principal, Principals } from '../model/principal.ts'
import type { QuotaPolicy, QuotaRule } from '../model/quota.ts'
import type { RequestDescription } from '../model/request.ts'
import { queryValues } from '../pipeline/match-route.ts'
import type { ConfigPath, Mistake } from './mistake.ts'
import type { QuotaConfig } from './schema.ts'

type PartitionOf = QuotaRule['partitionOf']

/** Which stage spends it: before authentication, or after authorization. */
export interface CompiledQuota { readonly stage: 'client' | 'principal'; readonly rule: QuotaRule }

export interface QuotaContext {
  readonly kinds: ReadonlyMap<string, AuthenticatorKind>
  /** Authenticators whose people are counted as those of another one. */
  readonly countedAs: ReadonlyMap<string, string>
  readonly routeId: string
  /** Secret of this process for hashing values that must not be kept in clear. */
  readonly partitionSecret: Uint8Array
  readonly mistakes: Mistake[]
}

const byAddress = (request: RequestDescription): string => `ip:${request.client.partition}`

/** An anonymous principal is counted by its address. The id of the authenticator keeps equal subjects of different issuers apart. */
function byPrincipal({ countedAs }: QuotaContext, request: RequestDescription, principal: Principal | undefined): string {
  if (principal?.kind !== 'identified') return byAddress(request)
  const { authenticatorId, subject } = principal
  return `principal:${countedAs.get(authenticatorId) ?? authenticatorId}:${subject}`
}

/** Keys count one by one; tokens change all the time, so their owner counts. */
function byCredential(context: QuotaContext, request: RequestDescription, principal: Principal | undefined): string {
  if (principal?.kind !== 'identified' || context.kinds.get(principal.authenticatorId) !== 'api_key') return byPrincipal(context, request, principal)
  return `credential:${principal.authenticatorId}:${principal.credentialId ?? principal.subject}`
}

/** A header says who shares a counter only when a trusted proxy stands behind it; anybody else is counted by address. */
function byHeader(name: string): PartitionOf {
  return (request) => {
    const values = request.client.trustedHops > 0 ? request.headers.get(name) : undefined
    return values?.length === 1 ? `header:${name}:${values[0]}` : byAddress(request)
  }
}

/** What loose upstreams make of a value where they expect text: a list of one is its member, a number its digits. Empty: nothing. */
function looseText(value: unknown): string {
  if (value === undefined || value === null) return ''
  if (Array.isArray(value) && value.length <= 1) return looseText(value[0])
  return typeof value === 'object' ? JSON.stringify(value) : String(value)
}

/** A member of the body, such as a login's e-mail address: kept only as a keyed hash. */
function byBody(key: string, secret: Uint8Array): PartitionOf {
  const [path = '', ...filters] = key.split('|')
  const names = path.split('.')
  return (request) => {
    let value = request.body?.value
    for (const name of names) value = typeof value === 'object' && value !== null && Object.hasOwn(value, name) ? (value as Readonly<Record<string, unknown>>)[name] : undefined
    const text = looseText(value)
    if (text === '') return undefined
    const folded = filters.includes('lower') ? text.trim().toLowerCase() : text
    return `body:${path}:${hmacSha256(secret, folded).toString('base64url')}`
  }
}

const CLIENT_KEYS: ReadonlySet<string> = new Set(['client_ip', 'ip', 'route'])

function partitionOf(key: string, context: QuotaContext): PartitionOf | undefined {
  const { kinds, routeId, partitionSecret } = context
  if (key === 'client_ip' || key === 'ip') return byAddress
  if (key === 'route') return () => `route:${routeId}`
  if (key === 'principal' || key === 'user') return (request, principals) => byPrincipal(context, request, principals?.primary)
  if (key === 'credential' || key === 'api_key') return (request, principals) => byCredential(context, request, principals?.primary)
  if (key.startsWith('header:')) return byHeader(key.slice('header:'.length).toLowerCase())
  if (key.startsWith('body.')) return byBody(key.slice('body.'.length), partitionSecret)
  const [, id, what] = /^(.+)\.(id|principal)$/.exec(key) ?? []
  if (id === undefined || !kinds.has(id)) return undefined
  return (request, principals) => {
    const principal = principals?.byAuthenticator.get(id)
    if (principal?.kind !== 'identified') return undefined
    return what === 'id' ? byCredential(context, request, principal) : byPrincipal(context, request, principal)
  }
}

const STEADY_KEYS: ReadonlySet<string> = new Set(['client_ip', 'ip', 'route', 'principal', 'user', 'credential', 'api_key'])

/**
 * Whether a partition follows from the fields, the client and the principals alone (`QuotaRule.steady`): a quota that is remembered as steady and is not
 * would be spent for somebody else. So what is not listed is not.
 */
const isSteady = ({ key, when }: QuotaConfig): boolean =>
  typeof when !== 'object' && (STEADY_KEYS.has(key) || key.startsWith('header:') || (!key.startsWith('body.') && /\.(id|principal)$/.test(key)))

/** The conditions under which a rule applies at all. */
function applies({ when, skip }: QuotaConfig): (request: RequestDescription, principals?: Principals) => boolean {
  const exempt = new Set(skip ?? [])
  const query = typeof when === 'object' ? Object.entries(when).map(([name, values]) => [name.replace(/^query\./, ''), values] as const) : []
  return (request, principals) => {
    const primary = principals?.primary
    if (when === 'anonymous' && primary?.kind === 'identified') return false
    if (when === 'identified' && primary?.kind !== 'identified') return false
    if (primary && exempt.has(primary.authenticatorId)) return false
    // A query that cannot be read in one way counts: the upstream may read it as the one that is meant.
    return query.every(([name, values]) => queryValues(request.target.query, name)?.some((value) => values.includes(value)) ?? true)
  }
}

function windowOf({ limit, window }: QuotaConfig): { readonly quota: number; readonly windowMs: number } | undefined {
  if (typeof limit === 'object') return window === undefined ? limit : undefined
  return window === undefined ? undefined : { quota: limit, windowMs: window }
}

/** The policy of one config entry. `namespace` separates tiers that use the same names. */
export function compilePolicy(config: QuotaConfig, namespace: string): QuotaPolicy | undefined {
  const size = windowOf(config)
  if (!size) return undefined
  return {
    id: namespace === '' ? config.name : `${namespace}/${config.name}`,
    name: config.name,
    ...size,
    algorithm: config.algorithm ?? (config.burst === undefined ? 'fixed' : 'gcra'),
    ...(config.burst !== undefined && { burst: config.burst }),
    onUnavailable: config.on_store_error,
    shadow: config.shadow,
    reported: config.report === 'legacy',
  }
}

/** One quota of a route: the policy, who shares its counter, and the stage that spends it. */
export function compileQuota(config: QuotaConfig, path: ConfigPath, context: QuotaContext, namespace = ''): CompiledQuota | undefined {
  const policy = compilePolicy(config, namespace)
  const partition = partitionOf(config.key, context)
  if (!policy) context.mistakes.push({ path: [...path, 'limit'], message: 'expected a rate such as "100/minute", or a number together with `window`' })
  if (!partition) context.mistakes.push({ path: [...path, 'key'], message: `${JSON.stringify(config.key)} – expected client_ip, principal, credential, route, header:<name>, body.<path> or <authenticator>.id` })
  if (!policy || !partition) return undefined
  const relevant = applies(config)
  const beforeAuthentication = (CLIENT_KEYS.has(config.key) || config.key.startsWith('header:') || config.key.startsWith('body.')) && typeof config.when !== 'string' && config.skip === undefined
  return {
    stage: beforeAuthentication ? 'client' : 'principal',
    rule: { policy, cost: config.cost, steady: isSteady(config), partitionOf: (request, principals) => (relevant(request, principals) ? partition(request, principals) : undefined) },
  }
}
