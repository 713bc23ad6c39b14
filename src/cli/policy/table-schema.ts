import { isIP } from 'node:net'
import { z } from 'zod'
import { count, flag, list, text } from '../../config/scalars.ts'
import type { StageName } from '../../model/decision.ts'
import type { ProblemCode } from '../../model/denial.ts'
import { REASONS, type RejectionReason } from '../../model/reason.ts'
import { PROBLEMS } from '../../wire/problems.ts'

// The tables are complete by their types, so the casts only give `Object.keys` the names it loses.
const CODES = Object.keys(PROBLEMS) as [ProblemCode, ...ProblemCode[]]
const REASON_NAMES = Object.keys(REASONS) as [RejectionReason, ...RejectionReason[]]
const STAGES = ['describe', 'match_route', 'check_network', 'limit_client', 'authenticate', 'authorize', 'limit_principal', 'mutate'] as const satisfies readonly StageName[]

const UNITS_MS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 }

/** `5m`, or `-1h` for what is over already; milliseconds come out. */
const lifetime = z.string().transform((written, context) => {
  const match = /^(-?\d{1,9})(ms|s|m|h|d)$/.exec(written)
  if (match) return Number(match[1]) * (UNITS_MS[match[2] ?? ''] ?? 0)
  context.addIssue({ code: 'custom', message: 'expected a duration such as "5m", or "-1h" for what is over already' })
  return z.NEVER
}).meta({ title: 'lifetime' })

const instant = z.string().refine((written) => /^\d{4}-\d{2}-\d{2}T/.test(written) && !Number.isNaN(Date.parse(written)), 'expected an instant such as "2026-01-31T12:00:00Z"').transform((written) => Date.parse(written)).meta({ title: 'instant' })

const address = z.string().refine((written) => isIP(written) !== 0, 'expected an IP address such as "203.0.113.7"')
const headers = z.record(text, z.union([z.string(), z.array(z.string()).min(1)]))
const path = z.string().startsWith('/', 'expected a path such as "/orders/7"')
const method = z.string().regex(/^[A-Z]+$/, 'expected an upper-case method such as "GET"')

/** What every request of a table has unless it says otherwise. */
const surroundings = {
  host: text.optional().describe('Host that is asked for. Default: localhost.'),
  ip: address.optional().describe('Address of the TCP peer. Default: 127.0.0.1.'),
  https: flag.optional().describe('Whether it comes over TLS. Default: false.'),
  headers: headers.prefault({}).describe('Header fields by name; a list sends the field several times.'),
} as const

const line = z.string().transform((written, context) => {
  const [verb = '', target = '', ...more] = written.split(' ')
  if (more.length === 0 && /^[A-Z]+$/.test(verb) && target.startsWith('/')) return { method: verb, path: target }
  context.addIssue({ code: 'custom', message: 'expected a method and a path such as "GET /orders/7"' })
  return z.NEVER
})

const request = z.union([line, z.strictObject({ method: method.default('GET').describe('Default: GET.'), path: path.describe('Path, with the query if there is one.'), ...surroundings })])

const token = z.union([text, z.strictObject({
  issuer: text.optional().describe('An issuer of the config, or the authenticator. Default: the only one there is.'),
  claims: z.record(text, z.unknown()).default({}).describe('What the token says, over what a good one says. `null` leaves a claim out.'),
  expires: lifetime.prefault('5m').describe('How long it lives; negative: over already.'),
  algorithm: text.optional().describe('Default: the first that the issuer may use.'),
  signed_by: z.enum(['issuer', 'stranger']).default('issuer').describe('`stranger`: with a key that the issuer does not have.'),
})])

const issued = z.strictObject({
  owner: text.describe('Whose key it is.'),
  scopes: list.optional().describe('What it may do.'),
  roles: list.optional().describe('What it is.'),
  tier: text.optional().describe('Its tier.'),
  email: text.optional().describe('E-mail address of its owner.'),
  expires: lifetime.optional().describe('How long it lives; negative: over already.'),
  allowed_networks: list.optional().describe('Networks it may be used from.'),
  state: z.enum(['active', 'suspended', 'revoked']).default('active').describe('What became of it.'),
})

const key = z.union([text, z.strictObject({
  authenticator: text.optional().describe('An authenticator of API keys. Default: the only one there is.'),
  value: text.optional().describe('The key itself.'),
  id: text.optional().describe('A key of the config, by its id.'),
  issued: issued.optional().describe('A key that is made for this case alone, in a store of its own.'),
})])

const session = z.strictObject({
  authenticator: text.optional().describe('An authenticator of sessions. Default: the only one there is.'),
  claims: z.record(text, z.unknown()).default({}).describe('What the session says.'),
  expires: lifetime.prefault('1h').describe('How long it lives; negative: over already.'),
})

const expectation = z.strictObject({
  outcome: z.enum(['allow', 'deny', 'answer']).optional().describe('Default: `deny` with `code`, `reason` or `stage`.'),
  status: z.number().int().min(100).max(599).optional().describe('Of the answer that Postern gives.'),
  code: z.enum(CODES).optional().describe('Code of the refusal.'),
  reason: z.enum(REASON_NAMES).optional().describe('The finer reason.'),
  stage: z.enum(STAGES).optional().describe('Where it was refused.'),
  observed: flag.optional().describe('Whether a refusal was let pass; `code` and the others are then about it.'),
  route: text.optional().describe('Name of the route that governs, or `none`.'),
  principal: z.union([text, z.strictObject({ subject: text.optional(), authenticator: text.optional(), scopes: list.optional(), roles: list.optional(), tier: text.optional() })]).optional().describe('Who was proven: the subject, `anonymous`, or more of it.'),
  path: path.optional().describe('The path that the upstream gets, with the query.'),
  headers: z.record(text, z.union([z.string(), z.array(z.string()).min(1), z.null()])).default({}).describe('What the upstream gets; `null`: nothing of that name.'),
})

/** One row of a table. */
const testCase = z.strictObject({
  name: text.describe('What it shows, in words; unique in its table.'),
  request: request.describe('`METHOD /path`, or a map.'),
  token: token.optional().describe('A token, minted as its issuer would; or text, sent as it is.'),
  key: key.optional().describe('An API key.'),
  session: session.optional().describe('A session in a cookie.'),
  times: count.prefault(1).describe('How often it is asked, in one instant; the last decision counts. Each case begins with unspent quotas.'),
  now: instant.optional().describe('Instead of the table\'s.'),
  expect: z.union([z.enum(['allow', 'deny', 'answer']), expectation]).describe('The decision.'),
})

/** A policy test table as it is written. */
export const tableSchema = z.strictObject({
  config: text.optional().describe('The config, relative to this file. `-c` wins.'),
  env: z.record(text, z.string()).default({}).describe('Variables of the config. It sees no others.'),
  files: z.record(text, z.string()).default({}).describe('Files that the config refers to, by the path that it gives, and what they hold here.'),
  now: instant.optional().describe('The time. Default: that of the run.'),
  defaults: z.strictObject(surroundings).prefault({}).describe('What every request has unless it says otherwise.'),
  cases: z.array(testCase).min(1).describe('The rows.'),
}).meta({ title: 'policy test table' })

export type Table = z.output<typeof tableSchema>
export type TestCase = Table['cases'][number]
export type Expectation = z.output<typeof expectation>
export type TokenSpec = Exclude<NonNullable<TestCase['token']>, string>
export type KeySpec = Exclude<NonNullable<TestCase['key']>, string>
export type SessionSpec = NonNullable<TestCase['session']>
