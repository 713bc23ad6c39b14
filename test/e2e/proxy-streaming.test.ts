import { once } from 'node:events'
import { get, request } from 'node:http'
import type { Socket } from 'node:net'
import { describe, expect, it } from 'vitest'
import { NO_MUTATION } from '../../src/model/mutation.ts'
import { principal } from '../support/described.ts'
import { startEchoUpstream } from '../support/echo-upstream.ts'
import { allow, startProxy, upstream } from '../support/gateway.ts'
import { closeAfterEach } from '../support/opened.ts'
import { rawClient, rawExchange, startRawUpstream } from '../support/raw-socket.ts'

const opened = closeAfterEach()

const MIB = 1_048_576
const BIG = 64 * MIB

const proxyTo = async (port: number, options: Partial<Parameters<typeof startProxy>[0]> = {}) => opened(await startProxy({ upstreams: [upstream(port)], ...options }))

describe('streaming with backpressure', () => {
  it('64 MiB up: the upstream gets every byte, and a slow upstream slows the client down', async () => {
    let received = 0
    let release = (): void => undefined
    const up = opened(await startEchoUpstream({
      answer: (incoming, response) => {
        incoming.pause()
        release = () => {
          incoming.on('data', (chunk: Buffer) => (received += chunk.length))
          incoming.on('end', () => response.end(String(received)))
          incoming.resume()
        }
      },
    }))
    const proxy = await proxyTo(up.port)
    const upload = request({ port: proxy.port, host: '127.0.0.1', method: 'POST', path: '/' })
    const piece = Buffer.alloc(MIB)
    let sent = 0
    const pump = (): void => {
      while (sent < BIG) {
        sent += MIB
        if (!upload.write(piece)) return void upload.once('drain', pump)
      }
      upload.end()
    }
    pump()
    const [answer] = await Promise.all([once(upload, 'response'), (async () => {
      await expect.poll(() => sent > 0 && upload.writableNeedDrain).toBe(true)
      const before = sent
      await new Promise((resolve) => setTimeout(resolve, 150))
      expect(sent).toBeLessThan(before + 16 * MIB)
      expect(sent).toBeLessThan(BIG / 2)
      release()
    })()])
    let text = ''
    for await (const part of answer[0]) text += String(part)
    expect(text).toBe(String(BIG))
  })

  it('64 MiB down: a client that stops reading stops the upstream, and gets every byte when it goes on', async () => {
    let written = 0
    const up = opened(await startEchoUpstream({
      answer: (_incoming, response) => {
        const piece = Buffer.alloc(MIB)
        const pump = (): void => {
          while (written < BIG) {
            written += MIB
            if (!response.write(piece)) return void response.once('drain', pump)
          }
          response.end()
        }
        pump()
      },
    }))
    const proxy = await proxyTo(up.port)
    const asking = get({ port: proxy.port, host: '127.0.0.1', path: '/' })
    const [answer] = await once(asking, 'response')
    answer.pause()
    await new Promise((resolve) => setTimeout(resolve, 200))
    expect(written).toBeLessThan(BIG / 2)
    let bytes = 0
    for await (const part of answer) bytes += part.length
    expect(bytes).toBe(BIG)
  })

  it('sends the head of an event stream at once, and each event as it comes', async () => {
    let emit = (_event: string): void => undefined
    const up = opened(await startEchoUpstream({
      answer: (_incoming, response) => {
        response.writeHead(200, { 'content-type': 'text/event-stream' })
        response.flushHeaders()
        emit = (event) => response.write(`data: ${event}\n\n`)
      },
    }))
    const proxy = await proxyTo(up.port)
    const client = rawClient(proxy.port)
    client.send('GET /events HTTP/1.1\r\nHost: a\r\n\r\n')
    expect(await client.until('\r\n\r\n')).toMatch(/content-type: text\/event-stream/i)
    emit('one')
    await client.until('data: one')
    emit('two')
    await client.until('data: two')
    client.socket.destroy()
  })

  it('passes a body and its answer at the same time', async () => {
    const up = opened(await startEchoUpstream({ answer: (incoming, response) => void incoming.pipe(response) }))
    const proxy = await proxyTo(up.port)
    const client = rawClient(proxy.port)
    client.send('POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n')
    await client.until('one')
    client.send('3\r\ntwo\r\n')
    await client.until('two')
    client.send('0\r\n\r\n')
    expect(await client.ended()).toMatch(/0\r\n\r\n$/)
    expect(proxy.events.exchanged).toMatchObject([{ outcome: 'ok' }])
  })
})

