import { describe, expect, it } from 'vitest'
import { NO_NETWORKS } from '../../base/cidr.ts'
import type { Allow } from '../../model/decision.ts'
import type { Gateway, WireSettings } from '../../model/gateway.ts'
import type { ServiceLimit } from '../../model/quota.ts'
import { answerHeaders } from '../../wire/answer-headers.ts'
import { hasField } from '../../wire/answer-lines.ts'
import { createCorsPolicy } from '../../wire/cors.ts'
import { fieldLines } from '../../wire/field-lines.ts'
import { responseHeaders } from '../../wire/response-headers.ts'
import { relayedHead } from './answer-head.ts'
import type { AnswerStart } from './engine.ts'
import type { Exchange } from './exchange.ts'

const ORIGIN = 'https://app.example.com'
const CORS = createCorsPolicy({ origins: [ORIGIN], credentials: true, methods: ['GET'], headers: [], expose: [] })
const LIMIT: ServiceLimit = { policy: { id: 'm', name: 'm', quota: 60, windowMs: 60_000, algorithm: 'fixed', onUnavailable: 'local', shadow: false, reported: true }, remaining: 59, resetsAt: 60_000, exceeded: false, retryAt: 0 }

const wireWith = (cors: boolean): WireSettings => ({
  trustedProxies: NO_NETWORKS, clientIpHeaders: [], owned: { identity: new Set(), other: new Set(), prefixes: [], credentials: new Set() }, aliasHeaders: 'pass',
  errors: { overrides: new Map(), byAuthenticator: new Map(), explain: false, typeBase: '' },
  rateLimitFields: { ietf: true, legacy: true, reset: 'epoch' }, via: false, tracing: true, realm: 'postern', ...(cors ? { cors: CORS } : {}),
})

const LINES: readonly (readonly [string, string])[] = [
  ['Content-Type', 'a/b'], ['Content-Length', '5'], ['content-length', '5'], ['Date', 'x'], ['Connection', 'keep-alive'], ['Connection', 'close'], ['connection', 'X-Hop, keep-alive'], ['X-Hop', '1'], ['Close', '1'], ['Keep-Alive', 'timeout=5'],
  ['Transfer-Encoding', 'chunked'], ['X-Request-Id', 'theirs'], ['x-request-id', 'theirs'], ['Vary', 'Accept'], ['vary', '*'], ['Access-Control-Allow-Origin', '*'], ['access-control-expose-headers', 'x'],
  ['RateLimit', '"api";r=0;t=10'], ['ratelimit-policy', '"api";q=5;w=10'], ['X-RateLimit-Remaining', '3'], ['x-ratelimit-limit', '3'], ['Retry-After', '3'], ['Set-Cookie', 'a=1'], ['TE', 'x'], ['Upgrade', 'x'], ['Trailer', 'x'], ['Proxy-Authenticate', 'x'],
]

/** Every line alone, and beside every other. */
const HEADS: readonly (readonly string[])[] = [[], ...LINES.flatMap((one) => [one, ...LINES.map((other) => [...one, ...other])])]

describe('the head of a relayed answer', () => {
  it.each([200, 204].flatMap((status) => [true, false].flatMap((global) => [true, false].flatMap((own) => [true, false].map((limited) => [status, global, own, limited] as const)))))(
    'of %i is the same line by line as all at once (CORS everywhere: %s, on the route: %s, limits: %s)', (status, global, own, limited) => {
      const wire = wireWith(global)
      const decision = { outcome: 'allow', route: own ? { cors: CORS } : {}, limits: limited ? [LIMIT] : [], attempts: [] } as unknown as Allow
      const exchange = { gateway: { wire } as Gateway, parts: { clock: () => 0 }, incoming: { rawHeaders: ['Origin', ORIGIN] } } as unknown as Exchange
      for (const raw of HEADS) {
        const passing = raw.filter((_, index) => {
          const name = raw[index - (index % 2)]?.toLowerCase() ?? ''
          return !(own && name.startsWith('access-control-')) && !(status === 204 && name === 'content-length')
        })
        const expected = responseHeaders(passing, answerHeaders(decision, { wire, requestId: 'r-1', now: 0, origin: ORIGIN }))
        for (const parts of [raw, raw.map((part) => Buffer.from(part))]) {
          const start: AnswerStart = { status, message: undefined, raw: parts, passing: undefined }
          // The second time from memory.
          for (let time = 1; time <= 2; time += 1) {
            const lines = relayedHead(exchange, { decision, requestId: 'r-1' }, start)
            expect(lines.list()).toEqual(expected)
            expect([lines.text(), lines.sized, lines.dated]).toEqual([fieldLines(expected), hasField(expected, 'content-length'), hasField(expected, 'date')])
          }
        }
      }
    })
})
