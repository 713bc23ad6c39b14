// Who reads the requests of a connection: ours reads ordinary ones, the parser of Node everything from the first on that is not (ADR 0017).
import { once } from 'node:events'
import { connect } from 'node:net'
import { describe, expect, it } from 'vitest'
import { startEchoUpstream } from '../support/echo-upstream.ts'
import { deny, MISSING, startProxy, upstream } from '../support/gateway.ts'
import { closeAfterEach } from '../support/opened.ts'
import { rawRequest } from '../support/raw-client.ts'
import { rawClient, rawExchange, startRawUpstream } from '../support/raw-socket.ts'

const opened = closeAfterEach()

type Options = Partial<Parameters<typeof startProxy>[0]>

const echo = async (options: Options = {}) => {
  const up = opened(await startEchoUpstream())
  return opened(await startProxy({ upstreams: [upstream(up.port)], ...options }))
}

/** A proxy in front of an upstream that writes these bytes. */
const saying = async (bytes: string | Buffer, options: Options = {}) => {
  const up = opened(await startRawUpstream((socket) => void socket.write(bytes)))
  return opened(await startProxy({ upstreams: [upstream(up.port)], ...options }))
}

const get = (path = '/x', ...lines: string[]): string => [`GET ${path} HTTP/1.1`, 'Host: a', ...lines, '', ''].join('\r\n')
const post = (body: string, ...lines: string[]): string => ['POST /x HTTP/1.1', 'Host: a', `Content-Length: ${body.length}`, ...lines, '', body].join('\r\n')
const CHUNKED = 'POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nrare\r\n0\r\n\r\n'

interface Echo { readonly method: string; readonly target: string; readonly body: string }

const echoes = async (port: number, bytes: string | readonly string[], answers: number): Promise<Echo[]> =>
  (await rawRequest(port, bytes, { answers })).map(({ body }) => JSON.parse(body) as Echo)

describe('a connection that becomes another', () => {
  it('goes on with chunks, and after them with ordinary requests', async () => {
    const { port } = await echo()
    const told = await echoes(port, get('/1') + CHUNKED + get('/2') + post('abc') + get('/3', 'Connection: close'), 5)
    expect(told.map(({ method, target, body }) => [method, target, body])).toEqual([['GET', '/1', ''], ['POST', '/x', 'rare'], ['GET', '/2', ''], ['POST', '/x', 'abc'], ['GET', '/3', '']])
  })

  it('is asked for the body that it keeps back', async () => {
    const { port } = await echo()
    const client = rawClient(port)
    client.send(get('/1'))
    await client.until('"target":"/1"')
    client.send('POST /2 HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\nConnection: close\r\n\r\n')
    await client.until('HTTP/1.1 100 Continue')
    client.send('abc')
    expect(await client.ended()).toContain('"body":"abc"')
  })

  it('is refused what is no HTTP behind what is', async () => {
    const { port } = await echo()
    const text = await rawExchange(port, `${get('/1')}GET /2 HTTP/1.1\r\nHost : a\r\n\r\n`)
    expect([...text.matchAll(/HTTP\/1\.1 (\d{3})/g)].map(([, status]) => status)).toEqual(['200', '400'])
  })

  it('is never read by ours again, wherever its bytes are cut', async () => {
    const { port } = await echo()
    const text = get('/1') + CHUNKED + get('/2', 'Connection: close')
    for (let size = 1; size < 60; size += 7) {
      const pieces = Array.from({ length: Math.ceil(text.length / size) }, (_, index) => text.slice(index * size, (index + 1) * size))
      expect((await echoes(port, pieces, 3)).map(({ target }) => target)).toEqual(['/1', '/x', '/2'])
    }
  })
})

