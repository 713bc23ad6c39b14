import { z } from 'zod'
import { count, duration, flag, httpUrl, list, oneOrMore, positiveDuration, size, text } from './scalars.ts'
import { carrier, claimConstraint, claimMapping, keySource, knobs, verifiedCache } from './schema-authenticator-parts.ts'
import { preset } from './schema-presets.ts'
import { introspectionAuthenticator, remoteAuthenticator, supabaseAuthenticator } from './schema-providers.ts'
import { sessionAuthenticator } from './schema-sessions.ts'
import { keyStore } from './schema-store.ts'

const ALGORITHMS = ['ES256', 'ES384', 'ES512', 'RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'EdDSA', 'HS256'] as const

/** One trusted issuer of JWTs. */
export const jwtIssuer = z.strictObject({
  issuer: oneOrMore.describe('The exact `iss`, or several spellings of one issuer (Google, Entra).'),
  audience: list.optional().describe('One of these must be in `aud`. Required unless `claims` names a substitute such as azp.'),
  jwks_url: httpUrl.optional().describe('Where the keys are; otherwise found by OpenID discovery at the issuer.'),
  jwks_file: text.optional().describe('A JWK set in a local file; re-read when it changes.'),
  secret: oneOrMore.optional().describe('HS256 secrets of at least 32 bytes, newest first. Never together with a key set.'),
  algorithms: z.array(z.enum(ALGORITHMS)).min(1).optional().describe('Default: ES256, RS256 and EdDSA for key sets, HS256 for a secret.'),
  claims: claimConstraint.optional(),
}).meta({ title: 'jwt issuer' })

export const jwtAuthenticator = z.strictObject({
  type: z.literal('jwt'),
  ...jwtIssuer.partial().shape,
  issuers: z.array(jwtIssuer).optional().describe('Several issuers with settings of their own.'),
  preset: preset.optional().describe('Settings of a well-known issuer, such as {auth0: {domain: acme.eu.auth0.com}}; see the page on presets. What is written beside it wins.'),
  in: z.array(carrier).min(1).default([{ bearer: true }]).describe('Carriers, in order.'),
  bearer_scheme: z.enum(['required', 'optional']).default('required').describe('Whether `Authorization` may hold the bare token.'),
  typ: z.enum(['deny_id_token', 'rfc9068', 'any']).default('deny_id_token').describe('`rfc9068` demands at+jwt; `deny_id_token` refuses ID, refresh and logout tokens.'),
  clock_tolerance: duration.refine((ms) => ms <= 60_000, 'expected at most 60s').prefault('5s').describe('Leeway for exp and nbf; at most 60 s.'),
  max_age: positiveDuration.optional().describe('Refuse tokens issued longer ago than this.'),
  max_token_length: size.prefault('8KiB').describe('Longer tokens are refused before they are parsed.'),
  required_claims: list.prefault([]).describe('Claims that must be present besides iss, exp, sub and the audience.'),
  map: claimMapping.prefault({}).describe('Which claims say what; the first pointer that yields something wins.'),
  jwks: keySource.prefault({}).describe('How published keys are fetched and kept.'),
  cache: verifiedCache.prefault({}).describe('Verified tokens that are remembered.'),
  ...knobs,
}).meta({ title: 'jwt' })

const staticKey = z.strictObject({
  id: text.optional().describe('Key id in audit and templates. Default: key- and the first 8 hex digits of the digest.'),
  value: z.string().optional().describe('The key itself, usually a secret reference. Empty means that this key is off.'),
  sha256: z.string().regex(/^[0-9a-f]{64}$/, 'expected 64 lower-case hex digits').optional().describe('Its SHA-256 instead of the key.'),
  subject: text.optional().describe('Who it stands for. Default: its id.'),
  email: text.optional().describe('Its e-mail address.'),
  tier: text.optional().describe('Its tier, one of `tiers`.'),
  scopes: list.optional().describe('What it may do.'),
  roles: list.optional().describe('What it is.'),
  allowed_networks: list.optional().describe('Networks it may be used from.'),
  expires: z.string().optional().describe('RFC 3339 date or date-time.'),
  assert_subject: flag.prefault(false).describe('A trusted service: it may name the user it acts for (`subject.from_header`).'),
}).meta({ title: 'static key' })

const assertedSubject = z.strictObject({
  from_header: text.describe('Header in which a trusted service names the user.'),
  required: flag.prefault(true).describe('Whether a trusted service must name somebody.'),
  max_length: count.prefault(256).describe('Longest name in characters.'),
  pattern: z.string().default('^[\\x21-\\x7e]+$').describe('Anchored pattern of the value.'),
}).meta({ title: 'asserted subject' })

const keyIssue = z.strictObject({
  prefix: z.string().regex(/^[a-z][a-z0-9]*(_[a-z0-9]+)*$/, 'expected lower-case words joined by "_", such as "acme"').max(24).optional().describe('Label in front of new keys. Default: the first of `prefix`, or ak_live.'),
  environment: z.string().regex(/^[a-z][a-z0-9]{0,6}$/, 'expected one short word such as "live" or "test"').optional().describe('Second part of the label, such as live or test.'),
  checksum: z.enum(['crc32', 'none']).optional().describe('crc32: keys whose checksum does not fit are refused unseen. none: keys of any form are looked up, such as imported ones. New keys always have one. Default: crc32, or none with `import`.'),
}).meta({ title: 'form of new keys' })

export const apiKeyAuthenticator = z.strictObject({
  type: z.literal('api_key'),
  in: z.array(carrier).min(1).default([{ header: 'X-API-Key' }]).describe('Carriers; the first that is present decides.'),
  bearer_scheme: z.enum(['required', 'optional']).default('required').describe('Whether `Authorization` may hold the bare key.'),
  prefix: oneOrMore.optional().describe('Only values with one of these prefixes are recognised; needed to share `Authorization` with tokens.'),
  keys: z.array(staticKey).optional().describe('Keys in the config itself.'),
  keys_csv: z.string().optional().describe('Comma-separated keys, each `key` or `name=key`. Empty: off.'),
  keys_csv_subject: text.default('client').describe('Ids of keys from `keys_csv` are this, a dash and 8 hex digits of the digest.'),
  file: text.optional().describe('YAML file with `keys:`, a list of the same shape; digests recommended. Re-read when it changes.'),
  store: keyStore.optional().describe('Where managed keys live: a file on a local disk (SQLite), made when it is absent, `redis://…`, `rediss://…`, `postgres://…` (tables by `postern keys migrate`), or a map for a Redis with sentinels, a cluster or certificates. Needs `pepper`; both empty: off.'),
  pepper: z.string().optional().describe('Secret that the digests of managed keys are made with, at least 16 characters; kept outside the store.'),
  previous_peppers: oneOrMore.optional().describe('Peppers before the current one; keys that still have one of them get the current one with their next use.'),
  issue: keyIssue.optional().describe('What new keys look like.'),
  import: z.string().optional().describe('An `api-keys.json` to bring into the store, at start and when it changes. Empty: off.'),
  min_length: count.prefault(8).describe('Shorter values are refused unseen.'),
  recommended_length: count.optional().describe('Shorter keys of the config work, with a warning at the start.'),
  subject: assertedSubject.optional().describe('Lets trusted services name the user they act for.'),
  ...knobs,
}).meta({ title: 'api_key' })

export const anonymousAuthenticator = z.strictObject({
  type: z.literal('anonymous'),
}).meta({ title: 'anonymous' })

/** Every kind in the long form. New kinds are added here and in `compile-authenticators.ts`. */
export const authenticator = z.discriminatedUnion('type', [jwtAuthenticator, apiKeyAuthenticator, supabaseAuthenticator, introspectionAuthenticator, sessionAuthenticator, remoteAuthenticator, anonymousAuthenticator])
