import { describe, expect, it } from 'vitest'
import { startEchoUpstream } from '../support/echo-upstream.ts'
import { deny, MISSING, startProxy, upstream } from '../support/gateway.ts'
import { closeAfterEach } from '../support/opened.ts'
import { rawClient, rawExchange, startRawUpstream } from '../support/raw-socket.ts'

const opened = closeAfterEach()

const echoPair = async (options: Partial<Parameters<typeof startProxy>[0]> = {}) => {
  const up = opened(await startEchoUpstream())
  return { up, proxy: opened(await startProxy({ upstreams: [upstream(up.port)], ...options })) }
}

const INNER = 'GET /admin HTTP/1.1\r\nHost: x\r\nX-User-Id: ATTACKER\r\n\r\n'
const chunk = (text: string): string => `${text.length.toString(16)}\r\n${text}\r\n`

describe('a body that looks like a request (T10, F1, F3)', () => {
  const methods = ['GET', 'HEAD', 'DELETE', 'OPTIONS', 'TRACE', 'PATCH', 'POST', 'PUT', 'QUERY', 'PURGE']
  it.each(methods.flatMap((method) => ['', 'Connection: upgrade\r\n', 'Connection: keep-alive\r\n'].map((connection) => [method, connection] as const)))(
    'chunked in %s with %j stays a body: the upstream sees one request at most',
    async (method, connection) => {
      const { up, proxy } = await echoPair()
      const client = rawClient(proxy.port)
      client.send(`${method} /x HTTP/1.1\r\nHost: a\r\n${connection}Transfer-Encoding: chunked\r\n\r\n${chunk(INNER)}0\r\n\r\n`)
      await client.until('\r\n\r\n')
      client.send('GET /after HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')
      await client.ended()
      const [first, ...rest] = up.seen
      expect(up.seen.map(({ target }) => target)).not.toContain('/admin')
      expect(rest.every(({ target }) => target === '/after')).toBe(true)
      if (method === 'TRACE') expect(up.seen).toEqual([])
      else expect(first).toMatchObject({ method, target: '/x', body: INNER, headers: { 'x-user-id': 'verified' } })
    },
  )

  it.each(methods.filter((method) => method !== 'TRACE'))('with a Content-Length in %s stays a body', async (method) => {
    const { up, proxy } = await echoPair()
    await rawExchange(proxy.port, `${method} /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: ${INNER.length}\r\n\r\n${INNER}`)
    expect(up.seen).toMatchObject([{ method, target: '/x', body: INNER }])
  })
})

describe('framing of requests', () => {
  it.each([
    ['both lengths', 'Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n'],
    ['two lengths', 'Content-Length: 4\r\nContent-Length: 5\r\n\r\nabcd'],
    ['two equal lengths', 'Content-Length: 4\r\nContent-Length: 4\r\n\r\nabcd'],
    ['a list of lengths', 'Content-Length: 4, 4\r\n\r\nabcd'],
    ['gzip, chunked', 'Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n'],
    ['identity, chunked', 'Transfer-Encoding: identity, chunked\r\n\r\n0\r\n\r\n'],
    ['chunked twice', 'Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n'],
    ['a sign', 'Content-Length: +4\r\n\r\nabcd'],
    ['a space before the colon', 'Content-Length : 4\r\n\r\nabcd'],
    ['a bare LF in a chunk size', 'Transfer-Encoding: chunked\r\n\r\n4\nabcd\r\n0\r\n\r\n'],
  ])('%s: 400, hung up, and the upstream hears nothing whole', async (_title, rest) => {
    const { up, proxy } = await echoPair()
    const answer = await rawExchange(proxy.port, `POST /x HTTP/1.1\r\nHost: a\r\n${rest}`)
    expect(answer).toMatch(/^HTTP\/1\.1 400 /)
    expect(answer.match(/HTTP\/1\.1 \d/g)).toHaveLength(1)
    expect(up.seen).toEqual([])
  })

  it('drops trailers and never merges them (T5)', async () => {
    const { up, proxy } = await echoPair()
    await rawExchange(proxy.port, 'POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: chunked\r\nTrailer: X-User-Id\r\n\r\n3\r\nabc\r\n0\r\nX-User-Id: evil\r\n\r\n')
    expect(up.seen).toMatchObject([{ body: 'abc', trailers: [], headers: { 'x-user-id': 'verified' } }])
    expect(up.seen[0]?.headers.trailer).toBeUndefined()
  })

  it('answers 431 to more header lines than its limit, and keeps the hidden body from the upstream (T11)', async () => {
    const { up, proxy } = await echoPair({ listener: { maxHeaderSize: 65_536 } })
    const fillers = Array.from({ length: 2_100 }, (_, index) => `a${index}: 1\r\n`).join('')
    const answer = await rawExchange(proxy.port, `POST / HTTP/1.1\r\nHost: a\r\n${fillers}Content-Length: 25\r\nAuthorization: x\r\n\r\nGET /admin HTTP/1.1\r\n\r\n`)
    expect(answer).toMatch(/^HTTP\/1\.1 431 /)
    expect(up.connections()).toBe(0)
  })

  it.each([['more bytes', 'x'.repeat(20_000), 1], ['more lines', 'x', 150]])('answers 431 to a head of %s than its limit', async (_title, value, lines) => {
    const { up, proxy } = await echoPair()
    const answer = await rawExchange(proxy.port, `GET / HTTP/1.1\r\nHost: a\r\n${`x: ${value}\r\n`.repeat(lines)}\r\n`)
    expect(answer).toMatch(/^HTTP\/1\.1 431 /)
    expect(proxy.events.decided).toMatchObject([{ decision: { outcome: 'deny', stage: 'describe', denial: { code: 'request_too_large' } } }])
    expect(up.connections()).toBe(0)
  })

  it.each(['CONNECT a:80', 'TRACE /'])('answers 405 to %s', async (line) => {
    const { up, proxy } = await echoPair()
    expect(await rawExchange(proxy.port, `${line} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`)).toMatch(/^HTTP\/1\.1 405 /)
    expect(up.connections()).toBe(0)
  })

  it('serves Upgrade: h2c as the plain request it is, without the fields (T14)', async () => {
    const { up, proxy } = await echoPair()
    const answer = await rawExchange(proxy.port, 'GET /x HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings, close\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n')
    expect(answer).toMatch(/^HTTP\/1\.1 (200|400) /)
    for (const { headers } of up.seen) {
      expect(headers.upgrade).toBeUndefined()
      expect(headers['http2-settings']).toBeUndefined()
    }
  })
})

