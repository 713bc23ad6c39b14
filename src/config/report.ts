import { isGuarded, isObserved, usesOf } from './finding.ts'
import { clientAddress } from './check-config.ts'
import { checksAddress, checksTls } from './check-listeners.ts'
import { answersChecks } from './check-forward-auth.ts'
import type { LoadedConfig } from './load.ts'
import { pathText, type PlacedMistake } from './mistake.ts'
import type { Address } from './scalars.ts'
import type { AuthenticatorConfig, Config, QuotaConfig, RouteConfig } from './schema.ts'

export interface ReportStyle {
  /** ANSI colours. */
  readonly color?: boolean
  /** What a start would do to the key stores, a line each. */
  readonly stores?: readonly string[]
}

const RED = '31'
const YELLOW = '33'
const BOLD = '1'

const painter = ({ color = false }: ReportStyle) => (code: string, text: string): string => (color ? `\u001B[${code}m${text}\u001B[0m` : text)

const whereOf = ({ file, line, column }: PlacedMistake): string => (line === 0 ? file : `${file}:${line}:${column}`)

const textOf = ({ path, message }: PlacedMistake): string => (path.length === 0 ? message : `${pathText(path)}: ${message}`)

const plural = (count: number, word: string): string => `${count} ${word}${count === 1 ? '' : 's'}`

/** Control characters of a config must not reach a terminal. */
// oxlint-disable-next-line no-control-regex -- they are what is looked for
const printable = (text: string): string => text.replaceAll(/[\u0000-\u001F\u007F-\u009F]/g, (character) => `\\x${(character.codePointAt(0) ?? 0).toString(16).padStart(2, '0')}`)

/** Lines of mistakes or warnings, places in one column. No newline at the end. */
export function formatList(mistakes: readonly PlacedMistake[]): string {
  const places = mistakes.map(whereOf)
  const width = Math.max(0, ...places.map(({ length }) => length))
  return mistakes.map((mistake, index) => printable(`${(places[index] ?? '').padEnd(width)}  ${textOf(mistake)}`)).join('\n')
}

/** What `check` and `run` print about a config that was not taken, with a newline at the end. */
export function formatMistakes(mistakes: readonly PlacedMistake[], style: ReportStyle = {}): string {
  return `${formatList(mistakes)}\n${painter(style)(RED, `${plural(mistakes.length, 'error')}. Nothing was started.`)}\n`
}

const addressText = ({ host, port, path }: Address): string => (path === undefined ? `${host.includes(':') ? `[${host}]` : host}:${port}` : `unix:${path}`)

/** What `check` prints about a good config: what listens, who is let in, what the upstream learns, what is open. With a newline at the end. */
export function formatSummary(loaded: LoadedConfig, style: ReportStyle = {}): string {
  const { config, file, revision, warnings } = loaded
  const paint = painter(style)
  const head = `${paint(BOLD, file)}  version ${config.version}, sha256 ${revision.slice(0, 12)}, 0 errors, ${plural(warnings.length, 'warning')}`
  const sections: readonly (readonly [string, readonly string[]])[] = [
    ['observe', config.observe ? ['ON: refusals are counted and logged, not enforced'] : []],
    ['listen', [`${addressText(clientAddress(config))}${'host' in config.listen ? '' : config.listen.tls ? ' (TLS)' : ''}      ops ${config.ops === 'off' ? 'off' : addressText(config.ops)}`]],
    ['checks', forwardAuthOf(config)],
    ['upstream', Object.entries(config.upstreams ?? {}).map(([name, { url }]) => `${loaded.isSecret(['upstreams', name, 'url']) ? urlShown(url) : url}${name === 'default' ? '' : `   ${name}`}`)],
    ['auth', authenticatorsOf(config)],
    ['order', orderOf(config)],
    ['store', style.stores ?? []],
    ['identity', [Object.entries(config.identity ?? { 'X-User-Id': 'sub' }).map(([header, attribute]) => `${header} ← ${attribute}`).join('    ')]],
    ['public', publicOf(config)],
    ['routes', routesOf(config)],
    ['limits', limitsOf(config)],
    ['networks', networksOf(config)],
    ['https', httpsOf(config)],
    ['client ip', [clientIpText(config)]],
  ]
  const body = sections.flatMap(([title, lines]) => lines.map((line, index) => printable(`  ${(index === 0 ? title : '').padEnd(11)} ${line}`.trimEnd())))
  return `${[head, ...body, ...warnings.map((warning) => paint(YELLOW, wrapped(printable(`! ${whereOf(warning)}  ${textOf(warning)}`))))].join('\n')}\n`
}

const checksText = (listener: Parameters<typeof checksAddress>[0]): string => `${addressText(checksAddress(listener))}${checksTls(listener) ? ' (TLS)' : ''}`