describe('a stream of events', () => {
  const expiring: NonNullable<Parameters<typeof startProxy>[0]['decide']> = (_request, route) => {
    const alice = principal('alice', { expiresAt: Date.now() + 300 })
    return allow(route, { mutation: NO_MUTATION, principals: { primary: alice, byAuthenticator: new Map([['a', alice]]), requiredScopes: new Map() } })
  }

  it('ends at both ends when its credential expires; a download that was begun before does not', async () => {
    const up = opened(await startRawUpstream((socket, head) => socket.write(`HTTP/1.1 200 OK\r\nContent-Type: ${head.includes('/events') ? 'text/event-stream' : 'application/zip'}\r\n\r\nfirst\n\n`)))
    const proxy = await proxyTo(up.port, { decide: expiring })
    const [events, download] = ['/events', '/download'].map((path) => {
      const client = rawClient(proxy.port)
      client.send(`GET ${path} HTTP/1.1\r\nHost: h\r\n\r\n`)
      return client
    })
    await download!.until('first')
    const openedAt = Date.now()
    expect(await events!.ended()).toMatch(/^HTTP\/1\.1 200 [^]*first/)
    expect(Date.now() - openedAt).toBeLessThan(2_000)
    expect(proxy.events.noticed).toEqual(['stream_expired'])
    await expect.poll(() => up.sockets.size).toBe(1)
    for (const socket of up.sockets) socket.end('last')
    expect(await download!.until('last')).toContain('first')
  })
})

