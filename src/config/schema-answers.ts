import { z } from 'zod'
import { duration, flag, list, oneOrMore, size, text } from './scalars.ts'

/** Any JSON: templates stand in its strings. */
const jsonTemplate: z.ZodType<unknown> = z.unknown().meta({ title: 'JSON with {{templates}}' })

/** What one refusal looks like. `body` replaces the shape for this entry alone. */
export const errorOverride = z.strictObject({
  status: z.number().int().min(400).max(599).optional().describe('Status instead of the usual one.'),
  code: text.optional().describe('`{{code}}` of the shape.'),
  title: text.optional().describe('`{{title}}` of the shape.'),
  message: text.optional().describe('`{{message}}` of the shape.'),
  extra: z.record(z.string(), jsonTemplate).optional().describe('Members added to the body.'),
  body: jsonTemplate.optional().describe('The whole body instead of the shape.'),
}).meta({ title: 'error override' })

/** By code (`quota_exceeded`), or by status (`"401"`) for every code of that status. A code wins over a status. */
export const errorOverrides = z.record(z.string(), errorOverride).meta({ title: 'error overrides' })

export const errors = z.strictObject({
  shape: jsonTemplate.optional().describe('Body of every refusal instead of problem details. Placeholders: status, status_text, code, title, message, retry_after, request_id. A string that is one placeholder keeps its type.'),
  codes: errorOverrides.default({}).describe('Texts and statuses by code or status.'),
}).meta({ title: 'errors' })

export const cors = z.strictObject({
  origins: list.describe('Exact origins, or `*`.'),
  credentials: flag.prefault(false).describe('Never together with `*`.'),
  methods: list.prefault(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE']).describe('Methods that a preflight allows.'),
  headers: list.prefault(['authorization', 'content-type']).describe('Request headers that a preflight allows.'),
  expose: list.prefault([]).describe('Answer headers that pages may read.'),
  max_age: duration.optional().describe('How long browsers remember a preflight.'),
}).meta({ title: 'cors' })

export const csrf = z.strictObject({
  origins: list.prefault([]).describe('Origins, besides the API\'s own, whose pages may send cookie-authenticated unsafe requests.'),
}).meta({ title: 'csrf' })

/** Name of the header to its value: a bare name is an attribute of the principal, `{{…}}` a template. */
export const identity = z.record(z.string().regex(/^[A-Za-z0-9-]+$/, 'expected a header name of letters, digits and dashes'), text).meta({ title: 'identity headers' })

export const rateLimitHeaders = z.strictObject({
  ietf: flag.prefault(true).describe('RateLimit and RateLimit-Policy (draft-ietf-httpapi-ratelimit-headers-10).'),
  legacy: flag.prefault(false).describe('X-RateLimit-Limit, -Remaining and -Reset of the reported policy.'),
  reset: z.enum(['epoch', 'delta']).default('epoch').describe('Unit of X-RateLimit-Reset.'),
}).meta({ title: 'rate limit headers' })

export const bodyPolicy = z.strictObject({
  max_bytes: size.prefault('16KiB').describe('Read before the decision, at most this much.'),
  content_types: oneOrMore.prefault(['application/json']).describe('Other media types are refused.'),
  grant_types: list.optional().describe('Values that `grant_type` may have, in query and body together.'),
  require_equal: z.record(z.string(), text).optional().describe('Dotted path in the body to the template it must equal when a principal is identified.'),
  forbid_anonymous: z.record(z.string(), z.unknown()).optional().describe('Dotted path to a value that only an identified principal may send; `true` stands for everything that is taken for a yes.'),
  when: text.optional().describe('The authenticator whose principal these checks are about. Default: the primary one.'),
  enabled: flag.prefault(true).describe('`off` switches the checks off, as a variable may say.'),
}).meta({ title: 'body policy' })
