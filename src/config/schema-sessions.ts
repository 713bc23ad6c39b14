import { z } from 'zod'
import { claimMapping, knobs, pointers } from './schema-authenticator-parts.ts'
import { answerCache, authorityUrl } from './schema-answer-cache.ts'
import { duration, flag, list, oneOrMore, positiveDuration, text } from './scalars.ts'

/** Where a session says who it is: a claim of a sealed cookie, or a member of the session endpoint's answer. */
const sessionMapping = claimMapping.extend({
  subject: pointers.prefault(['/sub', '/user/id', '/user/email']).describe('The id of the principal. The first place that holds anything decides; what NextAuth answers has no id unless a callback adds one.'),
  scopes: pointers.prefault([]).describe('A space-separated string or an array.'),
  roles: pointers.prefault(['/roles', '/role', '/user/roles', '/user/role']).describe('A string, an array, or an object whose keys are the roles.'),
  email: pointers.prefault(['/email', '/user/email']).describe('The e-mail address.'),
}).meta({ title: 'session mapping' })

/** Cookie sessions of NextAuth, Auth.js and better-auth. */
export const sessionAuthenticator = z.strictObject({
  type: z.literal('session'),
  provider: z.enum(['auto', 'nextauth', 'authjs', 'better_auth']).default('auto').describe('auto: cookies of NextAuth v4 and Auth.js v5. nextauth: both. authjs: v5 only.'),
  versions: z.array(z.enum(['v4', 'v5'])).min(1).optional().describe('Which key derivations are tried. Default: what `provider` means.'),
  secrets: oneOrMore.prefault([]).describe('NEXTAUTH_SECRET, AUTH_SECRET or BETTER_AUTH_SECRET, newest first. Empty ones are left out; with none, the application is asked about every cookie.'),
  cookies: list.optional().describe('Cookie names of the application, without `__Secure-` and without chunk numbers. Default: the names that the libraries use.'),
  cookie_prefix: text.default('better-auth').describe('better_auth only: `advanced.cookiePrefix` of the application.'),
  cookie_cache: z.enum(['off', 'compact', 'jwe']).default('off').describe('better_auth only: believe the application\'s own cookie cache, in the form it has.'),
  endpoint: authorityUrl.optional().describe('The application\'s session endpoint, for sessions in a database: /api/auth/session, or /api/auth/get-session of better-auth. It gets only the session cookie.'),
  allow_http: flag.prefault(false).describe('Ask over plain HTTP although the endpoint is not on this host.'),
  map: sessionMapping.prefault({}).describe('Where the principal stands in what was verified; the first pointer that yields something wins.'),
  attributes: list.prefault(['name', 'email', 'picture']).describe('Claims that become attributes. Only these: applications keep tokens of other services in their sessions.'),
  clock_tolerance: duration.refine((ms) => ms <= 60_000, 'expected at most 60s').prefault('15s').describe('Leeway for the expiry of a sealed cookie.'),
  timeout: positiveDuration.prefault('5s').describe('Deadline of one call.'),
  cache: answerCache('10s'),
  ...knobs,
}).meta({ title: 'session' })
