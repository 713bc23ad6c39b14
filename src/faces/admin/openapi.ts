import { DENIAL } from './denials-routes.ts'
import { TRIED } from './explain-routes.ts'
import { NEW_KEY, ROTATION } from './keys-routes.ts'
import { LIMITS_RESET } from './limits-routes.ts'
import { PROBLEM_CODES } from './problem.ts'
import type { MemberSorts } from './request-members.ts'

/** One operation of the admin API. */
export interface Operation {
  /** With `{id}` for the id of a key. */
  readonly path: string
  readonly method: 'get' | 'post' | 'delete'
  readonly id: string
  /** What whoever asks must be allowed. */
  readonly access: 'read' | 'write'
  readonly summary: string
  /** Query parameters besides `authenticator`. */
  readonly query: readonly string[]
  readonly ofKeys: boolean
  readonly body?: MemberSorts
  readonly idempotent?: boolean
  readonly status: 200 | 201 | 204
  /** Name of the schema of the answer. */
  readonly answer?: string
}

/** Every operation; what the listener lets through and what the document says are both made of it. */
export const OPERATIONS: readonly Operation[] = [
  { path: '/v1/keys', method: 'get', id: 'listKeys', access: 'read', summary: 'List keys in the order of their creation, a page at a time', query: ['limit', 'after', 'owner'], ofKeys: true, status: 200, answer: 'KeyPage' },
  { path: '/v1/keys', method: 'post', id: 'createKey', access: 'write', summary: 'Issue a key; its text is in this answer and nowhere else', query: [], ofKeys: true, body: NEW_KEY, idempotent: true, status: 201, answer: 'IssuedKey' },
  { path: '/v1/keys/{id}', method: 'get', id: 'showKey', access: 'read', summary: 'Show a key', query: [], ofKeys: true, status: 200, answer: 'Key' },
  { path: '/v1/keys/{id}', method: 'delete', id: 'revokeKey', access: 'write', summary: 'Revoke a key, for good', query: [], ofKeys: true, status: 204 },
  { path: '/v1/keys/{id}/rotate', method: 'post', id: 'rotateKey', access: 'write', summary: 'Issue a successor; the old key works until the overlap ends', query: [], ofKeys: true, body: ROTATION, idempotent: true, status: 201, answer: 'IssuedKey' },
  { path: '/v1/keys/{id}/suspend', method: 'post', id: 'suspendKey', access: 'write', summary: 'Suspend a key', query: [], ofKeys: true, status: 200, answer: 'Key' },
  { path: '/v1/keys/{id}/resume', method: 'post', id: 'resumeKey', access: 'write', summary: 'Let a suspended key work again', query: [], ofKeys: true, status: 200, answer: 'Key' },
  { path: '/v1/denials', method: 'get', id: 'listDenials', access: 'read', summary: 'What was ended before its time', query: [], ofKeys: false, status: 200, answer: 'DenialList' },
  { path: '/v1/denials', method: 'post', id: 'deny', access: 'write', summary: 'End a token, a session or everything of somebody', query: [], ofKeys: false, body: DENIAL, status: 201, answer: 'Denial' },
  { path: '/v1/limits', method: 'get', id: 'showLimits', access: 'read', summary: 'What is spent of the quotas of one partition; without one, who is near or over a limit, as this process has seen', query: ['partition'], ofKeys: false, status: 200, answer: 'LimitList' },
  { path: '/v1/limits/reset', method: 'post', id: 'resetLimits', access: 'write', summary: 'Forget the counters of one partition, all or those of one policy', query: [], ofKeys: false, body: LIMITS_RESET, status: 200, answer: 'LimitsReset' },
  { path: '/v1/explain', method: 'post', id: 'explain', access: 'write', summary: 'Say what would happen to a request, stage by stage; counts nothing and asks no upstream', query: [], ofKeys: false, body: TRIED, status: 200, answer: 'Explanation' },
  { path: '/v1/openapi.json', method: 'get', id: 'describe', access: 'read', summary: 'This document', query: [], ofKeys: false, status: 200 },
]

const TEXT = { type: 'string' } as const
const MAYBE = { type: ['string', 'null'] } as const
const LIST = { type: 'array', items: TEXT } as const

const KEY = {
  type: 'object',
  properties: {
    id: TEXT, display: { type: 'string', description: 'Prefix and last four characters' }, state: { enum: ['active', 'suspended', 'revoked', 'expired'] }, owner: TEXT, email: MAYBE, tier: MAYBE, status: { enum: ['active', 'suspended'] },
    scopes: LIST, roles: LIST, name: MAYBE, notes: MAYBE, created_at: TEXT, expires_at: MAYBE, revoked_at: MAYBE, last_used_at: MAYBE, uses: { type: 'integer' }, environment: MAYBE,
    allowed_networks: LIST, limits: LIST, replaces: MAYBE, replaced_by: MAYBE, overlap_ends_at: MAYBE,
  },
} as const

