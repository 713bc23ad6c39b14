import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import type { Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TLSSocket } from 'node:tls'
import { Worker } from 'node:worker_threads'
import { describe, expect, it } from 'vitest'
import { createAuthority } from '../support/certificates.ts'
import { startEchoUpstream } from '../support/echo-upstream.ts'
import { allow, startProxy, upstream } from '../support/gateway.ts'
import { closeAfterEach } from '../support/opened.ts'
import { rawClient, rawExchange, startRawUpstream } from '../support/raw-socket.ts'

const opened = closeAfterEach()

type Upstream = Parameters<typeof upstream>

const proxyTo = async (target: Upstream[0], more: Upstream[1] = {}) => opened(await startProxy({ upstreams: [upstream(target, more)] }))

const ask = (port: number, method = 'GET'): Promise<string> => rawExchange(port, `${method} / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`)

describe('an upstream that does not answer as it should', () => {
  it.each([
    ['both lengths', 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n'],
    ['two lengths', 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok'],
    ['a coding other than chunked', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nxx'],
    ['gzip, chunked', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n'],
    ['a bare CR in a field', 'HTTP/1.1 200 OK\r\nX: a\rb\r\nContent-Length: 2\r\n\r\nok'],
    ['no HTTP', 'SSH-2.0-OpenSSH\r\n'],
    ['a 101 nobody asked for', 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n'],
    ['a 101 to nothing', 'HTTP/1.1 101 Switching Protocols\r\n\r\n'],
    ['too large a head', `HTTP/1.1 200 OK\r\nX: ${'x'.repeat(80_000)}\r\n\r\n`],
  ])('%s: 502 and nothing of it', async (_title, answer) => {
    const up = opened(await startRawUpstream((socket) => socket.write(answer)))
    const proxy = await proxyTo(up.port)
    const text = await ask(proxy.port)
    expect(text).toMatch(/^HTTP\/1\.1 502 /)
    expect(text).toContain('upstream_unreachable')
    expect(proxy.events.exchanged).toMatchObject([{ outcome: 'protocol_error' }])
    await expect.poll(() => up.sockets.size).toBe(0)
  })

  it.each([
    ['fewer bytes than promised', 'Content-Length: 10\r\n\r\nabc'],
    ['chunks without an end', 'Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n'],
  ])('%s: the client sees that it is cut', async (_title, rest) => {
    const up = opened(await startRawUpstream((socket) => socket.end(`HTTP/1.1 200 OK\r\n${rest}`)))
    const proxy = await proxyTo(up.port)
    await expect(fetch(proxy.url).then((answer) => answer.text())).rejects.toThrow()
    await expect.poll(() => proxy.events.exchanged).toHaveLength(1)
    expect(proxy.events.exchanged[0]?.outcome).not.toBe('ok')
  })

  it('a reset within an answer without a length is no end of it', async () => {
    const up = opened(await startRawUpstream((socket) => socket.write('HTTP/1.1 200 OK\r\n\r\nabc', () => setTimeout(() => socket.resetAndDestroy(), 30))))
    const proxy = await proxyTo(up.port)
    const client = rawClient(proxy.port)
    client.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
    const text = await client.ended()
    expect(text).toContain('abc')
    expect(text).not.toContain('0\r\n\r\n')
  })

  it('more bytes than promised: the client gets what was promised', async () => {
    const up = opened(await startRawUpstream((socket) => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokEXTRA')))
    const proxy = await proxyTo(up.port)
    expect(await ask(proxy.port)).toMatch(/\r\n\r\nok$/)
    await expect.poll(() => up.sockets.size).toBe(0)
  })

  it('silence: 504 when the first byte is due, and the connection goes', async () => {
    const up = opened(await startRawUpstream(() => undefined))
    const proxy = await proxyTo(up.port, { firstByteTimeoutMs: 100 })
    expect(await ask(proxy.port)).toMatch(/^HTTP\/1\.1 504 /)
    expect(proxy.events.exchanged).toMatchObject([{ outcome: 'timeout' }])
    await expect.poll(() => up.sockets.size).toBe(0)
  })

  it('a pause in the answer that is too long: cut', async () => {
    const up = opened(await startRawUpstream((socket) => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc')))
    const proxy = await proxyTo(up.port, { idleTimeoutMs: 100 })
    expect(await ask(proxy.port)).toMatch(/abc$/)
    expect(proxy.events.exchanged).toMatchObject([{ outcome: 'timeout', status: 200 }])
  })

  it('a refused connection: 502, told to the operator once, and forgotten with the next answer', async () => {
    const gone = await startEchoUpstream()
    await gone.close()
    const proxy = await proxyTo(gone.port)
    for (let index = 0; index < 3; index += 1) expect(await ask(proxy.port)).toMatch(/^HTTP\/1\.1 502 /)
    expect(proxy.pools.state('default')).toMatchObject({ consecutiveFailures: 3, lastError: { cause: 'ECONNREFUSED' } })
    expect(proxy.events.noticed).toEqual(['upstream_unreachable'])
    expect(proxy.events.exchanged.map(({ outcome }) => outcome)).toEqual(['connect_error', 'connect_error', 'connect_error'])
    const back = opened(await startRawUpstream((socket) => socket.write('HTTP/1.1 204 No Content\r\n\r\n')))
    const again = opened(await startProxy({ upstreams: [upstream(back.port)] }))
    again.pools.missed('default', 'ECONNREFUSED')
    await ask(again.port)
    expect(again.pools.state('default').consecutiveFailures).toBe(0)
  })

  it('a connection that is closed as soon as it is opened: 502, and no storm of attempts', async () => {
    const up = opened(await startRawUpstream(() => undefined, (socket) => socket.destroy()))
    const proxy = await proxyTo(up.port)
    expect(await ask(proxy.port)).toMatch(/^HTTP\/1\.1 502 /)
    expect(up.received.length).toBeLessThan(3)
  })

  it('a full house: whoever waits longer than it takes to connect gets 503, and who leaves costs no connection', async () => {
    const up = opened(await startRawUpstream(() => undefined))
    const proxy = await proxyTo(up.port, { maxConnections: 1, connectTimeoutMs: 150 })
    const first = rawClient(proxy.port)
    first.send('GET /first HTTP/1.1\r\nHost: a\r\n\r\n')
    await expect.poll(() => up.received.length).toBe(1)
    const leaver = rawClient(proxy.port)
    leaver.send('GET /leaver HTTP/1.1\r\nHost: a\r\n\r\n')
    await expect.poll(() => proxy.face.inFlight()).toBe(2)
    leaver.socket.destroy()
    expect(await ask(proxy.port)).toMatch(/^HTTP\/1\.1 503 /)
    expect(up.received).toHaveLength(1)
    expect(up.sockets.size).toBe(1)
    first.socket.destroy()
  })

  it('a full house: whoever waits gets the connection that is given back', async () => {
    const up = opened(await startEchoUpstream({ answer: (_incoming, response) => void setTimeout(() => response.end('done'), 20) }))
    const proxy = await proxyTo(up.port, { maxConnections: 2 })
    const answers = await Promise.all(Array.from({ length: 8 }, async () => (await fetch(proxy.url)).text()))
    expect(answers).toEqual(Array.from({ length: 8 }, () => 'done'))
    expect(up.connections()).toBe(2)
  })
})

describe('asking again', () => {
  /** Answers the first request of a connection and hangs up on the second one. */
  const forgetful = () => {
    const asked = new Map<number, number>()
    return startRawUpstream((socket, _piece, connection) => {
      const count = (asked.get(connection) ?? 0) + 1
      asked.set(connection, count)
      if (count === 1) socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok')
      else socket.destroy()
    })
  }
  const wake = async (port: number): Promise<void> => void (await ask(port))

  it.each(['GET', 'OPTIONS', 'DELETE', 'PUT'])('%s without a body is asked again, once, when a reused connection is lost before a byte', async (method) => {
    const up = opened(await forgetful())
    const proxy = await proxyTo(up.port)
    await wake(proxy.port)
    expect(await ask(proxy.port, method)).toMatch(/^HTTP\/1\.1 200 /)
    expect(up.received).toHaveLength(2)
    expect(proxy.events.exchanged.map(({ outcome }) => outcome)).toEqual(['ok', 'reset', 'ok'])
  })

  it('POST is not', async () => {
    const up = opened(await forgetful())
    const proxy = await proxyTo(up.port)
    await wake(proxy.port)
    expect(await ask(proxy.port, 'POST')).toMatch(/^HTTP\/1\.1 502 /)
    expect(up.received).toHaveLength(1)
  })

  it('a request with a body is not', async () => {
    const up = opened(await forgetful())
    const proxy = await proxyTo(up.port)
    await wake(proxy.port)
    expect(await rawExchange(proxy.port, 'PUT / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 2\r\n\r\nhi')).toMatch(/^HTTP\/1\.1 502 /)
    expect(up.received).toHaveLength(1)
  })

  it.each([['a length', 'Content-Length: 2\r\n\r\nhi'], ['chunks', 'Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n']])('not even when the whole body had arrived before the decision did: it is gone by then (%s)', async (_title, rest) => {
    const up = opened(await forgetful())
    const late = upstream(up.port)
    const proxy = opened(await startProxy({ upstreams: [late], decide: async (_request, route) => {
      await new Promise((resolve) => setTimeout(resolve, 20))
      return allow(route)
    } }))
    await wake(proxy.port)
    expect(await rawExchange(proxy.port, `PUT / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n${rest}`)).toMatch(/^HTTP\/1\.1 502 /)
    expect(up.received).toHaveLength(1)
  })

  it('a fresh connection that is lost is not, and neither is one that had begun to answer', async () => {
    const fresh = opened(await startRawUpstream((socket) => socket.destroy()))
    const proxy = await proxyTo(fresh.port)
    expect(await ask(proxy.port)).toMatch(/^HTTP\/1\.1 502 /)
    expect(fresh.received).toHaveLength(1)

    let count = 0
    const begun = opened(await startRawUpstream((socket) => (count += 1) === 1 ? socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok') : socket.end('HTTP/1.1 2')))
    const other = await proxyTo(begun.port)
    await wake(other.port)
    expect(await ask(other.port)).toMatch(/^HTTP\/1\.1 502 /)
    expect(count).toBe(2)
  })

  it('an idle connection that the upstream has closed is noticed before it is used', async () => {
    const up = opened(await startRawUpstream((socket) => {
      socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok')
      socket.end()
    }))
    const proxy = await proxyTo(up.port)
    await wake(proxy.port)
    expect(await ask(proxy.port, 'POST')).toMatch(/^HTTP\/1\.1 200 /)
    expect(proxy.events.exchanged.map(({ outcome }) => outcome)).toEqual(['ok', 'ok'])
  })
})

describe('an upstream connection that speaks out of turn (T12)', () => {
  const GOOD = 'HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nA'
  const POISON = 'HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nPOISON'

  it('a second answer together with the first reaches nobody in 200 requests on 20 sockets', async () => {
    const up = opened(await startRawUpstream((socket) => socket.write(GOOD + POISON)))
    const proxy = await proxyTo(up.port)
    const answers: string[] = []
    await Promise.all(Array.from({ length: 20 }, async () => {
      for (let index = 0; index < 10; index += 1) answers.push(await (await fetch(proxy.url)).text())
    }))
    expect(answers).toEqual(Array.from({ length: 200 }, () => 'A'))
  })

  it('a second answer that comes while the connection is idle destroys it, and the next request opens another', async () => {
    const up = opened(await startRawUpstream((socket) => {
      socket.write(GOOD)
      setTimeout(() => socket.write(POISON), 20)
    }))
    const proxy = await proxyTo(up.port)
    expect(await (await fetch(proxy.url)).text()).toBe('A')
    await expect.poll(() => up.sockets.size).toBe(0)
    expect(await (await fetch(proxy.url)).text()).toBe('A')
    expect(up.received).toHaveLength(2)
  })

  it('an upstream that speaks before it is asked is hung up on', async () => {
    const up = opened(await startRawUpstream((socket) => socket.write(GOOD), (socket) => socket.write(POISON)))
    const proxy = await proxyTo(up.port)
    const text = await ask(proxy.port)
    expect(text).not.toContain('POISON')
    expect(up.received.join('')).toBe('')
  })

  it('a second answer that arrives during a blocked event loop is read before the connection is used: the guard waits one whole turn', async () => {
    // In a thread of its own, so that it speaks while this one is blocked.
    const worker = new Worker(`
      const { parentPort } = require('node:worker_threads')
      const server = require('node:net').createServer((socket) => {
        socket.on('error', () => undefined)
        socket.on('data', () => { socket.write(${JSON.stringify(GOOD)}); setTimeout(() => socket.write(${JSON.stringify(POISON)}), 15) })
      }).listen(0, '127.0.0.1', () => parentPort.postMessage(server.address().port))
    `, { eval: true })
    opened({ close: async () => void (await worker.terminate()) })
    const [port] = await once(worker, 'message') as [number]
    const block = (ms: number): void => {
      const until = performance.now() + ms
      while (performance.now() < until);
    }
    // The decision is made within the poll phase, in which the poison is already waiting but has not been read.
    const proxy = opened(await startProxy({ upstreams: [upstream(port)], match: (request) => void (request.target.path === '/second' && block(50)) }))
    for (let round = 0; round < 10; round += 1) {
      const client = rawClient(proxy.port)
      client.send('GET /first HTTP/1.1\r\nHost: a\r\n\r\n')
      await client.until(/\r\n\r\nA$/)
      client.send('GET /second HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')
      const text = await client.ended()
      expect(text).not.toContain('POISON')
      expect(text).toMatch(/\r\n\r\nA$/)
    }
  })

  it('what remains: a second answer that arrives after the next request has been sent is taken for its answer; keepAlive false closes that too', async () => {
    const speak = (socket: Socket, piece: string): void => {
      if (piece.includes('/second')) socket.write(POISON)
      else socket.write(GOOD)
    }
    const up = opened(await startRawUpstream(speak))
    const trusting = await proxyTo(up.port)
    expect(await (await fetch(`${trusting.url}/first`)).text()).toBe('A')
    // Nothing on the wire tells this from the right answer: the upstream wrote it after the request had reached it.
    expect(await (await fetch(`${trusting.url}/second`)).text()).toBe('POISON')
    expect(up.received).toHaveLength(1)

    const late = opened(await startRawUpstream((socket) => {
      socket.write(GOOD)
      setTimeout(() => socket.write(POISON), 5)
    }))
    const careful = await proxyTo(late.port, { keepAlive: false })
    for (let index = 0; index < 20; index += 1) expect(await (await fetch(careful.url)).text()).toBe('A')
    expect(late.received).toHaveLength(20)
    expect(late.received[0]).toMatch(/connection: close/i)
  })

  it('a connection is not used again after a chunked request, an abort, or an early answer', async () => {
    const up = opened(await startEchoUpstream())
    const proxy = await proxyTo(up.port)
    const chunked = 'POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n'
    await rawExchange(proxy.port, chunked)
    await rawExchange(proxy.port, chunked)
    expect(up.connections()).toBe(2)
    expect(up.seen[0]?.headers.connection).toBe('close')
  })
})

describe('where an upstream is', () => {
  it('a unix socket', async () => {
    const path = join(tmpdir(), `postern-${randomBytes(6).toString('hex')}.sock`)
    const up = opened(await startEchoUpstream({ unixPath: path }))
    const proxy = await proxyTo(path)
    expect(await ask(proxy.port)).toMatch(/^HTTP\/1\.1 200 /)
    expect(up.seen).toHaveLength(1)
  })

  it('https with a certificate of the right authority and name, whatever Host the client sends', async () => {
    const authority = opened(createAuthority())
    const { key, certificate } = authority.issue('api', 'DNS:api.test')
    const up = opened(await startEchoUpstream({ tls: { key, cert: certificate } }))
    const names: (string | false | null)[] = []
    up.server.on('secureConnection', (socket: TLSSocket) => names.push(socket.servername ?? null))
    const proxy = await proxyTo(up.port, { origin: `https://127.0.0.1:${up.port}`, ca: authority.ca, serverName: 'api.test' })
    for (const host of ['a', 'evil.test', 'api.test']) expect(await rawExchange(proxy.port, `GET / HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`)).toMatch(/^HTTP\/1\.1 200 /)
    expect(new Set(names)).toEqual(new Set(['api.test']))
    expect(up.connections()).toBe(1)
  })

  it.each([
    ['another name', 'DNS:other.test', true, { serverName: 'api.test' }],
    ['another name that the client asks for', 'DNS:evil.test', true, { serverName: 'api.test' }],
    ['an unknown authority', 'DNS:api.test', false, { serverName: 'api.test' }],
    ['a name where the address is meant', 'DNS:evil.test', true, {}],
  ])('https with %s is refused, and hears nothing of the request', async (_title, name, known, more) => {
    const authority = opened(createAuthority())
    const { key, certificate } = authority.issue('api', name)
    const up = opened(await startEchoUpstream({ tls: { key, cert: certificate } }))
    const proxy = await proxyTo(up.port, { origin: `https://127.0.0.1:${up.port}`, ...(known ? { ca: authority.ca } : {}), ...more })
    expect(await rawExchange(proxy.port, 'GET / HTTP/1.1\r\nHost: evil.test\r\nConnection: close\r\n\r\n')).toMatch(/^HTTP\/1\.1 502 /)
    expect(up.seen).toEqual([])
    expect(proxy.events.exchanged).toMatchObject([{ outcome: 'connect_error' }])
  })
})

describe('pools', () => {
  it('a request that was told to come back is not sent after all, whoever gives a connection back at that moment', async () => {
    const up = opened(await startRawUpstream((socket) => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok')))
    const proxy = await proxyTo(up.port, { maxConnections: 1, connectTimeoutMs: 100 })
    const pool = proxy.pools.of(upstream(up.port, { maxConnections: 1, connectTimeoutMs: 100 }))
    const connection = pool.take()
    setTimeout(() => setImmediate(() => {
      if (connection) pool.release(connection)
      // The patience of the request ends before the next immediates, which is when the connection reaches it.
      for (const until = performance.now() + 100; performance.now() < until;);
    }), 60)
    expect(await rawExchange(proxy.port, 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nConnection: close\r\n\r\n')).toMatch(/^HTTP\/1\.1 503 /)
    await new Promise((resolve) => setTimeout(resolve, 20))
    expect(up.received).toEqual([])
    expect(await ask(proxy.port)).toMatch(/^HTTP\/1\.1 200 /)
  })

  it('outlive a reload that leaves their upstream alone, and close after their requests when it does not', async () => {
    const up = opened(await startEchoUpstream({ answer: (incoming, response) => void setTimeout(() => response.end(incoming.url), incoming.url === '/slow' ? 100 : 0) }))
    const proxy = await proxyTo(up.port)
    const same = upstream(up.port)
    await (await fetch(`${proxy.url}/a`)).text()
    proxy.pools.retain([same])
    await (await fetch(`${proxy.url}/b`)).text()
    expect(up.connections()).toBe(1)
    const slow = fetch(`${proxy.url}/slow`)
    await expect.poll(() => proxy.face.inFlight()).toBe(1)
    proxy.pools.retain([])
    expect(await (await slow).text()).toBe('/slow')
    await expect.poll(async () => new Promise((resolve) => up.server.getConnections((_error, count) => resolve(count)))).toBe(0)
  })
})
