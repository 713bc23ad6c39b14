import type { Carrier } from '../authenticators/carriers.ts'
import { createJwtAuthenticator, type JwtIssuer, type VerifiedJwt } from '../authenticators/jwt.ts'
import { refuseClaims } from '../authenticators/refuse-claims.ts'
import { createVerificationCache } from '../authenticators/verification-cache.ts'
import type { Authenticator } from '../model/ports.ts'
import { applyPreset } from './apply-preset.ts'
import { carriersOf, complain, forwardingOf, type AuthenticatorContext } from './authenticator-context.ts'
import { compileJwtIssuer, isOff, type WrittenIssuer } from './compile-jwt-issuer.ts'
import type { AuthenticatorConfig } from './schema.ts'

type JwtConfig = Extract<AuthenticatorConfig, { type: 'jwt' }>

/** Keys that belong to one issuer, wherever it is written. */
const OF_ISSUER = ['audience', 'jwks_url', 'jwks_file', 'secret', 'algorithms', 'claims'] as const

/** Every issuer that is written, the authenticator's own first. */
function writtenIssuers(jwt: JwtConfig, context: AuthenticatorContext): readonly WrittenIssuer[] {
  const listed = (jwt.issuers ?? []).map((written, index): WrittenIssuer => ({ written, path: ['issuers', index], jwks: jwt.jwks }))
  if (jwt.issuer) return [{ written: { ...jwt, issuer: jwt.issuer }, path: [], jwks: jwt.jwks }, ...listed]
  const stray = OF_ISSUER.find((key) => jwt[key] !== undefined)
  if (stray !== undefined && listed.length > 0) complain(context, [stray], 'belongs to one issuer: write it into each entry of "issuers"')
  if (listed.length === 0) complain(context, ['issuer'], 'expected the issuer, exactly as it stands in "iss" of the tokens')
  return listed
}

/** Two rules for one `iss` would be a matter of order. */
function checkDistinct(issuers: readonly WrittenIssuer[], context: AuthenticatorContext): void {
  const seen = new Set<string>()
  for (const { written, path } of issuers) {
    for (const name of written.issuer) {
      if (seen.has(name) && name !== '') complain(context, [...path, 'issuer'], `${JSON.stringify(name)} stands twice in this authenticator`)
      seen.add(name)
    }
  }
}

/** What users may write into their own profile must not make them anything. */
function checkMapping({ map }: JwtConfig, context: AuthenticatorContext): void {
  for (const key of ['subject', 'scopes', 'roles', 'tier'] as const) {
    const editable = map[key]?.find((pointer) => /^\/(raw_)?user_meta_?data(\/|$)/.test(pointer))
    if (editable !== undefined) complain(context, ['map', key], `${JSON.stringify(editable)} can be edited by users themselves; use app_metadata`)
  }
}

interface Parts { readonly issuers: readonly JwtIssuer[]; readonly carriers: readonly Carrier[] }

function authenticatorOf(jwt: JwtConfig, { issuers, carriers }: Parts, context: AuthenticatorContext): Authenticator {
  const { map, cache } = jwt
  return createJwtAuthenticator(
    {
      id: context.name,
      realm: jwt.realm ?? 'postern',
      forwardCredential: forwardingOf(jwt.credential, 'jwt', carriers, context),
      carriers,
      issuers,
      typ: jwt.typ,
      clockToleranceMs: jwt.clock_tolerance,
      maxAgeMs: jwt.max_age,
      maxTokenLength: jwt.max_token_length,
      requiredClaims: jwt.required_claims,
      map: { subject: map.subject, scopes: map.scopes, roles: map.roles, email: map.email, tier: map.tier, defaultTier: map.default_tier },
    },
    {
      observer: context.resources.observer,
      // Not kept across reloads: a reload is also how an operator says "look again".
      cache: createVerificationCache<VerifiedJwt>({ authenticatorId: context.name, ttlMs: cache.ttl, maxEntries: cache.max_entries }),
    },
  )
}

/** The authenticator, or undefined when it is off or something is wrong with it. */
export function compileJwt(config: JwtConfig, context: AuthenticatorContext): Authenticator | undefined {
  const before = context.mistakes.length
  const { jwt, refused, substitute } = applyPreset(config)
  const written = writtenIssuers(jwt, context).map((issuer) => (substitute !== undefined && issuer.path.length === 0 ? { ...issuer, substitute } : issuer))
  checkDistinct(written, context)
  checkMapping(jwt, context)
  const on = written.filter((issuer) => !isOff(issuer))
  const issuers = on.map((issuer) => compileJwtIssuer(issuer, context)).filter((issuer) => issuer !== undefined)
  const carriers = carriersOf(jwt.in, jwt.bearer_scheme, context)
  if (context.mistakes.length > before) return undefined
  for (const { path } of written.filter(isOff)) context.warnings.push({ path: [...context.path, ...path], message: on.length > 0 ? 'this issuer is off: the variables that feed it are empty' : 'this authenticator is off: the variables that feed it are empty' })
  if (issuers.length === 0) return undefined
  const authenticator = authenticatorOf(jwt, { issuers, carriers }, context)
  return refused ? refuseClaims(authenticator, refused) : authenticator
}
