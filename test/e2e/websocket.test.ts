import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { describe, expect, it } from 'vitest'
import { WebSocket, WebSocketServer } from 'ws'
import { NO_MUTATION } from '../../src/model/mutation.ts'
import { createAuthority } from '../support/certificates.ts'
import { principal } from '../support/described.ts'
import { startEchoUpstream } from '../support/echo-upstream.ts'
import { allow, deny, MISSING, startProxy, upstream } from '../support/gateway.ts'
import { closeAfterEach } from '../support/opened.ts'
import { rawClient, startRawUpstream } from '../support/raw-socket.ts'

const opened = closeAfterEach()

const KEY = 'dGhlIHNhbXBsZSBub25jZQ=='
const acceptOf = (key: string): string => createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64')
const handshake = (path = '/ws', more = ''): string => `GET ${path} HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${KEY}\r\n${more}\r\n`
const AGREED = `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${acceptOf(KEY)}\r\n`

interface WsUpstream { readonly port: number; readonly requests: { url: string | undefined; headers: NodeJS.Dict<string | string[]> }[]; readonly ws: WebSocketServer; readonly close: () => Promise<void> }

/** The real `ws` server: echoes what it hears. */
async function startWs(path?: string, plain?: RequestListener): Promise<WsUpstream> {
  const requests: WsUpstream['requests'] = []
  const server = createServer(plain)
  const ws = new WebSocketServer({ server })
  ws.on('connection', (socket, request) => {
    requests.push({ url: request.url, headers: request.headers })
    socket.on('message', (data, binary) => socket.send(data, { binary }))
    socket.on('error', () => undefined)
  })
  server.listen(...(path === undefined ? [0, '127.0.0.1'] as const : [path] as const) as [number, string])
  await once(server, 'listening')
  const address = server.address()
  return {
    port: typeof address === 'object' ? (address as AddressInfo).port : 0,
    requests,
    ws,
    close: async () => {
      for (const client of ws.clients) client.terminate()
      ws.close()
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

async function talk(socket: WebSocket, message: string | Buffer): Promise<Buffer> {
  socket.send(message)
  const [data] = await once(socket, 'message') as [Buffer]
  return data
}

describe('a WebSocket through the proxy face', () => {
  it('carries text and megabytes both ways, with the verified identity, the exact path and no client headers of one hop', async () => {
    const up = opened(await startWs())
    const proxy = opened(await startProxy({ upstreams: [upstream(up.port)] }))
    const socket = new WebSocket(`ws://127.0.0.1:${proxy.port}/ws/a%20b?x=%41&y`, { headers: { 'x-user-id': 'forged', 'x-other': 'stays', 'proxy-authorization': 'x' } })
    await once(socket, 'open')
    expect(String(await talk(socket, 'hello'))).toBe('hello')
    const big = randomBytes(3_000_000)
    expect((await talk(socket, big)).equals(big)).toBe(true)
    const [seen] = up.requests
    expect(seen?.url).toBe('/ws/a%20b?x=%41&y')
    expect(seen?.headers).toMatchObject({ 'x-user-id': 'verified', 'x-other': 'stays', upgrade: 'websocket', host: `127.0.0.1:${proxy.port}` })
    expect(seen?.headers['proxy-authorization']).toBeUndefined()
    expect(proxy.events.counts).toMatchObject({ tunnel: 1, 'stripped x-user-id': 1 })
    expect(proxy.events.answered).toMatchObject([{ status: 101 }])
    expect(proxy.events.exchanged).toMatchObject([{ outcome: 'ok', status: 101 }])
    socket.close(1000)
    await once(socket, 'close')
    await expect.poll(() => proxy.events.counts).toMatchObject({ tunnel: 0, request: 0 })
    await expect.poll(() => up.ws.clients.size).toBe(0)
    expect(proxy.face.inFlight()).toBe(0)
  })

  it('sends the path byte for byte, not a normalised one', async () => {
    const up = opened(await startRawUpstream((socket) => socket.end('HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n')))
    const proxy = opened(await startProxy({ upstreams: [upstream(up.port, { basePath: '/base' })] }))
    const client = rawClient(proxy.port)
    client.send(handshake('/a%20b/%c3%a4?q=%2f%7C'))
    await client.ended()
    expect(up.received[0]).toMatch(/^GET \/base\/a%20b\/%c3%a4\?q=%2f%7C HTTP\/1\.1\r\n/)
  })

  it('negotiates subprotocols end to end', async () => {
    const up = opened(await startWs())
    const proxy = opened(await startProxy({ upstreams: [upstream(up.port)] }))
    const socket = new WebSocket(`ws://127.0.0.1:${proxy.port}/`, ['chat', 'other'])
    await once(socket, 'open')
    expect(socket.protocol).toBe('chat')
    socket.terminate()
  })

  it('reaches an upstream on a unix socket', async () => {
    const path = join(tmpdir(), `postern-${randomBytes(6).toString('hex')}.sock`)
    opened(await startWs(path))
    const proxy = opened(await startProxy({ upstreams: [upstream(path)] }))
    const socket = new WebSocket(`ws://127.0.0.1:${proxy.port}/`)
    await once(socket, 'open')
    expect(String(await talk(socket, 'x'))).toBe('x')
    socket.terminate()
  })

  it('goes down on both sides, whichever side vanishes', async () => {
    const up = opened(await startWs())
    const proxy = opened(await startProxy({ upstreams: [upstream(up.port)] }))
    const open = async (): Promise<WebSocket> => {
      const socket = new WebSocket(`ws://127.0.0.1:${proxy.port}/`)
      socket.on('error', () => undefined)
      await once(socket, 'open')
      return socket
    }
    const one = await open()
    one.terminate()
    await expect.poll(() => up.ws.clients.size).toBe(0)
    const two = await open()
    const closed = once(two, 'close')
    for (const client of up.ws.clients) client.terminate()
    await closed
    await expect.poll(() => proxy.events.counts['tunnel']).toBe(0)
    expect(proxy.events.faulted).toEqual([])
  })

  it('ends when nothing has passed for the idle time of the upstream', async () => {
    const up = opened(await startWs())
    const proxy = opened(await startProxy({ upstreams: [upstream(up.port, { idleTimeoutMs: 100 })] }))
    const socket = new WebSocket(`ws://127.0.0.1:${proxy.port}/`)
    await once(socket, 'open')
    await once(socket, 'close')
    await expect.poll(() => up.ws.clients.size).toBe(0)
  })
})

describe('before a WebSocket is open', () => {
  it('a denial is the answer, and the upstream hears nothing', async () => {
    const up = opened(await startRawUpstream(() => undefined))
    const proxy = opened(await startProxy({ upstreams: [upstream(up.port)], decide: () => deny(MISSING) }))
    const client = rawClient(proxy.port)
    client.send(handshake())
    const text = await client.ended()
    expect(text).toMatch(/^HTTP\/1\.1 401 [\s\S]*WWW-Authenticate: Bearer[\s\S]*credential_missing/)
    expect(text).toMatch(/connection: close/i)
    expect(up.received).toEqual([])
    expect(proxy.events.decided).toHaveLength(1)
    expect(proxy.events.answered).toMatchObject([{ status: 401 }])
  })

  it.each([
    ['a length', handshake('/ws', 'Content-Length: 50\r\n')],
    ['a coding', handshake('/ws', 'Transfer-Encoding: chunked\r\n')],
    ['another version', handshake().replace('Version: 13', 'Version: 777')],
    ['no key', handshake().replace(/Sec-WebSocket-Key: .*\r\n/, '')],
    ['a short key', handshake().replace(KEY, 'abc=')],
    ['HTTP/1.0', handshake().replace('HTTP/1.1', 'HTTP/1.0')],
    ['__proto__ and a bad key', handshake('/ws', '__proto__: x\r\n').replace(KEY, 'abc=')],
  ])('a handshake with %s is refused with 400, and what follows it is no request (T14)', async (_title, head) => {
    const up = opened(await startRawUpstream(() => undefined))
    const proxy = opened(await startProxy({ upstreams: [upstream(up.port)] }))
    const client = rawClient(proxy.port)
    client.send(`${head}GET /admin HTTP/1.1\r\nHost: a\r\n\r\n`)
    const text = await client.ended()
    expect(text).toMatch(/^HTTP\/1\.1 400 /)
    expect(text.match(/HTTP\/1\.1 \d/g)).toHaveLength(1)
    expect(up.received).toEqual([])
  })

  it.each([['POST', handshake().replace('GET', 'POST')], ['websocket among others', handshake().replace('Upgrade: websocket', 'Upgrade: websocket, h2c')]])('%s is an ordinary request without an upgrade', async (_title, head) => {
    const up = opened(await startRawUpstream((socket) => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok')))
    const proxy = opened(await startProxy({ upstreams: [upstream(up.port)] }))
    const client = rawClient(proxy.port)
    client.send(head)
    expect(await client.until('\r\n\r\nok')).toMatch(/^HTTP\/1\.1 200 /)
    expect(up.received[0]).not.toMatch(/upgrade|sec-websocket/i)
    client.socket.destroy()
  })

  it('nothing of the client reaches the upstream before its 101, and everything does after it, in order', async () => {
    let agree = (): void => undefined
    const up = opened(await startRawUpstream((socket, piece) => {
      if (piece.startsWith('GET')) agree = () => socket.write(`${AGREED}\r\nfirst`)
    }))
    const proxy = opened(await startProxy({ upstreams: [upstream(up.port)] }))
    const client = rawClient(proxy.port)
    client.send(`${handshake()}early-1 `)
    await expect.poll(() => up.received[0] ?? '').toContain('\r\n\r\n')
    client.send('early-2 ')
    await new Promise((resolve) => setTimeout(resolve, 30))
    expect(up.received[0]).not.toContain('early')
    agree()
    await client.until('first')
    client.send('late')
    await expect.poll(() => up.received[0]).toMatch(/\r\n\r\nearly-1 early-2 late$/)
    client.socket.destroy()
    await expect.poll(() => up.sockets.size).toBe(0)
  })

  it('a client that sends more than anybody may before the 101 is hung up on', async () => {
    const up = opened(await startRawUpstream(() => undefined))
    const proxy = opened(await startProxy({ upstreams: [upstream(up.port)] }))
    const client = rawClient(proxy.port)
    client.send(handshake())
    await expect.poll(() => up.received.length).toBe(1)
    client.send('x'.repeat(70_000))
    await client.ended()
    await expect.poll(() => up.sockets.size).toBe(0)
  })

  it.each([['FIN', (socket: Socket) => socket.end()], ['reset', (socket: Socket) => socket.resetAndDestroy()]])('a client that leaves by %s releases the upstream', async (_how, leave) => {
    const up = opened(await startRawUpstream(() => undefined))
    const proxy = opened(await startProxy({ upstreams: [upstream(up.port)] }))
    const client = rawClient(proxy.port)
    client.send(handshake())
    await expect.poll(() => up.sockets.size).toBe(1)
    leave(client.socket)
    await expect.poll(() => up.sockets.size).toBe(0)
    await expect.poll(() => proxy.face.inFlight()).toBe(0)
    expect(proxy.events.exchanged).toMatchObject([{ outcome: 'client_abort' }])
    expect(proxy.events.faulted).toEqual([])
  })

  it.each([
    ['no accept', 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n'],
    ['the accept of another key', AGREED.replace(acceptOf(KEY), acceptOf('x')) + '\r\n'],
    ['another protocol', AGREED.replace('Upgrade: websocket', 'Upgrade: h2c') + '\r\n'],
    ['no upgrade at all', 'HTTP/1.1 101 Switching Protocols\r\n\r\n'],
    ['no HTTP', 'hello\r\n\r\n'],
  ])('a 101 with %s is 502 and no tunnel', async (_title, answer) => {
    const up = opened(await startRawUpstream((socket, piece) => piece.startsWith('GET') && socket.write(answer)))
    const proxy = opened(await startProxy({ upstreams: [upstream(up.port)] }))
    const client = rawClient(proxy.port)
    client.send(`${handshake()}GET /admin HTTP/1.1\r\nHost: a\r\n\r\n`)
    const text = await client.ended()
    expect(text).toMatch(/^HTTP\/1\.1 502 /)
    expect(up.received.join('')).not.toContain('/admin')
    expect(proxy.events.counts['tunnel']).toBeUndefined()
    expect(proxy.events.exchanged).toMatchObject([{ outcome: 'protocol_error' }])
    await expect.poll(() => up.sockets.size).toBe(0)
  })

  it.each([
    ['a length', 'HTTP/1.1 403 Forbidden\r\nContent-Length: 4\r\nX-Why: no\r\nConnection: keep-alive\r\n\r\nnope', 'nope'],
    ['chunks', 'HTTP/1.1 426 Upgrade Required\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nnope\r\n0\r\n\r\n', '4\r\nnope\r\n0\r\n\r\n'],
  ])('an answer that is no 101, with %s, is relayed and both connections end', async (_title, answer, body) => {
    const up = opened(await startRawUpstream((socket, piece) => piece.startsWith('GET') && socket.write(answer)))
    const proxy = opened(await startProxy({ upstreams: [upstream(up.port)] }))
    const client = rawClient(proxy.port)
    client.send(`${handshake()}GET /admin HTTP/1.1\r\nHost: a\r\n\r\n`)
    const text = await client.ended()
    expect(text).toMatch(/^HTTP\/1\.1 4(03|26) /)
    expect(text.endsWith(body)).toBe(true)
    expect(text).toMatch(/connection: close/i)
    expect(text).toMatch(/x-request-id/i)
    expect(up.received.join('')).not.toContain('/admin')
    await expect.poll(() => up.sockets.size).toBe(0)
    await expect.poll(() => proxy.face.inFlight()).toBe(0)
  })

  it.each([['the right name', 'DNS:api.test', 101], ['another name', 'DNS:evil.test', 502]])('over https, a certificate with %s is checked before a byte of the request is sent', async (_title, name, status) => {
    const authority = opened(createAuthority())
    const { key, certificate } = authority.issue('api', name)
    const up = opened(await startEchoUpstream({ tls: { key, cert: certificate } }))
    let asked = 0
    up.server.on('upgrade', (_request, socket) => {
      asked += 1
      socket.end(`${AGREED}\r\n`)
    })
    const proxy = opened(await startProxy({ upstreams: [upstream(up.port, { origin: `https://127.0.0.1:${up.port}`, ca: authority.ca, serverName: 'api.test' })] }))
    const client = rawClient(proxy.port)
    client.send(handshake().replace('Host: a', 'Host: evil.test'))
    expect(await client.until('\r\n\r\n')).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `))
    expect(asked).toBe(status === 101 ? 1 : 0)
    client.socket.destroy()
  })

  it('silence is 504 after the time for a first byte; nobody there is 502', async () => {
    const up = await startRawUpstream(() => undefined)
    const proxy = opened(await startProxy({ upstreams: [upstream(up.port, { firstByteTimeoutMs: 50, connectTimeoutMs: 50 })] }))
    const client = rawClient(proxy.port)
    client.send(handshake())
    expect(await client.ended()).toMatch(/^HTTP\/1\.1 504 /)
    await expect.poll(() => up.sockets.size).toBe(0)
    await up.close()
    const second = rawClient(proxy.port)
    second.send(handshake())
    expect(await second.ended()).toMatch(/^HTTP\/1\.1 502 /)
    expect(proxy.events.exchanged.map(({ outcome }) => outcome)).toEqual(['timeout', 'connect_error'])
    expect(proxy.pools.state('default').consecutiveFailures).toBe(1)
  })
})

describe('the end of a WebSocket', () => {
  const expiring = (inMs: number): NonNullable<Parameters<typeof startProxy>[0]['decide']> => (_request, route) => {
    const late = principal('bob', { expiresAt: Date.now() + 60_000 })
    const early = principal('alice', { expiresAt: Date.now() + inMs })
    return allow(route, { mutation: NO_MUTATION, principals: { primary: late, byAuthenticator: new Map([['a', late], ['b', early]]), requiredScopes: new Map() } })
  }

  it('comes with 1008 when the first of its credentials expires, on both sides', async () => {
    const up = opened(await startWs())
    const proxy = opened(await startProxy({ upstreams: [upstream(up.port)], decide: expiring(150) }))
    const socket = new WebSocket(`ws://127.0.0.1:${proxy.port}/`)
    await once(socket, 'open')
    const [atUpstream] = [...up.ws.clients].map((client) => once(client, 'close'))
    const [code] = await once(socket, 'close')
    expect(code).toBe(1008)
    expect((await atUpstream)?.[0]).toBe(1008)
    expect(proxy.events.noticed).toContain('tunnel_expired')
    await expect.poll(() => proxy.face.inFlight()).toBe(0)
  })

  it('comes with 1001 when the face drains, and the drain waits for it', async () => {
    const up = opened(await startWs())
    const proxy = opened(await startProxy({ upstreams: [upstream(up.port)] }))
    const socket = new WebSocket(`ws://127.0.0.1:${proxy.port}/`)
    await once(socket, 'open')
    const closed = once(socket, 'close')
    await proxy.face.drain(5_000)
    expect((await closed)[0]).toBe(1001)
    expect(proxy.face.inFlight()).toBe(0)
  })

  it('does not wait for a client that does not say goodbye', async () => {
    const up = opened(await startRawUpstream((socket, piece) => piece.startsWith('GET') && socket.write(`${AGREED}\r\n`)))
    const proxy = opened(await startProxy({ upstreams: [upstream(up.port)] }))
    const client = rawClient(proxy.port)
    client.send(handshake())
    await client.until('\r\n\r\n')
    client.socket.pause()
    const since = Date.now()
    await proxy.face.drain(10_000)
    expect(Date.now() - since).toBeLessThan(4_000)
    expect(proxy.face.inFlight()).toBe(0)
    client.socket.destroy()
  })
})
