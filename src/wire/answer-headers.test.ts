import { describe, expect, test } from 'vitest'
import { NO_NETWORKS } from '../base/cidr.ts'
import type { Answer } from '../model/decision.ts'
import type { WireSettings } from '../model/gateway.ts'
import type { ServiceLimit } from '../model/quota.ts'
import { answerHeaders } from './answer-headers.ts'
import { createCorsPolicy } from './cors.ts'

const ORIGIN = 'https://app.example.com'
const cors = createCorsPolicy({ origins: [ORIGIN], credentials: true, methods: ['GET'], headers: [], expose: ['Retry-After'] })

const WIRE: WireSettings = {
  trustedProxies: NO_NETWORKS, clientIpHeaders: [], owned: { identity: new Set(), other: new Set(), prefixes: [], credentials: new Set() }, aliasHeaders: 'pass',
  errors: { overrides: new Map(), byAuthenticator: new Map(), explain: false, typeBase: '' },
  rateLimitFields: { ietf: true, legacy: false, reset: 'epoch' }, via: false, tracing: true, realm: 'postern',
}
const LIMIT: ServiceLimit = { policy: { id: 'm', name: 'm', quota: 60, windowMs: 60_000, algorithm: 'fixed', onUnavailable: 'local', shadow: false, reported: true }, remaining: 59, resetsAt: 60_000, exceeded: false, retryAt: 0 }

const answer = (headers: Answer['reply']['headers'], limits: readonly ServiceLimit[] = []): Answer => ({ outcome: 'answer', reply: { status: 200, headers, body: '' }, limits, attempts: [] })
const added = (decision: Answer, wire: WireSettings = WIRE) => answerHeaders(decision, { wire, requestId: 'r-1', now: 0, origin: ORIGIN })

describe('what is added to an answer', () => {
  test('the request id, always', () => {
    expect(added(answer([]))).toEqual([['X-Request-Id', 'r-1']])
  })

  test('what is left of the quotas, and who may read it', () => {
    expect(added(answer([], [LIMIT]), { ...WIRE, cors })).toEqual([
      ['X-Request-Id', 'r-1'], ['RateLimit-Policy', '"m";q=60;w=60'], ['RateLimit', '"m";r=59;t=60'],
      ['Access-Control-Allow-Origin', ORIGIN], ['Access-Control-Allow-Credentials', 'true'], ['Access-Control-Expose-Headers', 'Retry-After'], ['Vary', 'Origin'],
    ])
  })

  test('no second CORS field beside those of a preflight, refused ones included', () => {
    for (const origin of [ORIGIN, 'https://evil.example']) {
      expect(added(answer(cors.preflightFor(origin)), { ...WIRE, cors })).toEqual([['X-Request-Id', 'r-1']])
    }
  })
})
