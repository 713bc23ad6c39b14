import { createApiKeyAuthenticator } from '../authenticators/api-key.ts'
import { createStaticKeyCheck, digestOf, keysByDigest, type StaticKey } from '../authenticators/static-keys.ts'
import { CidrError, createCidrSet, type CidrSet } from '../base/cidr.ts'
import type { EpochMs, MaybePromise } from '../base/time.ts'
import type { WireSettings } from '../model/gateway.ts'
import type { Authenticator, Limiter, Verification } from '../model/ports.ts'
import type { IdentifiedPrincipal } from '../model/principal.ts'
import type { AuthenticatorUse, Route, RouteAuthentication } from '../model/route.ts'
import { errorSettings } from '../wire/reply.ts'
import { ADMIN_TOKEN, adminFailureBudgets, adminFailurePolicy, adminOf, type AdminConfig } from './admin-settings.ts'
import { claimedAccount } from './claimed-account.ts'
import { challengesOf } from './compile-route-auth.ts'
import { quotasOf } from './compile-route-quotas.ts'
import { notConfigured } from './not-configured.ts'
import type { RouteContext, RoutesInput } from './route-context.ts'
import { route as routeSchema } from './schema.ts'

/** What a request to the admin listener needs: to look, to change something, or nothing. */
export type AdminAccess = 'read' | 'write' | 'none'

/** What guards the admin listener: parts of routes, for the face that knows its paths. */
export interface CompiledAdmin {
  readonly hosts: readonly string[]
  readonly limiter: Limiter
  /** @param page  who answers for a page's session, instead of the credentials of the API */
  readonly route: (id: string, access: AdminAccess, page?: Authenticator) => Route
  /** Whoever started the process: may do everything, without having shown anything. */
  readonly holder: IdentifiedPrincipal
  /** Whether somebody has what a change demands. */
  readonly mayWrite: (principal: IdentifiedPrincipal) => boolean
  /** Whether a proof that was accepted counts no more: ended, expired, or of an authenticator that is asked no longer. */
  readonly ended: (principal: IdentifiedPrincipal, now: EpochMs) => MaybePromise<boolean>
  /** Whether others may come in than who holds the admin token. */
  readonly others: boolean
}

/** Far more than any of its requests needs. */
const MAX_BODY_BYTES = 65_536

const TYPE_BASE = 'https://postern.example/errors/'
const REALM = 'postern admin'
const BEARER = [{ kind: 'bearer', scheme: 'required' }] as const

/** The data plane's settings, but refusals look the same whatever the config makes of those of the API. */
export function adminWire({ cors: _pagesOfOthers, ...wire }: WireSettings): WireSettings {
  return { ...wire, realm: REALM, errors: errorSettings({ errors: { codes: {} }, explain: false, typeBase: TYPE_BASE }) }
}

const meets = ({ scopes, roles }: AdminConfig['read'], principal: IdentifiedPrincipal): boolean =>
  scopes.every((scope) => principal.scopes.has(scope)) && (roles.length === 0 || roles.some((role) => principal.roles.includes(role)))

/** Who may write may read, so they are given what reading demands: a config need not grant both. */
function withReading({ read, write }: AdminConfig, verification: Verification): Verification {
  if (verification.kind !== 'authenticated' || verification.principal.kind !== 'identified' || !meets(write, verification.principal)) return verification
  const { principal } = verification
  return { kind: 'authenticated', principal: { ...principal, scopes: new Set([...principal.scopes, ...read.scopes]), roles: [...principal.roles, ...read.roles.slice(0, 1)] } }
}

function reading(admin: AdminConfig, use: AuthenticatorUse): AuthenticatorUse {
  const { authenticator } = use
  return {
    ...use,
    authenticator: {
      ...authenticator,
      verify: (credential, now) => {
        const verification = authenticator.verify(credential, now)
        return verification instanceof Promise ? verification.then((late) => withReading(admin, late)) : withReading(admin, verification)
      },
    },
  }
}

const keyOf = ({ token, read, write }: AdminConfig): StaticKey => {
  const digest = digestOf(token)
  return { id: `token-${digest.slice(0, 8)}`, subject: 'admin', digest, scopes: [...write.scopes, ...read.scopes], roles: [...write.roles, ...read.roles], assertSubject: false }
}

/** The token of the config as one authenticator among others; it is asked first, since others might send what they do not know to somebody. */
function tokenUse(admin: AdminConfig): AuthenticatorUse {
  const keys = keysByDigest([keyOf(admin)])
  const authenticator = createApiKeyAuthenticator({
    id: ADMIN_TOKEN, realm: REALM, forwardCredential: 'strip', carriers: BEARER, prefixes: [], minLength: 1,
    checks: [createStaticKeyCheck({ authenticatorId: ADMIN_TOKEN, sources: [() => keys] })],
  })
  return { authenticator, optional: false, scopes: [], onMissing: 'next', onInvalid: 'next', onUnavailable: 'error' }
}