describe('a head', () => {
  it('in a few pieces is waited for, and so is one in many', async () => {
    const { port } = await echo()
    for (const size of [40, 3]) {
      const text = get('/1', 'X-A: b', 'Connection: close')
      const pieces = Array.from({ length: Math.ceil(text.length / size) }, (_, index) => text.slice(index * size, (index + 1) * size))
      expect(await echoes(port, pieces, 1)).toMatchObject([{ target: '/1' }])
    }
  })

  it('that is too long is 431, in one piece and in several', async () => {
    const { port } = await echo({ listener: { maxHeaderSize: 4_096 } })
    const long = get('/1', `X: ${'x'.repeat(5_000)}`)
    for (const pieces of [[long], [long.slice(0, 3_000), long.slice(3_000, 4_500), long.slice(4_500)]]) {
      expect((await rawRequest(port, pieces, { answers: 1 })).map(({ status }) => status)).toEqual([431])
    }
  })
})

describe('a head that is said again', () => {
  const AGAIN = 'X-A: b'

  /** What a client hears that has sent two ordinary heads with the same fields, one after the other, and then these bytes. */
  const third = async (port: number, bytes: string): Promise<string> => {
    const client = rawClient(port)
    for (const path of ['/1', '/2']) {
      client.send(get(path, AGAIN))
      await client.until(`"target":"${path}"`)
    }
    const before = client.received().length
    client.send(bytes)
    return (await client.ended()).slice(before)
  }
  /** Without what is another one each time. */
  const compared = (text: string): string => text.replaceAll(/[0-9a-f]{8}-[0-9a-f-]{27}|00-[0-9a-f-]{52}|Date: .*/g, '…')

  const CASES: Readonly<Record<string, string>> = {
    'the same': get('/3', AGAIN),
    'with another method': get('/3', AGAIN).replace('GET', 'DELETE'),
    'with a method that is not ordinary': get('/3', AGAIN).replace('GET', 'PURGE'),
    'with a path that is none': get('x/3', AGAIN),
    'with a blank in the path': get('/3 HTTP/1.1 /4', AGAIN),
    'with another version': get('/3', AGAIN).replace('1.1', '1.0'),
    'behind another line': get('/3', AGAIN).replace('Host', 'X-User-Id: root\r\nHost'),
    'behind a line that ends like a first one': get('/3', AGAIN).replace('Host', 'X-User-Id: GET /4 HTTP/1.1\r\nHost'),
    'behind an empty line': get('/3', AGAIN).replace('Host', '\r\nHost'),
    'behind a line that is folded into the first one': get('/3', AGAIN).replace('Host', ' x HTTP/1.1\r\nHost'),
    'behind a bare line feed': get('/3', AGAIN).replace('\r\nHost', '\nHost'),
    'behind a bare carriage return': get('/3', AGAIN).replace('\r\nHost', '\r\rHost'),
    'with another one behind it': get('/3', AGAIN) + get('/4', AGAIN),
    'with a byte behind it': `${get('/3', AGAIN)}x`,
    'with a byte less': get('/3', AGAIN).slice(0, -1),
    'with another value of the same length': get('/3', 'X-A: c'),
    'with other letters': get('/3', AGAIN.toLowerCase()),
  }

  it('is read as it is on a new connection, and so is what is nearly the same', async () => {
    const { port } = await echo({ listener: { headersTimeoutMs: 500, keepAliveTimeoutMs: 100 } })
    const heard = async (ask: (bytes: string) => Promise<string>): Promise<Record<string, string>> => Object.fromEntries(await Promise.all(Object.entries(CASES).map(async ([title, bytes]) => [title, compared(await ask(bytes))] as const)))
    const [again, anew] = await Promise.all([heard((bytes) => third(port, bytes)), heard((bytes) => rawExchange(port, bytes))])
    expect(again).toEqual(anew)
    expect(new Set(Object.values(anew).map((text) => text.slice(0, 12)))).toEqual(new Set(['HTTP/1.1 200', 'HTTP/1.1 400', 'HTTP/1.1 408']))
  })

  it('but longer than heads may be, is 431', async () => {
    const { port } = await echo({ listener: { maxHeaderSize: 4_096 } })
    expect(await third(port, get(`/${'x'.repeat(4_100)}`, AGAIN))).toMatch(/^HTTP\/1\.1 431 /)
  })

  it('with a body, has that body', async () => {
    const { port } = await echo()
    const told = await echoes(port, post('abc') + post('def') + post('ghi') + post('jkl', 'Connection: close'), 4)
    expect(told.map(({ body }) => body)).toEqual(['abc', 'def', 'ghi', 'jkl'])
    const client = rawClient(port)
    for (const body of ['abc', 'def', 'ghi', 'jkl']) {
      client.send(post(body).slice(0, -3))
      client.send(body)
      await client.until(`"body":"${body}"`)
    }
    client.socket.end()
  })
})

