import { applyPreset } from '../../config/apply-preset.ts'
import type { Compiled } from '../../config/compile.ts'
import { familiesOf } from '../../config/compile-sessions.ts'
import type { AuthenticatorConfig, Config } from '../../config/schema.ts'
import type { SessionFamily } from '../../authenticators/session.ts'

type KindOf<T extends AuthenticatorConfig['type']> = Extract<AuthenticatorConfig, { readonly type: T }>
type JwtIssuerConfig = NonNullable<KindOf<'jwt'>['issuers']>[number]

/** Where a credential is put. */
export type Place = KindOf<'api_key'>['in'][number]

/** What a good token of one issuer is, by the config that judges it. */
export interface TokenIssuer {
  readonly authenticator: string
  /** Spellings of `iss`; the first is used. Empty for opaque tokens. */
  readonly names: readonly string[]
  readonly kind: 'jwt' | 'opaque'
  readonly algorithms: readonly string[]
  /** For HS256. */
  readonly secret?: string
  readonly typ: string
  /** Claims of a good token besides iss, sub and the times. */
  readonly claims: Readonly<Record<string, unknown>>
  readonly places: readonly Place[]
}

/** An authenticator of API keys. */
export interface KeyHolder {
  readonly authenticator: string
  readonly places: readonly Place[]
  /** Plain keys of the config, by id. */
  readonly keys: ReadonlyMap<string, string>
}

/** An authenticator whose session cookies can be sealed here. */
export interface SessionIssuer {
  readonly authenticator: string
  readonly secret: string
  readonly family: SessionFamily
}

/** What credentials can be made for a config, and of whom none can. */
export interface Facts {
  readonly issuers: readonly TokenIssuer[]
  readonly holders: readonly KeyHolder[]
  readonly sessions: readonly SessionIssuer[]
  /** Authenticator to why nothing can be made for it. */
  readonly without: ReadonlyMap<string, string>
}

/** Sets `/a/b` or `name` in a copy. */
function withClaim(claims: Record<string, unknown>, name: string, value: unknown): Record<string, unknown> {
  const [first = '', ...rest] = name.startsWith('/') ? name.slice(1).split('/').map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~')) : [name]
  if (rest.length === 0) return { ...claims, [first]: value }
  const inner = claims[first]
  const map = typeof inner === 'object' && inner !== null && !Array.isArray(inner) ? { ...inner } : {}
  return { ...claims, [first]: withClaim(map, `/${rest.map((part) => part.replaceAll('~', '~0').replaceAll('/', '~1')).join('/')}`, value) }
}

const constrained = (constraints: Readonly<Record<string, readonly string[]>> | undefined): Record<string, unknown> =>
  Object.entries(constraints ?? {}).reduce<Record<string, unknown>>((claims, [name, values]) => withClaim(claims, name, values.find((value) => value !== '')), {})

const audienceOf = (audience: readonly string[] | undefined): Record<string, unknown> => (audience?.[0] === undefined ? {} : { aud: audience[0] })

const filled = (values: readonly string[] | undefined): readonly string[] => (values ?? []).filter((value) => value !== '')

function jwtIssuer(authenticator: string, written: JwtIssuerConfig, { typ, in: places }: KindOf<'jwt'>): TokenIssuer {
  const [secret] = filled(written.secret)
  const rfc9068 = typ === 'rfc9068'
  return {
    authenticator, kind: 'jwt', places, names: filled(written.issuer), typ: rfc9068 ? 'at+jwt' : 'JWT',
    algorithms: written.algorithms ?? (secret === undefined ? ['ES256', 'RS256', 'EdDSA'] : ['HS256']),
    ...(secret !== undefined && { secret }),
    claims: { ...(rfc9068 && { client_id: 'policy-test', jti: 'policy-test' }), ...audienceOf(written.audience), ...constrained(written.claims) },
  }
}

function jwtIssuers(authenticator: string, config: KindOf<'jwt'>): readonly TokenIssuer[] {
  const { jwt } = applyPreset(config)
  const all = [...(jwt.issuer ? [{ ...jwt, issuer: jwt.issuer }] : []), ...(jwt.issuers ?? [])]
  return all.map((written) => jwtIssuer(authenticator, written, jwt)).filter(({ names }) => names.length > 0)
}

function supabaseIssuer(authenticator: string, { issuer, url, audience, role, algorithms, legacy_secret, in: places }: KindOf<'supabase'>): TokenIssuer {
  const [secret] = filled(legacy_secret)
  return {
    authenticator, kind: 'jwt', typ: 'JWT', names: issuer ?? [`${url.replace(/\/$/, '')}/auth/v1`],
    algorithms: [...algorithms, ...(secret === undefined ? [] : ['HS256'])],
    ...(secret !== undefined && { secret }),
    claims: { ...audienceOf(audience), role: role[0], session_id: 'policy-test', is_anonymous: false },
    places: places.filter((place) => !('cookie' in place && place.cookie === 'auto')),
  }
}

const introspectionIssuer = (authenticator: string, { issuer, url, audience, claims, in: places }: KindOf<'introspection'>): TokenIssuer =>
  ({ authenticator, kind: 'opaque', names: filled([issuer ?? '', url ?? '']), typ: '', algorithms: [], claims: { ...audienceOf(audience), ...constrained(claims) }, places })

const holderOf = (authenticator: string, { in: places, keys = [] }: KindOf<'api_key'>): KeyHolder =>
  ({ authenticator, places, keys: new Map(keys.flatMap(({ id, value }) => (id !== undefined && value !== undefined && value !== '' ? [[id, value] as const] : []))) })

function sessionOf(authenticator: string, config: KindOf<'session'>): SessionIssuer | undefined {
  const [secret] = filled(config.secrets)
  const [family] = familiesOf(config)
  return config.provider === 'better_auth' || secret === undefined || family === undefined ? undefined : { authenticator, secret, family }
}

/** What can be made for one authenticator that is on. */
function factsOf(name: string, config: AuthenticatorConfig): Partial<Omit<Facts, 'without'>> | string {
  switch (config.type) {
    case 'jwt':
      return { issuers: jwtIssuers(name, config) }
    case 'supabase':
      return { issuers: [supabaseIssuer(name, config)] }
    case 'introspection':
      return { issuers: [introspectionIssuer(name, config)] }
    case 'api_key':
      return { holders: [holderOf(name, config)] }
    case 'session': {
      const session = sessionOf(name, config)
      return session ? { sessions: [session] } : 'its application is asked about every session, and no application is there in a policy test'
    }
    case 'remote':
      return 'it asks another service about every credential, and nobody is asked in a policy test'
    case 'anonymous':
      return 'it takes no credential'
  }
}

/** Gathers them from a config that was compiled; what is off, or lacks settings, gives nothing. */
export function gatherFacts({ authenticators = {} }: Pick<Config, 'authenticators'>, { authenticators: on }: Pick<Compiled, 'authenticators'>): Facts {
  const found = Object.entries(authenticators).map(([name, config]) => [name, on.has(name) ? factsOf(name, config) : 'it is off: the variables that feed it are empty'] as const)
  const made = found.flatMap(([, facts]) => (typeof facts === 'string' ? [] : [facts]))
  return {
    issuers: made.flatMap(({ issuers = [] }) => issuers),
    holders: made.flatMap(({ holders = [] }) => holders),
    sessions: made.flatMap(({ sessions = [] }) => sessions),
    without: new Map(found.flatMap(([name, facts]) => (typeof facts === 'string' ? [[name, facts] as const] : []))),
  }
}