/** The operators' authenticators, none of which may end the search for one that knows the credential by its absence alone. */
function usesOf(admin: AdminConfig, { authenticators }: RoutesInput): readonly AuthenticatorUse[] {
  const own = admin.token === '' ? [] : [tokenUse(admin)]
  const others = admin.auth.flatMap((name): AuthenticatorUse[] => {
    const known = authenticators.get(name)
    return known ? [{ ...known, optional: false, scopes: known.scopes ?? [], onMissing: 'next' }] : []
  })
  const uses = [...own, ...others].map((use) => reading(admin, use))
  return uses.length > 0 ? uses : [notConfigured()]
}

function networksOf(entries: readonly string[] | undefined, name: 'allowed_networks' | 'denied_networks', { mistakes }: RoutesInput): CidrSet | undefined {
  if (!entries || entries.length === 0) return undefined
  try {
    return createCidrSet(entries)
  } catch (error) {
    if (!(error instanceof CidrError)) throw error
    mistakes.push({ path: ['admin', name], message: error.message })
    return undefined
  }
}

const contextOf = (input: RoutesInput): RouteContext => ({
  ...input,
  names: new Set(input.authenticators.keys()),
  kinds: new Map([[ADMIN_TOKEN, 'api_key'], ...Object.entries(input.config.authenticators ?? {}).map(([id, { type }]) => [id, type] as const)]),
  countedAs: new Map(),
  tierRanks: new Map(),
})

/** Everything of a route but what differs from one to the next. */
function baseOf(admin: AdminConfig, uses: readonly AuthenticatorUse[], input: RoutesInput): Omit<Route, 'id' | 'authentication' | 'requirements' | 'challenges' | 'clientQuotas' | 'principalQuotas'> {
  const allowedNetworks = networksOf(admin.allowed_networks, 'allowed_networks', input)
  const deniedNetworks = networksOf(admin.denied_networks, 'denied_networks', input)
  return {
    ...(allowedNetworks && { allowedNetworks }),
    ...(deniedNetworks && { deniedNetworks }),
    requireHttps: admin.require_https,
    csrf: { origins: new Set() },
    failureQuotas: adminFailureBudgets(input.config).map((budget) => ({
      policy: adminFailurePolicy(budget),
      cost: 1,
      partitionOf: budget.key === 'account' ? claimedAccount(uses, input.partitionSecret) : (request) => `ip:${request.client.partition}`,
    })),
    mutators: [], upstreamId: '', requestHeaders: { set: [], remove: [] }, maxBodyBytes: MAX_BODY_BYTES, observe: false,
  }
}

/** Guards the admin listener by the pipe of every other request. Undefined: it is off. */
export function compileAdmin(input: RoutesInput, limiter: Limiter): CompiledAdmin | undefined {
  const { config } = input
  const admin = adminOf(config)
  if (!admin) return undefined
  const uses = usesOf(admin, input)
  const base = baseOf(admin, uses, input)
  const context = contextOf(input)
  const limits = routeSchema.parse({ rate_limit: [] })
  const byId = new Map(uses.map(({ authenticator }) => [authenticator.id, authenticator]))
  const { id: credentialId, subject, scopes, roles } = keyOf(admin)
  const carrier = { kind: 'header', name: 'authorization' } as const
  return {
    hosts: admin.hosts,
    limiter,
    others: admin.auth.length > 0,
    holder: { kind: 'identified', subject, authenticatorId: ADMIN_TOKEN, scopes: new Set(scopes), roles, carrier, locations: [], attributes: {} },
    mayWrite: (principal) => meets(admin.write, principal),
    ended: (principal, now) => {
      if (principal.expiresAt !== undefined && principal.expiresAt <= now) return true
      // The link that is printed at the start has no credential that could be changed.
      if (principal.authenticatorId === ADMIN_TOKEN) return principal.credentialId !== undefined && principal.credentialId !== credentialId
      const asked = byId.get(principal.authenticatorId)
      return asked ? (asked.ended?.(principal, now) ?? false) : true
    },
    route: (id, access, page) => {
      const authentication: RouteAuthentication = access === 'none' ? { mode: 'none' } : { mode: 'any', uses: page ? [{ authenticator: page, optional: false, scopes: [], onMissing: 'reject', onInvalid: 'reject', onUnavailable: 'error' }] : uses }
      const quotas = quotasOf({ ...limits, rate_limit: admin.rate_limit }, ['admin'], id, true, context)
      const demanded = access === 'none' ? { scopes: [], roles: [] } : admin[access]
      return {
        ...base, id,
        // Nobody guesses a session, and whoever has an old one has done nothing wrong.
        ...(page && { failureQuotas: [] }),
        authentication, challenges: challengesOf(authentication, undefined),
        requirements: { scopes: demanded.scopes, roles: demanded.roles, claims: [], tierRanks: new Map() },
        clientQuotas: quotas.client, principalQuotas: quotas.principal,
      }
    },
  }
}
