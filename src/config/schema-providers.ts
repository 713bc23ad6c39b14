import { z } from 'zod'
import { answerCache, authorityUrl } from './schema-answer-cache.ts'
import { carrier, claimConstraint, claimMapping, jsonPointer, keySource, knobs, pointers, verifiedCache } from './schema-authenticator-parts.ts'
import { duration, flag, list, oneOrMore, positiveDuration, size, text } from './scalars.ts'

const allowHttp = flag.prefault(false).describe('Ask over plain HTTP although it is not on this host.')
const bearerScheme = z.enum(['required', 'optional']).default('required').describe('Whether `Authorization` may hold the bare token.')
const timeout = positiveDuration.prefault('5s').describe('Deadline of one call.')
const tolerance = duration.refine((ms) => ms <= 60_000, 'expected at most 60s').prefault('5s').describe('Leeway for exp and nbf; at most 60 s.')

const supabaseMapping = claimMapping.extend({
  scopes: pointers.prefault(['/scope']).describe('A space-separated string or an array.'),
  roles: pointers.prefault(['/app_metadata/roles', '/app_metadata/role']).describe('Never from `user_metadata`, which users can edit.'),
  tier: pointers.prefault(['/app_metadata/tier']).describe('Never from `user_metadata`, which users can edit.'),
}).meta({ title: 'supabase mapping' })

/** Access tokens of a Supabase project. */
export const supabaseAuthenticator = z.strictObject({
  type: z.literal('supabase'),
  url: authorityUrl.prefault('').describe('The project, such as https://abcdefgh.supabase.co. Issuer, key set and cookie name follow from it.'),
  api_key: z.string().default('').describe('Anon or publishable key: what the gateway wants to see when the project is asked.'),
  verify: z.enum(['local', 'remote']).default('local').describe('local: by the project\'s key set. remote: ask GET /auth/v1/user.'),
  hs256: z.enum(['remote', 'secret', 'off']).optional().describe('Tokens signed with the legacy secret, with `verify: local`. Default: secret with `legacy_secret`, else remote with `api_key`, else off.'),
  legacy_secret: oneOrMore.optional().describe('The project\'s JWT secret; only while old tokens are still around. Whoever holds it can make tokens.'),
  issuer: oneOrMore.optional().describe('Exact `iss` values. Default with `verify: local`: {url}/auth/v1. With `verify: remote` only looked at when set.'),
  audience: list.prefault(['authenticated']).describe('One of these must be in `aud`.'),
  role: list.prefault(['authenticated']).describe('Values that the claim `role` may have.'),
  anonymous_users: flag.prefault(false).describe('Whether anonymous sign-ins are logins here.'),
  oauth_clients: flag.prefault(false).describe('Whether tokens that a user gave to a third-party OAuth client are logins here.'),
  algorithms: z.array(z.enum(['ES256', 'RS256', 'EdDSA'])).min(1).prefault(['ES256', 'RS256']).describe('Algorithms of the key set.'),
  in: z.array(carrier).min(1).prefault([{ bearer: true }]).describe('Carriers, in order. `{cookie: auto}` is the session cookie that @supabase/ssr writes.'),
  bearer_scheme: bearerScheme,
  ignore: oneOrMore.prefault([]).describe('Values that count as no credential, such as the anon key that client libraries send while nobody is logged in.'),
  recheck: duration.optional().describe('Ask about locally verified tokens this often, so that a logout or a ban takes effect before `exp`. 0 or absent: never.'),
  fetch_user: flag.prefault(false).describe('Ask for the user\'s record and keep it, for attributes that no token has, such as created_at.'),
  start_degraded: flag.prefault(false).describe('Start without url or key; requests that need the project get dependency_misconfigured (500).'),
  allow_http: allowHttp,
  timeout,
  clock_tolerance: tolerance,
  max_token_length: size.prefault('8KiB').describe('Longer tokens are refused before they are parsed.'),
  map: supabaseMapping.prefault({}).describe('Where the principal stands in what was verified; the first pointer that yields something wins.'),
  jwks: keySource.prefault({}).describe('How published keys are fetched and kept.'),
  cache: answerCache('30s'),
  verified_cache: verifiedCache.prefault({}).describe('Locally verified tokens that are remembered.'),
  ...knobs,
}).meta({ title: 'supabase' })

/** Opaque tokens, checked by asking their issuer (RFC 7662). */
export const introspectionAuthenticator = z.strictObject({
  type: z.literal('introspection'),
  issuer: authorityUrl.optional().describe('The issuer; discovery finds its introspection endpoint, and a response that names another issuer is refused.'),
  url: authorityUrl.optional().describe('The introspection endpoint itself.'),
  client_auth: z.enum(['client_secret_basic', 'client_secret_post', 'private_key_jwt', 'bearer']).default('client_secret_basic').describe('How we prove that we may ask.'),
  client_id: z.string().default('').describe('Our own client id at the issuer.'),
  client_secret: z.string().default('').describe('Its secret. Wrong: dependency_misconfigured (500), never the caller\'s 401.'),
  private_key: z.string().default('').describe('private_key_jwt only: PKCS #8 PEM or a private JWK.'),
  key_id: text.optional().describe('private_key_jwt only: `kid` of the assertion.'),
  key_algorithm: z.enum(['ES256', 'RS256', 'PS256', 'EdDSA']).default('ES256').describe('private_key_jwt only.'),
  token: z.string().default('').describe('bearer only: the token that we present.'),
  audience: list.optional().describe('One of these must be in `aud`.'),
  scopes: list.prefault([]).describe('Scopes that every token must have; without them 403.'),
  claims: claimConstraint.optional(),
  in: z.array(carrier).min(1).prefault([{ bearer: true }]).describe('Carriers, in order.'),
  bearer_scheme: bearerScheme,
  on_error: z.enum(['deny', 'allow_cached']).default('deny').describe('allow_cached: while the issuer cannot be asked, a good answer serves five more minutes, never past `exp`.'),
  allow_http: allowHttp,
  timeout,
  clock_tolerance: tolerance,
  max_token_length: size.prefault('4KiB').describe('Longer tokens are refused and never sent anywhere.'),
  map: claimMapping.prefault({}).describe('Where the principal stands in what was verified; the first pointer that yields something wins.'),
  cache: answerCache('30s'),
  ...knobs,
}).meta({ title: 'introspection' })

/** Anything else that knows who somebody is. */
export const remoteAuthenticator = z.strictObject({
  type: z.literal('remote'),
  url: authorityUrl.prefault('').describe('Asked with the chosen headers and cookies. 2xx with a subject: yes. 401 and 403: no. Anything else: could not check.'),
  method: z.enum(['GET', 'POST']).default('GET').describe('Method of the check request; it has no body.'),
  in: z.array(carrier).min(1).describe('What is sent on, as it came; one of these must be present.'),
  also: list.prefault([]).describe('Headers that ride along and prove nothing by themselves, such as a tenant.'),
  headers: z.record(z.string().regex(/^[A-Za-z0-9-]+$/, 'expected a header name of letters, digits and dashes'), z.string()).default({}).describe('Our own headers for the checking service.'),
  map: claimMapping.prefault({}).describe('Where the principal stands in what was verified; the first pointer that yields something wins.'),
  attributes: z.record(text, jsonPointer).optional().describe('Attribute names to JSON pointers into the answer. Default: every member of it.'),
  allow_http: allowHttp,
  timeout,
  cache: answerCache('10s'),
  ...knobs,
}).meta({ title: 'remote' })