describe('Expect (T4, T13)', () => {
  it('asks for the body only after the decision, and tells the upstream nothing of it', async () => {
    const { up, proxy } = await echoPair()
    const client = rawClient(proxy.port)
    client.send('POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nX-User-Id: forged\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n')
    await client.until('HTTP/1.1 100 Continue\r\n\r\n')
    expect(proxy.events.decided).toHaveLength(1)
    client.send('hello')
    await client.until('HTTP/1.1 200')
    expect(up.seen).toMatchObject([{ body: 'hello', headers: { 'x-user-id': 'verified' } }])
    expect(up.seen[0]?.headers.expect).toBeUndefined()
  })

  it('refuses without asking for the body', async () => {
    const { up, proxy } = await echoPair({ decide: () => deny(MISSING) })
    const answer = await rawExchange(proxy.port, 'POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n')
    expect(answer).toMatch(/^HTTP\/1\.1 401 /)
    expect(answer).not.toContain('100 Continue')
    expect(answer).toMatch(/connection: close/i)
    expect(up.connections()).toBe(0)
  })

  it('does not ask for a body that no upstream is there to take', async () => {
    const gone = await startEchoUpstream()
    await gone.close()
    const proxy = opened(await startProxy({ upstreams: [upstream(gone.port)] }))
    const answer = await rawExchange(proxy.port, 'POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n')
    expect(answer).toMatch(/^HTTP\/1\.1 502 /)
  })

  it.each(['x', 'y 100-continue', '100-continue, x', '200-ok'])('answers 417 to %j and hangs up, body or not', async (expectation) => {
    const { up, proxy } = await echoPair()
    const answer = await rawExchange(proxy.port, `POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: ${INNER.length}\r\nExpect: ${expectation}\r\n\r\n${INNER}`)
    expect(answer).toMatch(/^HTTP\/1\.1 417 /)
    expect(answer.match(/HTTP\/1\.1 /g)).toHaveLength(1)
    expect(up.connections()).toBe(0)
    expect(proxy.events.decided).toHaveLength(1)
  })
})

describe('a refused request with a body', () => {
  it('gets its answer though the body is still coming, and what follows the body is not a request', async () => {
    const { up, proxy } = await echoPair({ decide: () => deny(MISSING) })
    const client = rawClient(proxy.port)
    client.send(`POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n${'x'.repeat(500_000)}`)
    await client.until('credential_missing')
    client.send(`${'x'.repeat(500_000)}${INNER}`)
    const text = await client.ended()
    expect(text).toMatch(/connection: close/i)
    expect(text.match(/HTTP\/1\.1 /g)).toHaveLength(1)
    expect(proxy.events.decided).toHaveLength(1)
    expect(up.connections()).toBe(0)
  })

  it('does not hold its connection for long when the client neither reads nor leaves', async () => {
    const { proxy } = await echoPair({ decide: () => deny(MISSING) })
    const client = rawClient(proxy.port)
    const since = Date.now()
    client.send('POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\nx')
    await client.ended()
    expect(Date.now() - since).toBeLessThan(4_000)
  })
})