function forwardAuthOf(config: Config): readonly string[] {
  if (!answersChecks(config)) return []
  const { forward_auth, client_ip } = config
  const where = forward_auth?.listen ? checksText(forward_auth.listen) : `on ${addressText(clientAddress(config))}`
  const who = forward_auth?.secret ? 'callers that show the secret' : client_ip.trusted_proxies.join(', ') || 'whoever may open the socket'
  return [`/_postern/forward, /_postern/nginx, /_postern/envoy/ ${where}   for ${who}`, ...(forward_auth?.grpc ? [`ext_authz over gRPC ${checksText(forward_auth.grpc)}`] : [])]
}

const LINE_LENGTH = 100

/** Breaks a long line between words; what follows is indented. */
function wrapped(text: string): string {
  const lines: string[] = []
  for (const word of text.split(' ')) {
    const last = lines.at(-1)
    if (last === undefined || last.length + 1 + word.length > LINE_LENGTH) lines.push(last === undefined ? word : `  ${word}`)
    else lines[lines.length - 1] = `${last} ${word}`
  }
  return lines.join('\n')
}

/** A URL that came from a variable is shown without anything but its origin, the upstream being no secret. */
const urlShown = (url: string): string => (URL.canParse(url) && !url.startsWith('unix:') ? new URL(url).origin : url)

function describe(authenticator: AuthenticatorConfig): string {
  switch (authenticator.type) {
    case 'jwt': {
      const issuers = authenticator.issuers?.flatMap(({ issuer }) => issuer) ?? authenticator.issuer ?? []
      const algorithms = authenticator.algorithms ?? (authenticator.secret ? ['HS256'] : ['ES256', 'RS256', 'EdDSA'])
      return `${issuers.join(', ') || Object.keys(authenticator.preset ?? {}).join(', ')}   ${algorithms.join(', ')}${authenticator.audience?.length ? `   aud ${authenticator.audience.join(', ')}` : ''}`
    }
    case 'api_key':
      return [usableKeys(authenticator.keys), listedKeys(authenticator.keys_csv), authenticator.file && `keys from ${authenticator.file}`, authenticator.store && authenticator.pepper && 'managed keys'].filter(Boolean).join(', ') || 'no key'
    case 'anonymous':
      return 'lets in whoever sends no credential'
    default:
      return otherKind(authenticator)
  }
}

type ApiKeyConfig = Extract<AuthenticatorConfig, { type: 'api_key' }>

/** A key whose variable is unset is off. */
function usableKeys(keys: ApiKeyConfig['keys'] = []): string | undefined {
  const usable = keys.filter(({ value, sha256 }) => sha256 !== undefined || (value !== undefined && value !== '')).length
  return usable > 0 ? plural(usable, 'key') : undefined
}

function listedKeys(csv = ''): string | undefined {
  const listed = csv.split(',').filter((key) => key.trim() !== '').length
  return listed > 0 ? `${plural(listed, 'key')} from a list` : undefined
}

/** Kinds that have nothing to add to their name and address. */
const otherKind = (authenticator: { readonly type: string; readonly url?: unknown; readonly issuer?: unknown }): string =>
  [authenticator.type, ...[authenticator.url, authenticator.issuer].filter((value) => typeof value === 'string')].join('   ')

function carriersOf(authenticator: AuthenticatorConfig): readonly string[] {
  if (!('in' in authenticator) || !Array.isArray(authenticator.in)) return []
  const carriers: readonly Readonly<Record<string, unknown>>[] = authenticator.in
  return carriers.map((carrier) => ('bearer' in carrier ? 'Authorization: Bearer' : 'header' in carrier ? String(carrier['header']) : `cookie ${String(carrier['cookie'])}`))
}

function authenticatorsOf(config: Config): readonly string[] {
  const entries = Object.entries(config.authenticators ?? {})
  const width = Math.max(12, ...entries.map(([name]) => name.length))
  return entries.map(([name, authenticator], index) => `${index + 1} ${name.padEnd(width)} ${describe(authenticator)}`)
}

function orderOf(config: Config): readonly string[] {
  const carriers = [...new Set(Object.values(config.authenticators ?? {}).flatMap(carriersOf))]
  return carriers.length < 2 ? [] : [`${carriers.join(' → ')}; the first one present decides`]
}

function routesOf(config: Config): readonly string[] {
  const notEnforced = config.observe ? ', were it enforced' : ''
  if (!config.routes) return [`/**   every authenticator, any of them${notEnforced}`]
  const rows = config.routes.flatMap((route) => route.match.path.map((path) => [(route.match.methods ?? ['any']).join(','), path, guardOf(route, config)] as const))
  const widths = [0, 1].map((column) => Math.max(...rows.map((row) => (row[column] ?? '').length)))
  return [...rows.map(([methods, path, guard]) => `${methods.padEnd(widths[0] ?? 0)} ${path.padEnd(widths[1] ?? 0)}   ${guard}`), `everything else is denied${notEnforced}`]
}

