// Methods (T15, T21). Repeats the method overrides of Rails and Express, CVE-2026-73547 (Envoy, CONNECT without a path) and
// CVE-2026-71324 (Traefik, CONNECT on a shared pool).
import { describe, expect, it } from 'vitest'
import { valuesOf } from '../support/strict-http.ts'
import { bearer, bytesOf, startTarget } from './target.ts'

const { attack, token } = await startTarget({
  config: { routes: [{ match: { path: '/things/**', methods: ['GET'] }, auth: 'none' }, { match: { path: '/things/**' }, auth: ['token'], roles: ['admin'] }, { match: { path: '/public/**' }, auth: 'none' }] },
})

const OVERRIDES = ['X-HTTP-Method-Override', 'X-HTTP-Method', 'X-Method-Override', '_method', 'x-http-method-override', 'X_HTTP_Method_Override', 'X.HTTP.Method', 'X-Original-Method', 'X-Forwarded-Method', 'X-Rewrite-Method']

describe('a method that a header names', () => {
  it.each(OVERRIDES)('%s does not arrive: the real one was judged', async (name) => {
    const { arrived } = await attack(bytesOf('GET /things/1', [`${name}: DELETE`, 'Connection: close']))
    expect(arrived.map(({ method }) => method)).toEqual(['GET'])
    expect(arrived[0]!.headers.map(([, value]) => value)).not.toContain('DELETE')
  })

  it.each(OVERRIDES)('%s opens nothing either', async (name) => {
    expect((await attack(bytesOf('DELETE /things/1', [`${name}: GET`, 'Connection: close']))).statuses).toEqual([401])
  })
})

describe('a method', () => {
  it.each(['CONNECT api.test:80', 'CONNECT /things/1', 'TRACE /things/1', 'TRACE *', 'CONNECT 169.254.169.254:80'])('%s is 405 for anybody', async (line) => {
    for (const lines of [[], [bearer(await token({ roles: ['admin'] }))]]) {
      const { statuses, arrived } = await attack(bytesOf(line, [...lines, 'Connection: close']), { answers: Infinity })
      expect([[405], [400]]).toContainEqual(statuses)
      expect(arrived).toEqual([])
    }
  })

  it.each(['get', 'Get', 'gET', 'GETX', 'GE T', 'G\u00c9T', 'GET\0', '', '"GET"', 'GET,POST', 'XYZZY'])('%j is no method: 400', async (method) => {
    const { statuses, arrived } = await attack(`${method} /things/1 HTTP/1.1\r\nHost: api.test\r\nConnection: close\r\n\r\n`, { answers: Infinity })
    expect(statuses).toEqual([400])
    expect(arrived).toEqual([])
  })

  it.each(['POST', 'PUT', 'PATCH', 'DELETE', 'HEAD', 'OPTIONS', 'PROPFIND', 'MKCOL', 'PURGE', 'QUERY', 'M-SEARCH', 'LOCK', 'SEARCH', 'LINK'])('%s is not GET: the stricter route governs', async (method) => {
    expect((await attack(bytesOf(`${method} /things/1`, ['Connection: close']))).statuses).toEqual([401])
    expect((await attack(bytesOf(`${method} /things/1`, [bearer(await token()), 'Connection: close']))).statuses).toEqual([403])
  })

  it.each(['PROPFIND', 'PURGE', 'QUERY'])('%s arrives as itself on a route for every method', async (method) => {
    expect((await attack(bytesOf(`${method} /public/x`, ['Connection: close']))).arrived.map(({ method: sent }) => sent)).toEqual([method])
  })

  it('OPTIONS * is judged like any target', async () => {
    const { arrived, statuses } = await attack(bytesOf('OPTIONS *', ['Connection: close']))
    expect(statuses[0]).toBeGreaterThanOrEqual(400)
    expect(arrived).toEqual([])
  })
})

it('Max-Forwards does not turn a request into an answer of ours', async () => {
  const { arrived } = await attack(bytesOf('GET /things/1', ['Max-Forwards: 0', 'Connection: close']))
  expect(valuesOf(arrived[0]!.headers, 'x-user-id')).toEqual([])
})
