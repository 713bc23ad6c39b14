import { z } from 'zod'
import { count, duration, oneOrMore, positiveDuration, text } from './scalars.ts'
import { errorOverrides } from './schema-answers.ts'

/** Pieces that several kinds of authenticator have in common. */

/** Where a credential may stand. Exactly one key each. */
export const carrier = z.union([
  z.strictObject({ bearer: z.literal(true).describe('`Authorization: Bearer …`.') }),
  z.strictObject({ header: text.describe('The whole value of this header.') }),
  z.strictObject({ cookie: text.describe('The cookie of this name.') }),
]).meta({ title: 'carrier' })

/** Knobs that every authenticator has. */
export const knobs = {
  on_missing: z.enum(['next', 'reject']).default('next').describe('No credential of this kind: try the next authenticator, or refuse.'),
  on_invalid: z.enum(['next', 'reject']).default('reject').describe('A credential that was recognised and refused: refuse the request, or fall through to the next authenticator.'),
  on_unavailable: z.enum(['error', 'next', 'deny']).default('error').describe('Could not check: 503, try the next authenticator, or 401.'),
  credential: z.enum(['keep', 'strip']).optional().describe('Whether the upstream still sees the credential. Default: `forward.credentials`.'),
  realm: text.optional().describe('The realm of the WWW-Authenticate challenge. Default: postern.'),
  errors: errorOverrides.optional().describe('Answers of this authenticator that differ from `errors`.'),
} as const

/** RFC 6901, of at least one step. */
export const jsonPointer = z.string().regex(/^(\/([^~/]|~[01])*)+$/, 'expected a JSON pointer such as "/app_metadata/roles"').meta({ title: 'JSON pointer' })
/** One pointer, or several in order of preference. */
export const pointers = z.union([jsonPointer, z.array(jsonPointer)]).transform((value) => (typeof value === 'string' ? [value] : value))

/** Which claims say what. The first pointer that yields something wins. */
export const claimMapping = z.strictObject({
  subject: pointers.prefault(['/sub']).describe('The id of the principal.'),
  scopes: pointers.prefault(['/scope', '/scp']).describe('A space-separated string or an array.'),
  roles: pointers.prefault(['/roles']).describe('A string, an array, or an object whose keys are the roles.'),
  email: pointers.prefault(['/email']).describe('The e-mail address.'),
  tier: pointers.optional().describe('The tier; never from a claim that users can edit.'),
  default_tier: text.optional().describe('The tier of a principal whose token names none.'),
}).meta({ title: 'claim mapping' })

/** Values that claims must have. */
export const claimConstraint = z.record(z.string(), oneOrMore).describe('Claims that must be present with one of these values, such as azp or client_id.')

/** How the keys of an issuer are kept. */
export const keySource = z.strictObject({
  max_age: positiveDuration.prefault('10m').describe('Key sets are refreshed in the background when they are older than this.'),
  cooldown: positiveDuration.prefault('30s').describe('At most one refetch for an unknown `kid` within this time, counted from the last fetch.'),
  stale_if_error: duration.prefault('1d').describe('How long the last good set is used while the issuer cannot be reached.'),
  timeout: positiveDuration.prefault('5s').describe('Deadline of one fetch.'),
}).meta({ title: 'key source' })

/** How verified tokens are remembered. */
export const verifiedCache = z.strictObject({
  ttl: duration.refine((ms) => ms <= 300_000, 'expected at most 300s: a revoked token would live on for longer').prefault('1m').describe('How long a verified token is remembered; never past its expiry. 0 turns it off. At most 300 s.'),
  max_entries: count.prefault(10_000).describe('Most recently used tokens that are kept.'),
}).meta({ title: 'cache' })