describe('a body', () => {
  it('that comes with its head, behind it or in pieces is the same', async () => {
    const { port } = await echo()
    const text = post('0123456789', 'Connection: close')
    for (const cut of [text.length, text.length - 10, text.length - 5]) {
      expect(await echoes(port, [text.slice(0, cut), text.slice(cut)], 1)).toMatchObject([{ body: '0123456789' }])
    }
  })

  it('of many megabytes passes while the upstream takes its time', async () => {
    const { port } = await echo()
    const body = 'x'.repeat(8_000_000)
    const [told] = await echoes(port, post(body, 'Connection: close'), 1)
    expect(told?.body.length).toBe(body.length)
  })

  it('that nobody wants is read for a moment, so that the answer is not lost', async () => {
    const { port } = await echo({ decide: () => deny(MISSING) })
    const client = rawClient(port)
    client.send('POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n')
    await client.until('HTTP/1.1 401')
    client.send('x'.repeat(500_000))
    expect(await client.ended()).toMatch(/Connection: close/i)
  })

  it('that does not end takes its request along when the client leaves', async () => {
    const proxy = await echo()
    const client = rawClient(proxy.port)
    client.send('POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nhalf')
    await expect.poll(() => proxy.face.inFlight()).toBe(1)
    client.socket.destroy()
    await expect.poll(() => proxy.face.inFlight()).toBe(0)
    expect(proxy.events.exchanged).toMatchObject([{ outcome: 'client_abort' }])
  })
})

