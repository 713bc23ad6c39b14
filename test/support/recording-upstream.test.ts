import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { rawRequest } from './raw-client.ts'
import { readRequest, type RecordingUpstream, startRecordingUpstream } from './recording-upstream.ts'

const GET = 'GET /x?y=%2e HTTP/1.1\r\nHost: h\r\nX-A: 1\r\nx-a:  2 \r\n\r\n'

describe('the recording upstream', () => {
  let upstream: RecordingUpstream
  beforeEach(async () => {
    upstream = await startRecordingUpstream()
  })
  afterEach(() => upstream.close())

  it('records method, target bytes and header lines in order, and echoes them', async () => {
    const [answer] = await rawRequest(upstream.port, GET, { answers: 1 })
    expect(upstream.requests).toEqual([{ method: 'GET', target: '/x?y=%2e', headers: [['Host', 'h'], ['X-A', '1'], ['x-a', '2']], body: Buffer.alloc(0), trailers: [], connection: 0 }])
    expect(answer!.status).toBe(200)
    expect(JSON.parse(answer!.body)).toEqual({ ok: true, method: 'GET', path: '/x?y=%2e', headers: { host: 'h', 'x-a': '1, 2' } })
    expect(upstream.bytesReceived()).toBe(GET.length)
  })

  it('counts pipelined requests apart and takes bodies by their framing, whatever the method', async () => {
    const inner = 'GET /inner HTTP/1.1\r\nHost: h\r\n\r\n'
    const answers = await rawRequest(upstream.port, [
      `DELETE /a HTTP/1.1\r\nHost: h\r\nContent-Length: ${inner.length}\r\n\r\n${inner}`,
      `OPTIONS /b HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n${inner.length.toString(16)}\r\n${inner}\r\n0\r\nX-T: t\r\n\r\n${inner}`,
    ], { answers: 3 })
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200])
    expect(upstream.requests.map(({ method, target, body }) => [method, target, body.toString()])).toEqual([['DELETE', '/a', inner], ['OPTIONS', '/b', inner], ['GET', '/inner', '']])
    expect(upstream.requests[1]!.trailers).toEqual([['X-T', 't']])
    expect(upstream.violations).toEqual([])
  })

  it('reads a request that comes byte by byte', async () => {
    await rawRequest(upstream.port, [...GET], { answers: 1 })
    expect(upstream.requests).toHaveLength(1)
  })

  it('sees a smuggled request when a forwarder forgets the framing', async () => {
    await rawRequest(upstream.port, 'DELETE /x HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\nGET /admin HTTP/1.1\r\nHost: h\r\nX-User-Id: ATTACKER\r\n\r\n', { answers: 2 })
    expect(upstream.requests.map(({ target }) => target)).toEqual(['/x', '/admin'])
  })

  it('counts connections, and hangs up when asked to', async () => {
    const [answer] = await rawRequest(upstream.port, 'GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n')
    await rawRequest(upstream.port, 'GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n')
    expect(answer!.closed).toBe(true)
    expect(upstream.connections()).toBe(2)
    expect(upstream.requests.map(({ connection }) => connection)).toEqual([0, 1])
  })

  it('answers a HEAD without a body', async () => {
    const [answer, ...more] = await rawRequest(upstream.port, 'HEAD / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n')
    expect(answer!.body).toBe('')
    expect(more).toEqual([])
  })

  it('refuses and notes what is no HTTP/1.1, and counts nothing after it', async () => {
    const [answer] = await rawRequest(upstream.port, `GET / HTTP/1.1\nHost: h\n\n${GET}`)
    expect(answer).toMatchObject({ status: 400, closed: true })
    expect(upstream.violations).toEqual(['a bare LF'])
    expect(upstream.requests).toEqual([])
  })
})

describe('readRequest', () => {
  it.each([
    ['a bare LF', 'GET / HTTP/1.1\nHost: h\r\n\r\n'],
    ['a bare CR', 'GET / HTTP/1.1\r\nHost: h\rX: y\r\n\r\n'],
    ['a second blank', 'GET  / HTTP/1.1\r\nHost: h\r\n\r\n'],
    ['another version', 'GET / HTTP/1.0\r\nHost: h\r\n\r\n'],
    ['no version', 'GET /\r\n\r\n'],
    ['a blank in the target', 'GET /a b HTTP/1.1\r\nHost: h\r\n\r\n'],
    ['no Host', 'GET / HTTP/1.1\r\n\r\n'],
    ['two Hosts', 'GET / HTTP/1.1\r\nHost: h\r\nhost: h\r\n\r\n'],
    ['a blank before the colon', 'GET / HTTP/1.1\r\nHost: h\r\nX : y\r\n\r\n'],
    ['a folded line', 'GET / HTTP/1.1\r\nHost: h\r\n X: y\r\n\r\n'],
    ['a line without a name', 'GET / HTTP/1.1\r\nHost: h\r\n: y\r\n\r\n'],
    ['a NUL in a value', 'GET / HTTP/1.1\r\nHost: h\r\nX: a\0b\r\n\r\n'],
    ['two lengths', 'POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\na'],
    ['a length and a coding', 'POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n'],
    ['a signed length', 'POST / HTTP/1.1\r\nHost: h\r\nContent-Length: +1\r\n\r\na'],
    ['another coding', 'POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n'],
    ['a chunk extension', 'POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n1;a=b\r\na\r\n0\r\n\r\n'],
    ['a chunk that is longer than it said', 'POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n0\r\n\r\n'],
    ['an empty chunk size', 'POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n\r\n\r\n'],
  ])('does not accept %s', (_title, text) => {
    expect(readRequest(Buffer.from(text, 'latin1')).kind).toBe('violation')
  })

  it('waits at every byte before the last', () => {
    const text = Buffer.from('POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n')
    for (let length = 0; length < text.length; length += 1) expect(readRequest(text.subarray(0, length)).kind).toBe('incomplete')
    expect(readRequest(text)).toMatchObject({ kind: 'read', end: text.length })
  })
})
