import { createSecretKey } from 'node:crypto'
import { challengeOf } from '../authenticators/carriers.ts'
import { secretFault } from '../authenticators/hmac-secret.ts'
import { createJwtAuthenticator, type JwtIssuer, type VerifiedJwt } from '../authenticators/jwt.ts'
import type { KeySource } from '../authenticators/key-source.ts'
import { supabaseCookieName } from '../authenticators/supabase-cookie.ts'
import { createAskUser } from '../authenticators/supabase-user.ts'
import { createDegradedSupabase, createSupabaseAuthenticator, type LocalVerification, type LocalVerifier, type SupabaseSettings } from '../authenticators/supabase.ts'
import { createVerificationCache } from '../authenticators/verification-cache.ts'
import type { Authenticator } from '../model/ports.ts'
import { awaited, carriersOf, complain, forwardingOf, type AuthenticatorContext } from './authenticator-context.ts'
import { keepKeySource } from './keep-key-source.ts'
import { authorityOf, checkUrl, pointersOf, verdictsOf, warn, type KindOf } from './provider-context.ts'

type SupabaseConfig = KindOf<'supabase'>

const issuerOf = ({ url }: SupabaseConfig): string => `${url.replace(/\/$/, '')}/auth/v1`

const legacySecrets = (config: SupabaseConfig): readonly string[] => (config.legacy_secret ?? []).filter((secret) => secret !== '')

function legacyModeOf(config: SupabaseConfig): 'remote' | 'secret' | 'off' {
  return config.hs256 ?? (legacySecrets(config).length > 0 ? 'secret' : config.api_key === '' ? 'off' : 'remote')
}

/** Settings that only make sense together. */
function check(config: SupabaseConfig, context: AuthenticatorContext): void {
  const { api_key: apiKey, map, verify } = config
  const wantsKey = [verify === 'remote' && 'verify: remote', config.hs256 === 'remote' && verify === 'local' && 'hs256: remote', config.recheck && 'recheck', config.fetch_user && 'fetch_user'].filter((want) => typeof want === 'string')
  if (apiKey === '' && wantsKey.length > 0) complain(context, ['api_key'], `is empty, but ${wantsKey.join(' and ')} must ask the project; set the anon or publishable key`)
  if (config.hs256 === 'secret' && legacySecrets(config).length === 0) complain(context, ['hs256'], 'is "secret", but legacy_secret is empty')
  if (config.audience.length === 0) complain(context, ['audience'], 'is empty; expected what "aud" must hold, usually "authenticated"')
  if (config.role.length === 0) complain(context, ['role'], 'is empty; expected the roles that count as logins, usually "authenticated"')
  const fault = legacySecrets(config).map(secretFault).find((found) => found !== undefined)
  if (fault !== undefined) complain(context, ['legacy_secret'], fault)
  for (const [name, pointers] of Object.entries({ subject: map.subject, scopes: map.scopes, roles: map.roles, tier: map.tier })) {
    if (pointers.some((pointer) => /^\/(user_metadata|raw_user_meta_data)(\/|$)/.test(pointer))) complain(context, ['map', name], 'user_metadata can be edited by the users themselves; use app_metadata')
  }
  checkUrl(context, ['url'], { url: config.url, allowHttp: config.allow_http })
}

function localVerifier(config: SupabaseConfig, { name: id, resources }: AuthenticatorContext, trusted: Pick<JwtIssuer, 'algorithms' | 'keys'>): LocalVerifier {
  const cache = createVerificationCache<VerifiedJwt>({ authenticatorId: id, ttlMs: config.verified_cache.ttl, maxEntries: config.verified_cache.max_entries })
  const { verify } = createJwtAuthenticator({
    id,
    realm: config.realm ?? 'postern',
    forwardCredential: 'strip',
    carriers: [],
    issuers: [{ issuers: config.issuer ?? [issuerOf(config)], audience: config.audience, constraints: [], ...trusted }],
    typ: 'deny_id_token',
    clockToleranceMs: config.clock_tolerance,
    maxTokenLength: config.max_token_length,
    requiredClaims: ['role'],
    map: pointersOf(config.map),
  }, { observer: resources.observer, cache })
  return { verify, remembers: (token, now) => cache.get(token, now) !== undefined }
}

