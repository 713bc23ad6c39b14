import type { EpochMs } from '../base/time.ts'
import { claimOf } from '../authenticators/jwt-claims.ts'
import { KeyStoreUnavailable, type DenyEntry, type KeyStore } from '../keys/key-store.ts'
import type { Reply } from '../model/decision.ts'
import type { Authenticator, Verification } from '../model/ports.ts'
import type { RequestDescription } from '../model/request.ts'
import type { RouteEntry } from '../pipeline/route-table.ts'
import { denyAct, denyListLocation } from './compile-deny-list.ts'
import { compileJwt } from './compile-jwt.ts'
import type { CompileRoute } from './compile-self-service.ts'
import type { Mistake } from './mistake.ts'
import type { Resources } from './resources.ts'
import { storeAt } from './store-at.ts'
import { route as routeSchema, type AuthenticatorConfig, type Config } from './schema.ts'

type LogoutConfig = NonNullable<NonNullable<Config['deny_list']>['back_channel_logout']>
type JwtConfig = Extract<AuthenticatorConfig, { type: 'jwt' }>

const EVENT = 'http://schemas.openid.net/event/backchannel-logout'
const MAX_AGE_MS = 600_000
const HEADERS = [['Content-Type', 'application/json'], ['Cache-Control', 'no-store']] as const

const reply = (status: number, error?: string): Reply => ({ status, headers: HEADERS, body: error === undefined ? '' : JSON.stringify({ error }) })

/**
 * Checks logout tokens like any token of the same issuer, with what differs: they are for the client that logs in, and are of no kind
 * that would be accepted as a proof (OpenID Connect Back-Channel Logout 1.0, section 2.4).
 */
function logoutAuthenticator(jwt: JwtConfig, { authenticator: name, client_id: audience }: LogoutConfig, config: Config, resources: Resources, mistakes: Mistake[]): Authenticator | undefined {
  const { claims: _own, errors: _errors, ...kept } = jwt
  const issuers = jwt.issuers?.map(({ claims: _claims, ...issuer }) => ({ ...issuer, audience }))
  const written: JwtConfig = { ...kept, ...(jwt.issuers ? {} : { audience }), ...(issuers && { issuers }), typ: 'any', required_claims: ['iat', 'jti', 'events'], max_age: MAX_AGE_MS, map: { ...jwt.map, subject: ['/sub', '/sid'] } }
  return compileJwt(written, { name, path: ['authenticators', name], config, resources, mistakes, warnings: [], readiness: [] })
}

/** Whom a verified logout token ends; undefined when it is none (section 2.6). */
function entryOf(verification: Extract<Verification, { kind: 'authenticated' }>, { authenticator, lifetime }: LogoutConfig, now: EpochMs): DenyEntry | undefined {
  const { principal } = verification
  if (principal.kind !== 'identified') return undefined
  const { attributes } = principal
  const [sid, sub, iat, events] = ['sid', 'sub', 'iat', 'events'].map((name) => claimOf(attributes, name))
  const isLogout = typeof events === 'object' && events !== null && Object.hasOwn(events, EVENT)
  // A nonce would make it an ID token, that somebody could have come by otherwise.
  if (!isLogout || Object.hasOwn(attributes, 'nonce') || typeof iat !== 'number') return undefined
  const until = now + lifetime
  if (typeof sid === 'string' && sid !== '') return { kind: 'sid', value: sid, authenticator, until, issuedBefore: undefined }
  // Everything of theirs until this second; who logs in again is welcome.
  return typeof sub === 'string' && sub !== '' ? { kind: 'sub', value: sub, authenticator, until, issuedBefore: iat * 1_000 + 1 } : undefined
}

/** Only `logout_token` counts: providers may send more one day. */
function tokenIn({ body }: RequestDescription): string | undefined {
  const value = body?.value
  const token: unknown = typeof value === 'object' && value !== null && Object.hasOwn(value, 'logout_token') ? (value as { readonly logout_token?: unknown }).logout_token : undefined
  return typeof token === 'string' && token !== '' ? token : undefined
}

interface Logout { readonly settings: LogoutConfig; readonly authenticator: Authenticator; readonly store: KeyStore; readonly resources: Resources }

async function logOut({ settings, authenticator, store, resources }: Logout, request: RequestDescription): Promise<Reply> {
  const token = tokenIn(request)
  if (token === undefined) return reply(400, 'invalid_request')
  const now = resources.clock()
  const verification = await authenticator.verify({ kind: 'credential', value: token, locations: [{ kind: 'header', name: 'logout_token' }] }, now)
  // Not a refusal of the token: the provider may send it again.
  if (verification.kind === 'unavailable') return reply(503, 'temporarily_unavailable')
  const entry = verification.kind === 'authenticated' ? entryOf(verification, settings, now) : undefined
  if (!entry) {
    resources.observer.noticed('warn', 'logout_token_rejected', 'a logout token was refused', { authenticator: authenticator.id, reason: 'reason' in verification ? verification.reason : 'not a logout token' })
    return reply(400, 'invalid_request')
  }
  try {
    await store.deny([entry])
  } catch (error) {
    if (error instanceof KeyStoreUnavailable) return reply(503, 'temporarily_unavailable')
    throw error
  }
  resources.observer.administered?.(denyAct({ actor: `provider:${authenticator.id}`, at: now, entry }))
  return reply(200)
}

/** The public route to which an identity provider sends logout tokens; none without `deny_list.back_channel_logout`. */
export function logoutRoutes(config: Config, resources: Resources, mistakes: Mistake[], compileRoute: CompileRoute): RouteEntry[] {
  const settings = config.deny_list?.back_channel_logout
  if (!settings) return []
  const jwt = config.authenticators?.[settings.authenticator]
  if (jwt?.type !== 'jwt') {
    mistakes.push({ path: ['deny_list', 'back_channel_logout', 'authenticator'], message: `expected the name of an authenticator of type jwt, whose issuer sends the logout tokens` })
    return []
  }
  const authenticator = logoutAuthenticator(jwt, settings, config, resources, mistakes)
  const location = denyListLocation(config, [])
  if (!authenticator || location === undefined) return []
  const written = routeSchema.parse({ name: 'back-channel logout', auth: 'none', body: { content_types: 'application/x-www-form-urlencoded', max_bytes: '16KiB' }, rate_limit: [{ name: 'back-channel-logout', key: 'client_ip', limit: '60/minute' }] })
  const logout: Logout = { settings, authenticator, store: storeAt(location, resources), resources }
  return [{ pattern: settings.path, methods: new Set(['POST']), route: { ...compileRoute(written, ['deny_list', 'back_channel_logout']), answer: (request) => logOut(logout, request) } }]
}