const DENIAL_VIEW = { type: 'object', properties: { kind: { enum: ['jti', 'sub', 'sid'] }, value: TEXT, authenticator: TEXT, until: TEXT, issued_before: MAYBE } } as const

const ref = (name: string) => ({ $ref: `#/components/schemas/${name}` })

const SCHEMAS = {
  Key: KEY,
  IssuedKey: { allOf: [ref('Key'), { type: 'object', required: ['key'], properties: { key: { type: 'string', description: 'The key itself. Shown once.' }, replaces: MAYBE } }] },
  KeyPage: { type: 'object', properties: { items: { type: 'array', items: ref('Key') }, next: { type: ['string', 'null'], description: 'Go on with `after`; null on the last page' } } },
  Denial: DENIAL_VIEW,
  DenialList: { type: 'object', properties: { items: { type: 'array', items: ref('Denial') } } },
  LimitList: { type: 'object', properties: { items: { type: 'array', items: { type: 'object', properties: { partition: TEXT, policy: TEXT, exceeded: { type: 'boolean' }, seen_at: TEXT, algorithm: TEXT, window_ms: { type: 'integer' }, used: { type: 'integer' }, quota: { type: ['integer', 'null'] }, remaining: { type: ['integer', 'null'] }, resets_at: TEXT } } } } },
  LimitsReset: { type: 'object', properties: { reset: { type: 'integer', description: 'How many counters were forgotten' } } },
  Explanation: {
    type: 'object', required: ['outcome', 'trace'],
    properties: {
      outcome: { enum: ['allow', 'deny', 'answer'] }, status: { type: 'integer', description: 'Absent where the upstream would answer' }, stage: TEXT, code: TEXT, reason: TEXT, hint: TEXT, evidence: { type: 'object' }, observed: { type: 'boolean' },
      request: { type: 'object' }, route: TEXT, principal: { type: 'object' }, identity: { type: 'object' }, attempts: { type: 'array', items: { type: 'object' } }, limits: { type: 'array', items: { type: 'object' } }, stages: { type: 'array', items: { type: 'object' } },
      trace: { type: 'string', description: 'The same for people, line by line' },
    },
  },
  Problem: { type: 'object', description: 'RFC 9457', properties: { type: TEXT, title: TEXT, status: { type: 'integer' }, code: { enum: PROBLEM_CODES }, detail: TEXT } },
} as const

const SORTS = { text: TEXT, list: LIST, flag: { type: 'boolean' } } as const

const bodyOf = (sorts: MemberSorts) => ({
  content: { 'application/json': { schema: { type: 'object', additionalProperties: false, properties: Object.fromEntries(Object.entries(sorts).map(([name, sort]) => [name, SORTS[sort]])) } } },
})

function describe({ id, access, summary, path, query, ofKeys, body, idempotent, status, answer }: Operation) {
  const parameters = [
    ...(path.includes('{id}') ? [{ name: 'id', in: 'path', required: true, schema: TEXT }] : []),
    ...[...query, ...(ofKeys ? ['authenticator'] : [])].map((name) => ({ name, in: 'query', schema: TEXT })),
    ...(idempotent ? [{ name: 'Idempotency-Key', in: 'header', description: 'Asking again with the same value does nothing a second time', schema: TEXT }] : []),
  ]
  return {
    operationId: id,
    summary,
    description: `Needs what \`admin.${access}\` of the config demands.`,
    ...(parameters.length > 0 && { parameters }),
    ...(body && { requestBody: bodyOf(body) }),
    responses: {
      [status]: { description: 'Done', ...(answer !== undefined && { content: { 'application/json': { schema: ref(answer) } } }) },
      default: { description: 'Not done', content: { 'application/problem+json': { schema: ref('Problem') } } },
    },
  }
}

/** The document (OpenAPI 3.1) of the admin API. */
export function openApiDocument(version: string) {
  const paths: Record<string, Record<string, ReturnType<typeof describe>>> = {}
  for (const operation of OPERATIONS) (paths[operation.path] ??= {})[operation.method] = describe(operation)
  return {
    openapi: '3.1.0',
    info: { title: 'Postern admin API', version },
    security: [{ token: [] }],
    paths,
    components: { securitySchemes: { token: { type: 'http', scheme: 'bearer', description: 'The admin token, or what the authenticators of `admin.auth` take' } }, schemas: SCHEMAS },
  }
}