function keySourceOf(config: SupabaseConfig, context: AuthenticatorContext): KeySource {
  const { resources } = context
  const { max_age: maxAgeMs, cooldown: cooldownMs, stale_if_error: staleIfErrorMs, timeout: timeoutMs } = config.jwks
  const settings = { id: issuerOf(config), issuers: [issuerOf(config)], jwksUrl: `${issuerOf(config)}/.well-known/jwks.json`, maxAgeMs, cooldownMs, staleIfErrorMs, timeoutMs }
  return awaited(keepKeySource(settings, resources), context)
}

function localOf(config: SupabaseConfig, context: AuthenticatorContext, source: KeySource): LocalVerification {
  const mode = legacyModeOf(config)
  const secrets = legacySecrets(config).map((secret) => createSecretKey(secret, 'utf8'))
  return {
    published: localVerifier(config, context, { algorithms: config.algorithms, keys: { kind: 'source', source } }),
    publishesNone: async (now) => {
      const set = await source.keys(now)
      return !('kind' in set) && set.size === 0
    },
    legacy: mode === 'secret' ? localVerifier(config, context, { algorithms: ['HS256'], keys: { kind: 'secrets', secrets } }) : mode === 'remote' ? 'ask' : 'off',
  }
}

function commonOf(config: SupabaseConfig, context: AuthenticatorContext) {
  const cookie = config.url === '' ? 'sb-auth-token' : supabaseCookieName(config.url)
  const written = config.in.map((carrier) => ('cookie' in carrier && carrier.cookie === 'auto' ? { cookie } : carrier))
  const carriers = carriersOf(written, config.bearer_scheme, context)
  return {
    id: context.name,
    carriers,
    ignored: new Set(config.ignore.filter((value) => value !== '')),
    maxTokenLength: config.max_token_length,
    challenge: challengeOf(carriers, config.realm ?? 'postern'),
    forwardCredential: forwardingOf(config.credential, 'jwt', carriers, context),
  }
}

/** What is missing before the project can be used at all. */
function missingIn(config: SupabaseConfig): readonly string[] {
  const wantsKey = config.verify === 'remote' && config.api_key === ''
  return [...(config.url === '' ? ['url'] : []), ...(wantsKey ? ['api_key'] : [])]
}

/**
 * Tokens of a Supabase project. Without a URL it is off, with a warning; with `start_degraded` it says 500 for as long as settings
 * are missing.
 */
export function compileSupabase(config: SupabaseConfig, context: AuthenticatorContext): Authenticator | undefined {
  const { name: id, readiness } = context
  const before = context.mistakes.length
  const missing = missingIn(config)
  if (missing.length > 0 && config.start_degraded) {
    warn(context, [missing[0] ?? 'url'], `${id} is degraded: ${missing.join(' and ')} not set; requests that need it are answered with dependency_misconfigured`)
    readiness.push({ name: id, ready: async () => undefined, state: () => ({ degraded: missing }) })
    return createDegradedSupabase({ ...commonOf(config, context), missing })
  }
  if (config.url === '') {
    if (config.api_key === '') return warn(context, ['url'], `${id} is off: url is not set`)
    complain(context, ['url'], 'is empty, but api_key is set; one without the other is no project')
    return undefined
  }
  check(config, context)
  const source = config.verify === 'local' ? keySourceOf(config, context) : undefined
  const askUser = config.api_key === '' ? undefined : createAskUser({ authority: authorityOf(context, 'user', config.timeout), url: config.url, apiKey: config.api_key })
  const recheck = source !== undefined && (config.recheck ?? 0) > 0
  const settings: SupabaseSettings = {
    ...commonOf(config, context),
    issuers: config.issuer ?? (source ? [issuerOf(config)] : []),
    policy: { audience: config.audience, roles: config.role, anonymousUsers: config.anonymous_users, oauthClients: config.oauth_clients },
    pointers: pointersOf(config.map),
    local: source && localOf(config, context, source),
    askUser,
    cache: verdictsOf(context, 'user', { ...config.cache, ...(recheck && config.recheck ? { ttl: config.recheck } : {}) }),
    expectedIssuer: issuerOf(config),
    recheck,
    fetchUser: config.fetch_user,
  }
  return context.mistakes.length > before ? undefined : createSupabaseAuthenticator(settings)
}