describe('an answer', () => {
  it('without a length comes in chunks, and its connection goes on', async () => {
    const proxy = await saying('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n5\r\nworld\r\n0\r\n\r\n')
    const text = await rawExchange(proxy.port, get('/x') + get('/x', 'Connection: close'))
    expect(text.match(/Transfer-Encoding: chunked\r\n\r\n(5\r\nhello\r\n5\r\nworld|a\r\nhelloworld)\r\n0\r\n\r\n/g)).toHaveLength(2)
  })

  it('that a client does not take is waited with as long as with any, small as it is', async () => {
    const up = opened(await startEchoUpstream({ answer: (_incoming, response) => void response.end('x'.repeat(10_000)) }))
    const proxy = opened(await startProxy({ upstreams: [upstream(up.port, { idleTimeoutMs: 300 })] }))
    const client = connect(proxy.port, '127.0.0.1')
    client.pause()
    // Many times what the system holds for a client that does not read.
    client.write(get().repeat(3_000))
    let seen = 0
    const stuck = (): boolean => {
      const before = seen
      seen = proxy.events.exchanged.length
      return seen > 0 && seen === before
    }
    await expect.poll(stuck, { timeout: 10_000 }).toBe(true)
    expect(seen).toBeLessThan(3_000)
    await expect.poll(proxy.face.inFlight, { timeout: 10_000 }).toBe(0)
    expect(proxy.events.exchanged).toHaveLength(seen)
    client.destroy()
  })

  it('to HEAD, and 204 and 304, has no body and no chunks', async () => {
    for (const [request, answer] of [['HEAD /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n', 'HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n'], [get('/x', 'Connection: close'), 'HTTP/1.1 204 No Content\r\n\r\n'], [get('/x', 'Connection: close'), 'HTTP/1.1 304 Not Modified\r\nETag: "x"\r\n\r\n']] as const) {
      const text = await rawExchange((await saying(answer)).port, request)
      expect(text).toMatch(/\r\n\r\n$/)
      expect(text).not.toMatch(/chunked/i)
    }
  })

  it('has the date of its upstream, or ours', async () => {
    const dates = async (field: string): Promise<string[]> => [...(await rawExchange((await saying(`HTTP/1.1 200 OK\r\n${field}Content-Length: 0\r\n\r\n`)).port, get('/x', 'Connection: close'))).matchAll(/^Date: (.*)\r$/gim)].map(([, date = '']) => date)
    expect(await dates('Date: Thu, 01 Jan 1970 00:00:00 GMT\r\n')).toEqual(['Thu, 01 Jan 1970 00:00:00 GMT'])
    const [own = ''] = await dates('')
    expect(Math.abs(Date.parse(own) - Date.now())).toBeLessThan(5_000)
  })

  it('of an upstream that hangs up in the midst of it is cut off, and nobody takes it for whole', async () => {
    const up = opened(await startRawUpstream((socket) => void socket.end('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n')))
    const proxy = opened(await startProxy({ upstreams: [upstream(up.port)] }))
    const text = await rawExchange(proxy.port, get('/x'))
    expect(text).not.toMatch(/0\r\n\r\n$/)
  })

  it('to a client that has hung up goes nowhere, and is not counted as given', async () => {
    const up = opened(await startRawUpstream((socket) => void setTimeout(() => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nlate'), 100)))
    const proxy = opened(await startProxy({ upstreams: [upstream(up.port)] }))
    const client = rawClient(proxy.port)
    client.socket.end(get('/x'))
    expect(await client.ended()).toBe('')
    await expect.poll(() => proxy.face.inFlight()).toBe(0)
    expect(proxy.events.exchanged).toMatchObject([{ outcome: 'client_abort' }])
    expect(proxy.events.answered).toEqual([])
  })

  it('of our own is what it is in UTF-8', async () => {
    const { port } = await echo({ decide: () => deny({ kind: 'denial', code: 'body_rejected', detail: 'gr\u00fcn \u20ac' }) })
    const text = await rawExchange(port, get('/x', 'Connection: close'))
    const body = text.slice(text.indexOf('\r\n\r\n') + 4)
    expect(text).toMatch(new RegExp(`Content-Length: ${body.length}\r\n`, 'i'))
    expect(Buffer.from(body, 'latin1').toString('utf8')).toContain('gr\u00fcn \u20ac')
  })
})

describe('a connection that says nothing more', () => {
  it('is closed when no head comes, and when the next one does not', async () => {
    const proxy = await echo({ listener: { headersTimeoutMs: 100, keepAliveTimeoutMs: 100 } })
    const [silent, halfway] = [rawClient(proxy.port), rawClient(proxy.port)]
    halfway.send(`${get('/1')}GET /2`)
    expect(await silent.ended()).toMatch(/^(HTTP\/1\.1 408 |$)/)
    expect(await halfway.ended()).toMatch(/^HTTP\/1\.1 200 [^]*HTTP\/1\.1 408 /)
  })

  it('is closed at once by a drain, while a request on another one is waited for', async () => {
    const up = opened(await startRawUpstream((socket) => void setTimeout(() => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nlate'), 300)))
    const proxy = opened(await startProxy({ upstreams: [upstream(up.port)] }))
    const [idle, busy] = [rawClient(proxy.port), rawClient(proxy.port)]
    idle.send(get('/1'))
    await idle.until('late')
    busy.send(get('/2'))
    await expect.poll(() => proxy.face.inFlight()).toBe(1)
    const drained = proxy.face.drain(5_000)
    await once(idle.socket, 'close')
    expect(await busy.ended()).toMatch(/Connection: close\r\n[^]*late$/)
    await drained
  })
})
