// Pages of other origins (T59). Repeats CVE-2026-54290 (hono, any origin with credentials), CVE-2024-25124 (Fiber) and CVE-2026-69207
// (hono), and the preflight that is let through to the upstream, which was half of finding F1.
import { describe, expect, it } from 'vitest'
import { headerOf, type RawAnswer } from '../support/raw-client.ts'
import { bearer, bytesOf, chunked, SMUGGLED, startTarget } from './target.ts'

const ORIGIN = 'https://app.test'
const { attack, token } = await startTarget({
  upstream: { answer: () => 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nAccess-Control-Allow-Origin: https://evil.test\r\nAccess-Control-Allow-Credentials: true\r\n\r\nok' },
  config: ({ standard }) => ({
    cors: { origins: [ORIGIN, 'https://other.test:8443'], credentials: true, methods: ['GET', 'POST'], headers: ['authorization', 'x-custom'] },
    routes: [...(standard['routes'] as object[]), { match: { path: '/everybody/**' }, auth: 'none', cors: { origins: ['*'] } }],
  }),
})
const allowed = (answer: RawAnswer): string[] => headerOf(answer, 'access-control-allow-origin')

const FOREIGN = ['https://evil.test', 'null', 'http://app.test', 'https://app.test:443', 'https://app.test.evil.test', 'https://evilapp.test', 'https://APP.TEST', 'https://app.test/', 'https://app.test, https://evil.test', 'https://app.test https://evil.test', '*', '', 'https://app.tes', 'https://xapp.test', 'https://app.test@evil.test', 'https://app.test%00', 'https://app.test\\.evil.test', 'file://', 'https://app_test', 'https://app.test.', 'https://[::1]', 'https://app。test']

describe('an origin that is not listed', () => {
  it.each(FOREIGN)('%j may read nothing: answers, refusals and preflights say so, and say that they vary', async (origin) => {
    const line = `Origin: ${Buffer.from(origin).toString('latin1')}`
    for (const [method, path, lines] of [['GET', '/public/x', []], ['GET', '/guarded/x', []], ['GET', '/guarded/x', [bearer(await token())]], ['GET', '/nowhere', []], ['OPTIONS', '/guarded/x', ['Access-Control-Request-Method: GET']]] as const) {
      const { answers } = await attack(bytesOf(`${method} ${path}`, [line, ...lines, 'Connection: close']))
      expect(allowed(answers[0]!), `${method} ${path}`).toEqual([])
      expect(headerOf(answers[0]!, 'access-control-allow-credentials')).toEqual([])
      if (path !== '/nowhere') expect(headerOf(answers[0]!, 'vary').join().toLowerCase()).toContain('origin')
    }
  })

  it('said twice is nobody', async () => {
    const { answers } = await attack(bytesOf('GET /public/x', [`Origin: ${ORIGIN}`, 'Origin: https://evil.test', 'Connection: close']))
    expect(allowed(answers[0]!)).not.toContain('https://evil.test')
  })
})

describe('a listed origin', () => {
  it('is named once, by us and never by the upstream', async () => {
    for (const [path, status] of [['/public/x', 200], ['/guarded/x', 401]] as const) {
      const { answers } = await attack(bytesOf(`GET ${path}`, [`Origin: ${ORIGIN}`, 'Connection: close']))
      expect(answers[0]!.status).toBe(status)
      expect(allowed(answers[0]!)).toEqual([ORIGIN])
    }
  })

  it('gets a preflight answered here, whatever else is in it, and the upstream hears nothing', async () => {
    for (const lines of [[], ['X-User-Id: root'], [bearer(await token())], ['Authorization: garbage'], ['Content-Length: 0'], ['Expect: 100-continue']]) {
      const { statuses, arrived } = await attack(bytesOf('OPTIONS /guarded/x', [`Origin: ${ORIGIN}`, 'Access-Control-Request-Method: GET', ...lines, 'Connection: close']))
      expect(statuses).toEqual([204])
      expect(arrived).toEqual([])
    }
  })

  it('cannot smuggle in a preflight', async () => {
    for (const [framing, body] of [['Transfer-Encoding: chunked', chunked(SMUGGLED)], [`Content-Length: ${SMUGGLED.length}`, SMUGGLED]] as const) {
      const { arrived, decided } = await attack(bytesOf('OPTIONS /guarded/x', [`Origin: ${ORIGIN}`, 'Access-Control-Request-Method: GET', framing], body))
      expect(arrived).toEqual([])
      expect(decided).toHaveLength(1)
    }
  })
})

describe('OPTIONS that is no preflight', () => {
  it.each([[[]], [[`Origin: ${ORIGIN}`]], [['Access-Control-Request-Method: GET']], [[`Origin: ${ORIGIN}`, 'Access-Control-Request-Method: GET', 'Access-Control-Request-Method: POST']], [[`Origin: ${ORIGIN}`, `Origin: ${ORIGIN}`, 'Access-Control-Request-Method: GET']], [[`Origin: ${ORIGIN}`, 'Access_Control_Request_Method: GET']]])('case %# needs what any request needs: 401', async (lines) => {
    expect((await attack(bytesOf('OPTIONS /guarded/x', [...lines, 'Connection: close']))).statuses).toEqual([401])
  })

  it.each(['GET', 'POST', 'HEAD', 'PUT'])('%s with the fields of a preflight is 401', async (method) => {
    expect((await attack(bytesOf(`${method} /guarded/x`, [`Origin: ${ORIGIN}`, 'Access-Control-Request-Method: OPTIONS', 'Connection: close']))).statuses).toEqual([401])
  })

  it('a preflight for nowhere is 404', async () => {
    expect((await attack(bytesOf('OPTIONS /nowhere', [`Origin: ${ORIGIN}`, 'Access-Control-Request-Method: GET', 'Connection: close']))).statuses).toEqual([404])
  })
})

it('"*" is a star and never with credentials', async () => {
  const { answers } = await attack(bytesOf('GET /everybody/x', ['Origin: https://evil.test', 'Cookie: a=b', 'Connection: close']))
  expect(allowed(answers[0]!)).toEqual(['*'])
  expect(headerOf(answers[0]!, 'access-control-allow-credentials')).toEqual([])
})