describe('body limits (T53)', () => {
  it('answers 413 to a length that is too large before it connects', async () => {
    const { up, proxy } = await echoPair({ route: { maxBodyBytes: 10 } })
    expect(await rawExchange(proxy.port, `POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\n\r\n${'x'.repeat(11)}`)).toMatch(/^HTTP\/1\.1 413 /)
    expect(up.connections()).toBe(0)
  })

  it('lets exactly the limit pass, with a length and chunked', async () => {
    const { up, proxy } = await echoPair({ route: { maxBodyBytes: 10 } })
    const head = 'POST /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n'
    expect(await rawExchange(proxy.port, `${head}Content-Length: 10\r\n\r\n${'x'.repeat(10)}`)).toMatch(/^HTTP\/1\.1 200 /)
    expect(await rawExchange(proxy.port, `${head}Transfer-Encoding: chunked\r\n\r\n5\r\nxxxxx\r\n5\r\nxxxxx\r\n0\r\n\r\n`)).toMatch(/^HTTP\/1\.1 200 /)
    expect(up.seen.map(({ body }) => body)).toEqual(['x'.repeat(10), 'x'.repeat(10)])
  })

  it('cuts a chunked body that is one byte too large before the upstream sees its end, and answers 413', async () => {
    const up = opened(await startRawUpstream(() => undefined))
    const proxy = opened(await startProxy({ upstreams: [upstream(up.port)], route: { maxBodyBytes: 10 } }))
    const client = rawClient(proxy.port)
    client.send('POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\na\r\nxxxxxxxxxx\r\n')
    await expect.poll(() => up.received[0]).toContain('xxxxxxxxxx')
    client.send('1\r\ny\r\n0\r\n\r\n')
    expect(await client.ended()).toMatch(/^HTTP\/1\.1 413 /)
    await expect.poll(() => up.sockets.size).toBe(0)
    expect(up.received[0]).not.toContain('y')
    expect(up.received[0]).not.toContain('0\r\n\r\n')
  })

  it('answers 408 to a body that stops coming, and lets the upstream go', async () => {
    const up = opened(await startRawUpstream(() => undefined))
    const proxy = opened(await startProxy({ upstreams: [upstream(up.port)], listener: { bodyIdleTimeoutMs: 100 } }))
    const client = rawClient(proxy.port)
    client.send('POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc')
    expect(await client.ended()).toMatch(/^HTTP\/1\.1 408 /)
    await expect.poll(() => up.sockets.size).toBe(0)
    expect(proxy.events.exchanged).toMatchObject([{ outcome: 'client_abort' }])
  })
})

describe('a route that reads the body before the decision', () => {
  const policy = { maxBytes: 64, contentTypes: ['application/json'] }
  const post = (port: number, body: string, type = 'application/json', more = ''): Promise<string> => rawExchange(port, `POST /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Type: ${type}\r\n${more}Content-Length: ${body.length}\r\n\r\n${body}`)

  it('describes the parsed value, and sends exactly the bytes that were judged, with their length', async () => {
    const values: unknown[] = []
    const { up, proxy } = await echoPair({ route: { body: policy }, match: (request) => void values.push(request.body), decide: (request) => (values.push(request.body?.value), deny(MISSING)) })
    expect(await post(proxy.port, '{"a": 1}')).toMatch(/^HTTP\/1\.1 401 /)
    expect(values).toEqual([undefined, { a: 1 }])
    expect(up.connections()).toBe(0)
    const open = opened(await startProxy({ upstreams: [upstream(up.port)], route: { body: policy } }))
    const chunked = 'POST /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n4\r\n{"a"\r\n4\r\n: 1}\r\n0\r\n\r\n'
    expect(await rawExchange(open.port, chunked)).toMatch(/^HTTP\/1\.1 200 /)
    expect(up.seen).toMatchObject([{ body: '{"a": 1}', headers: { 'content-length': '8' } }])
    expect(up.seen[0]?.headers['transfer-encoding']).toBeUndefined()
  })

  it.each([
    ['another content type', '{}', 'text/plain', ''],
    ['no JSON', '{"a":', 'application/json', ''],
    ['a coded body', '{}', 'application/json', 'Content-Encoding: gzip\r\n'],
  ])('refuses %s', async (_title, body, type, more) => {
    const { up, proxy } = await echoPair({ route: { body: policy } })
    expect(await post(proxy.port, body, type, more)).toMatch(/^HTTP\/1\.1 4(00|13|15|22) /)
    expect(up.connections()).toBe(0)
    expect(proxy.events.decided).toMatchObject([{ decision: { outcome: 'deny' } }])
  })

  it.each([['a length', `Content-Length: 65\r\n\r\n`], ['chunks', `Transfer-Encoding: chunked\r\n\r\n41\r\n${' '.repeat(65)}\r\n`]])('refuses more than it may read, by %s', async (_title, rest) => {
    const { up, proxy } = await echoPair({ route: { body: policy } })
    expect(await rawExchange(proxy.port, `POST /x HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n${rest}`)).toMatch(/^HTTP\/1\.1 413 /)
    expect(up.connections()).toBe(0)
  })

  it('sends 100 Continue when it reads, and refuses a body that does not arrive', async () => {
    const { proxy } = await echoPair({ route: { body: policy }, listener: { bodyIdleTimeoutMs: 100 } })
    const answer = await rawExchange(proxy.port, 'POST /x HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n')
    expect(answer).toMatch(/^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 4\d\d /)
  })
})
