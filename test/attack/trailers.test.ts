// Trailers that would become headers (T5). Repeats the merges that RFC 9110 section 6.5.1 forbids, and request smuggling in the trailer
// section (CVE-2026-24033 and the "TR.*" cases of the HTTP Garden).
import { describe, expect, it } from 'vitest'
import { valuesOf } from '../support/strict-http.ts'
import { bearer, startTarget, bytesOf } from './target.ts'

const { attack, token } = await startTarget()

const NAMES = ['X-User-Id', 'x_user_id', 'Content-Length', 'Transfer-Encoding', 'Host', 'Authorization', 'X-Forwarded-For', 'Connection', 'X-Plain']

describe('a trailer', () => {
  it.each(NAMES.flatMap((name) => [true, false].map((announced) => [name, announced] as const)))('%s, announced: %s, ends here', async (name, announced) => {
    const head = bytesOf('POST /guarded/x', ['Transfer-Encoding: chunked', 'Connection: close', bearer(await token()), ...(announced ? [`Trailer: ${name}`] : [])])
    const { statuses, arrived } = await attack(`${head}3\r\nabc\r\n0\r\n${name}: 7\r\n\r\n`, { answers: Infinity, mayStayBehind: true })
    // Node gives up on framing fields in a trailer: then there was no whole request.
    expect([[200], [400]]).toContainEqual(statuses)
    for (const request of arrived) {
      expect(request.body.toString()).toBe('abc')
      expect(request.trailers).toEqual([])
      expect(valuesOf(request.headers, 'trailer')).toEqual([])
      expect(valuesOf(request.headers, 'x-plain')).toEqual([])
    }
  })

  it('cannot authenticate', async () => {
    const { statuses, arrived } = await attack(`${bytesOf('POST /guarded/x', ['Transfer-Encoding: chunked', 'Trailer: Authorization'])}0\r\n${bearer(await token())}\r\n\r\n`, { answers: Infinity, timeoutMs: 2_500 })
    expect(statuses[0]).toBe(401)
    expect(arrived).toEqual([])
  })
})