function guardOf(route: RouteConfig, config: Config): string {
  if (route.deny) return `denied (${route.deny})`
  const names = usesOf(route.auth, []).map(({ name }) => name)
  const how = route.auth !== undefined && typeof route.auth === 'object' && 'all' in route.auth ? 'all of ' : ''
  const guard = isGuarded(route) ? `${how}${names.join(', ') || 'every authenticator, any of them'}` : 'OPEN to everybody'
  const demands = [...route.scopes.map((scope) => `scope ${scope}`), ...route.roles.map((role) => `role ${role}`), ...(route.min_tier ? [`tier ${route.min_tier}`] : [])]
  return [guard, ...(demands.length > 0 ? [`needs ${demands.join(', ')}`] : []), ...(isObserved(route, config) ? ['only observed, not enforced'] : [])].join('   ')
}

/** What nobody needs a credential for. */
function publicOf(config: Config): readonly string[] {
  const open = (config.routes ?? []).filter((route) => !isGuarded(route) && route.deny === undefined).length
  const parts = [...(config.public.length > 0 ? [config.public.join(', ')] : []), ...(open > 0 ? [`${plural(open, 'route')} with "auth: none", marked OPEN below`] : [])]
  return [parts.join('; ') || 'nothing']
}

const titleOf = ({ name, match }: RouteConfig): string => name ?? [(match.methods ?? []).join(','), match.path.join(', ')].filter((part) => part !== '').join(' ')

/** The general ones first, then those of routes and tiers that have their own. */
function limitsOf({ rate_limit: general, routes = [], tiers = {} }: Config): readonly string[] {
  const own = routes.flatMap((route) => (route.rate_limit === undefined || route.deny !== undefined ? [] : [`on ${titleOf(route)}: ${typeof route.rate_limit === 'string' ? ofTier(route.rate_limit) : route.rate_limit.map(quotaText).join('; ') || 'none'}`]))
  const ofTiers = Object.entries(tiers).flatMap(([tier, { limits }]) => (limits.length > 0 ? [`of tier ${tier}: ${limits.map(quotaText).join('; ')}`] : []))
  return [...(general.length > 0 ? general.map(quotaText) : ['none by default']), ...own, ...ofTiers]
}

const ofTier = (word: 'tier' | 'none'): string => (word === 'tier' ? 'those of the tier' : 'none')

const networkText = (allowed: readonly string[] | undefined, denied: readonly string[] | undefined): readonly string[] => [
  ...(allowed && allowed.length > 0 ? [`only ${allowed.join(', ')}`] : []),
  ...(denied && denied.length > 0 ? [`never ${denied.join(', ')}`] : []),
]

/** Who may ask at all; nothing where everybody may. */
function networksOf({ allowed_networks, denied_networks, routes = [] }: Config): readonly string[] {
  const own = routes.flatMap((route) => {
    const text = networkText(route.allowed_networks, route.denied_networks)
    return text.length > 0 ? [`on ${titleOf(route)}: ${text.join(', ')}`] : []
  })
  const general = networkText(allowed_networks, denied_networks)
  return [...(general.length > 0 ? [general.join(', ')] : []), ...own]
}

function httpsOf({ require_https: required, routes = [] }: Config): readonly string[] {
  const own = routes.flatMap((route) => (route.require_https === undefined || route.require_https === required ? [] : [`${route.require_https ? 'required' : 'not required'} on ${titleOf(route)}`]))
  return required ? [['required', ...own].join(', ')] : own.length > 0 ? [own.join(', ')] : []
}

function quotaText({ name, limit, window, key, burst, shadow }: QuotaConfig): string {
  const [quota, windowMs] = typeof limit === 'number' ? [limit, window ?? 0] : [limit.quota, limit.windowMs]
  return `${name} ${quota} per ${durationText(windowMs)} by ${key}${burst === undefined ? '' : `, burst ${burst}`}${shadow ? ', counted only' : ''}`
}

const UNITS = [['d', 86_400_000], ['h', 3_600_000], ['m', 60_000], ['s', 1_000]] as const

const PERIODS = new Map([[1_000, 'second'], [60_000, 'minute'], [3_600_000, 'hour'], [86_400_000, 'day']])

function durationText(ms: number): string {
  const period = PERIODS.get(ms)
  if (period !== undefined) return period
  const [unit, length] = UNITS.find(([, size]) => ms >= size && ms % size === 0) ?? ['ms', 1]
  return `${ms / length} ${unit}`
}

function clientIpText({ client_ip }: Config): string {
  if (client_ip.trusted_proxies.length === 0) return 'taken from the TCP connection'
  return `${client_ip.header.join(', ')} when it comes from ${client_ip.trusted_proxies.join(', ')}, otherwise the TCP connection`
}