describe('whoever leaves takes the other side along', () => {
  it('a client that leaves while it waits ends the exchange with the upstream', async () => {
    const up = opened(await startRawUpstream(() => undefined))
    const proxy = await proxyTo(up.port)
    const client = rawClient(proxy.port)
    client.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
    await expect.poll(() => up.sockets.size).toBe(1)
    client.socket.destroy()
    await expect.poll(() => up.sockets.size).toBe(0)
    expect(proxy.events.exchanged).toMatchObject([{ outcome: 'client_abort' }])
    await expect.poll(() => proxy.face.inFlight()).toBe(0)
  })

  it.each([['reset', (socket: Socket) => socket.resetAndDestroy()], ['FIN', (socket: Socket) => socket.destroy()]])('a client that leaves an event stream by %s ends it', async (_how, leave) => {
    const up = opened(await startRawUpstream((socket) => socket.write('HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: 1\n\n')))
    const proxy = await proxyTo(up.port)
    const client = rawClient(proxy.port)
    client.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
    await client.until('data: 1')
    leave(client.socket)
    await expect.poll(() => up.sockets.size).toBe(0)
    expect(proxy.events.faulted).toEqual([])
  })

  it('a client that leaves in the middle of its body: the upstream sees no end of it', async () => {
    const up = opened(await startRawUpstream(() => undefined))
    const proxy = await proxyTo(up.port)
    const client = rawClient(proxy.port)
    client.send('POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n')
    await expect.poll(() => up.received[0]).toContain('abc')
    client.socket.destroy()
    await expect.poll(() => up.sockets.size).toBe(0)
    expect(up.received[0]).not.toContain('0\r\n\r\n')
  })

  it('an upstream that dies in the middle of its answer: the client sees that it is cut', async () => {
    const up = opened(await startRawUpstream((socket) => socket.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n', () => setTimeout(() => socket.destroy(), 20))))
    const proxy = await proxyTo(up.port)
    const text = await rawExchange(proxy.port, 'GET / HTTP/1.1\r\nHost: a\r\n\r\n')
    expect(text).toContain('abc')
    expect(text).not.toContain('0\r\n\r\n')
    expect(proxy.events.exchanged).toMatchObject([{ outcome: 'reset', status: 200 }])
  })

  it.each([1, 2, 3, 4, 5, 6, 7, 8])('nothing faults and nothing stays when a client is reset after byte group %i', async (step) => {
    const up = opened(await startEchoUpstream())
    const proxy = await proxyTo(up.port)
    const bytes = 'POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n__proto__: x\r\nconstructor: y\r\n\r\nhello'
    const client = rawClient(proxy.port)
    client.send(bytes.slice(0, Math.ceil((bytes.length * step) / 8)))
    await new Promise((resolve) => setTimeout(resolve, step))
    client.socket.resetAndDestroy()
    await expect.poll(() => proxy.face.inFlight()).toBe(0)
    expect(proxy.events.faulted).toEqual([])
    expect((await fetch(`${proxy.url}/after`)).status).toBe(200)
  })
})

describe('an answer before the end of the request', () => {
  it('is relayed whole, and both connections end with it', async () => {
    const up = opened(await startRawUpstream((socket, piece) => {
      if (piece.includes('\r\n\r\n')) socket.write('HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno')
    }))
    const proxy = await proxyTo(up.port)
    const client = rawClient(proxy.port)
    client.send(`POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n${'x'.repeat(1_000)}`)
    await client.until(/\r\n\r\nno$/)
    client.send(`${'x'.repeat(10_000)}GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n`)
    const text = await client.ended()
    expect(text).toMatch(/^HTTP\/1\.1 403 /)
    expect(text).toMatch(/connection: close/i)
    await expect.poll(() => up.sockets.size).toBe(0)
    expect(up.received.join('')).not.toContain('smuggled')
    expect(proxy.events.exchanged).toMatchObject([{ outcome: 'ok', status: 403 }])
  })
})

describe('what answers are made of', () => {
  it('passes 103 on, with its fields, before the answer', async () => {
    const up = opened(await startRawUpstream((socket) => socket.write('HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\nConnection: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok')))
    const proxy = await proxyTo(up.port)
    const text = await rawExchange(proxy.port, 'GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')
    expect(text).toMatch(/^HTTP\/1\.1 103 Early Hints\r\nLink: <\/a.css>; rel=preload\r\n\r\nHTTP\/1\.1 200 OK\r\n/)
  })

  it('does not send 103 to a client of HTTP/1.0', async () => {
    const up = opened(await startRawUpstream((socket) => socket.write('HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok')))
    const proxy = await proxyTo(up.port)
    expect(await rawExchange(proxy.port, 'GET / HTTP/1.0\r\nHost: a\r\n\r\n')).toMatch(/^HTTP\/1\.1 200 OK\r\n/)
  })

  it.each([
    ['HEAD with a length', 'HEAD', 'HTTP/1.1 200 OK\r\nContent-Length: 1234\r\n\r\n', /content-length: 1234/i],
    ['HEAD of a chunked answer', 'HEAD', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n', /^HTTP\/1\.1 200/],
    ['204', 'GET', 'HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n', /^HTTP\/1\.1 204/],
    ['304 with a length', 'GET', 'HTTP/1.1 304 Not Modified\r\nContent-Length: 1234\r\nETag: "x"\r\n\r\n', /etag: "x"/i],
  ])('%s has no body, and the connection can be used again', async (_title, method, answer, expected) => {
    const up = opened(await startRawUpstream((socket) => socket.write(answer)))
    const proxy = await proxyTo(up.port)
    const text = await rawExchange(proxy.port, `${method} / HTTP/1.1\r\nHost: a\r\n\r\n${method} / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`)
    expect(text).toMatch(expected)
    expect(text.match(/HTTP\/1\.1 \d/g)).toHaveLength(2)
    expect(text).not.toMatch(/transfer-encoding/i)
    expect(text).toMatch(/\r\n\r\n$/)
    if (answer.includes(' 204 ')) expect(text).not.toMatch(/content-length/i)
  })

  it('drops trailers and hop-by-hop fields, and keeps repeated fields apart and bytes as they are', async () => {
    const up = opened(await startRawUpstream((socket) => socket.write(Buffer.from('HTTP/1.1 200 Fine\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\nX-Latin: caf\xe9\r\nConnection: X-Hop\r\nX-Hop: 1\r\nKeep-Alive: timeout=5\r\nTrailer: X-T\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX-T: 1\r\n\r\n', 'latin1'))))
    const proxy = await proxyTo(up.port)
    const text = await rawExchange(proxy.port, 'GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')
    expect(text).toMatch(/^HTTP\/1\.1 200 Fine\r\n/)
    expect(text).toContain('Set-Cookie: a=1\r\nSet-Cookie: b=2\r\n')
    expect(text).toContain('X-Latin: caf\xe9\r\n')
    expect(text).not.toMatch(/x-hop|x-t:|trailer|timeout=5/i)
  })

  it('does not decode and does not follow', async () => {
    const up = opened(await startRawUpstream((socket) => socket.write('HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\nzip')))
    const proxy = await proxyTo(up.port)
    const text = await rawExchange(proxy.port, 'GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')
    expect(text).toMatch(/^HTTP\/1\.1 302 [\s\S]*Location: http:\/\/127\.0\.0\.1:1\/[\s\S]*Content-Encoding: gzip[\s\S]*zip$/)
  })

  it('an answer that ends with its connection ends for the client too', async () => {
    const up = opened(await startRawUpstream((socket) => socket.end('HTTP/1.1 200 OK\r\n\r\nall of it')))
    const proxy = await proxyTo(up.port)
    const answer = await fetch(proxy.url)
    expect(await answer.text()).toBe('all of it')
  })
})
