import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { copyFileSync, mkdirSync, renameSync, symlinkSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { Agent } from 'node:https'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect as connectTls, type TLSSocket } from 'node:tls'
import { describe, expect, it } from 'vitest'
import { WebSocket, WebSocketServer } from 'ws'
import { createAuthority } from '../support/certificates.ts'
import { startEchoUpstream } from '../support/echo-upstream.ts'
import { gateway, startProxy, upstream } from '../support/gateway.ts'
import { closeAfterEach } from '../support/opened.ts'
import { rawClient, rawExchange, startRawUpstream, watch } from '../support/raw-socket.ts'

const opened = closeAfterEach()

type Options = Partial<Parameters<typeof startProxy>[0]>

const echoPair = async (options: Options = {}) => {
  const up = opened(await startEchoUpstream())
  return { up, proxy: opened(await startProxy({ upstreams: [upstream(up.port)], ...options })) }
}

const GET = 'GET /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n'

describe('who may connect, and for how long (T51)', () => {
  it.each([['half a head', 'GET / HTTP/1.1\r\nHo'], ['nothing', '']])('a client that sends %s is answered 408 or hung up on when the head is due', async (_title, bytes) => {
    const { proxy } = await echoPair({ listener: { headersTimeoutMs: 150 } })
    const client = rawClient(proxy.port)
    client.send(bytes)
    const text = await client.ended()
    expect(text).toMatch(/^(HTTP\/1\.1 408 |$)/)
    if (bytes !== '') expect(proxy.events.decided).toMatchObject([{ decision: { outcome: 'deny', stage: 'describe' } }])
  })

  it('a head that trickles does not buy more time', async () => {
    const { proxy } = await echoPair({ listener: { headersTimeoutMs: 200 } })
    const client = rawClient(proxy.port)
    const since = Date.now()
    const drip = setInterval(() => client.send('x'), 20)
    client.send('GET / HTTP/1.1\r\nX: ')
    await client.ended()
    clearInterval(drip)
    expect(Date.now() - since).toBeLessThan(2_000)
  })

  it('an idle connection is closed after the keep-alive time', async () => {
    const { proxy } = await echoPair({ listener: { keepAliveTimeoutMs: 50 } })
    const client = rawClient(proxy.port)
    client.send('GET /x HTTP/1.1\r\nHost: a\r\n\r\n')
    expect(await client.ended()).toMatch(/^HTTP\/1\.1 200 /)
  })

  it('one address gets no more connections than its share, and gets them back', async () => {
    const { proxy } = await echoPair({ listener: { maxConnectionsPerClient: 2 } })
    const held = [rawClient(proxy.port), rawClient(proxy.port)]
    await Promise.all(held.map(({ socket }) => once(socket, 'connect')))
    expect(await rawExchange(proxy.port, GET)).toBe('')
    held[0]?.socket.destroy()
    await expect.poll(() => rawExchange(proxy.port, GET)).toMatch(/^HTTP\/1\.1 200 /)
  })

  it('all together get no more than there are', async () => {
    const { proxy } = await echoPair({ listener: { maxConnections: 1 } })
    const held = rawClient(proxy.port)
    held.send('GET /x HTTP/1.1\r\nHost: a\r\n\r\n')
    await held.until('200 OK')
    expect(await rawExchange(proxy.port, GET)).toBe('')
  })

  it('a client that does not take its answer is hung up on, and its upstream with it', async () => {
    const piece = 'x'.repeat(1_000_000)
    const up = opened(await startRawUpstream((socket) => socket.write(`HTTP/1.1 200 OK\r\n\r\n${piece.repeat(40)}`)))
    const proxy = opened(await startProxy({ upstreams: [upstream(up.port, { idleTimeoutMs: 200 })] }))
    const client = rawClient(proxy.port)
    client.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
    await client.until('200 OK')
    client.socket.pause()
    await expect.poll(() => up.sockets.size, { timeout: 5_000 }).toBe(0)
    await expect.poll(() => proxy.face.inFlight()).toBe(0)
    client.socket.destroy()
  })

  it('bytes that are no HTTP are answered 400 and told of once', async () => {
    const { proxy } = await echoPair()
    expect(await rawExchange(proxy.port, '\x16\x03\x01\x02\x00\r\n\r\n')).toMatch(/^HTTP\/1\.1 400 /)
    expect(proxy.events.decided).toHaveLength(1)
    expect(proxy.events.answered).toMatchObject([{ status: 400 }])
  })

  it('listens on a unix socket, whose peers are called unix', async () => {
    const path = join(tmpdir(), `postern-${randomBytes(6).toString('hex')}.sock`)
    const { up, proxy } = await echoPair({ listener: { address: { path } } })
    expect(await rawExchange(path, GET)).toMatch(/^HTTP\/1\.1 200 /)
    expect(proxy.events.decided).toMatchObject([{ wire: { peer: 'unix' } }])
    expect(up.seen).toHaveLength(1)
  })

  it('says so when its address is taken', async () => {
    const { proxy } = await echoPair()
    await expect(startProxy({ upstreams: [upstream(1)], listener: { address: { host: '127.0.0.1', port: proxy.port } } })).rejects.toThrow(/EADDRINUSE/)
  })
})

describe('TLS on our own listener', () => {
  const talk = (port: number, options: object): Promise<{ text: string; socket: TLSSocket; error?: Error }> => new Promise((resolve) => {
    const socket = connectTls({ port, host: '127.0.0.1', servername: 'api.test', ...options })
    const client = watch(socket)
    let error: Error | undefined
    socket.on('error', (cause) => (error = cause))
    client.send(GET)
    void client.ended().then((text) => resolve({ text, socket, ...(error ? { error } : {}) }))
  })
  const setUp = async (more: object = {}, options: Options = {}) => {
    const authority = opened(createAuthority())
    const first = authority.issue('first', 'DNS:api.test')
    const tls = { certificate: join(authority.directory, 'live.pem'), key: join(authority.directory, 'live.key'), clientCertificate: 'off' as const, ...more }
    copyFileSync(first.certificateFile, tls.certificate)
    copyFileSync(first.keyFile, tls.key)
    return { authority, tls, ...(await echoPair({ ...options, listener: { ...options.listener, tls } })) }
  }
  const subjectAt = async (port: number, ca: string): Promise<string | undefined> => {
    const socket = connectTls({ port, host: '127.0.0.1', servername: 'api.test', ca })
    await once(socket, 'secureConnect')
    const { subject } = socket.getPeerCertificate()
    socket.destroy()
    return String(subject.CN)
  }

  it('serves, and tells the upstream that it was https', async () => {
    const { authority, proxy, up } = await setUp()
    const { text } = await talk(proxy.port, { ca: authority.ca })
    expect(text).toMatch(/^HTTP\/1\.1 200 /)
    expect(up.seen[0]?.headers['x-forwarded-proto']).toBe('https')
  })

  it('uses a rotated certificate for new handshakes, without a restart and without losing open connections', async () => {
    const { authority, tls, proxy } = await setUp()
    const open = connectTls({ port: proxy.port, host: '127.0.0.1', servername: 'api.test', ca: authority.ca })
    const client = watch(open)
    await once(open, 'secureConnect')
    expect(await subjectAt(proxy.port, authority.ca)).toBe('first')
    const second = authority.issue('second', 'DNS:api.test')
    copyFileSync(second.keyFile, tls.key)
    copyFileSync(second.certificateFile, tls.certificate)
    await expect.poll(() => subjectAt(proxy.port, authority.ca), { timeout: 5_000 }).toBe('second')
    client.send(GET)
    expect(await client.ended()).toMatch(/^HTTP\/1\.1 200 /)
  })

  it('sees the swap of a symlinked directory, as Kubernetes does it', async () => {
    const authority = opened(createAuthority())
    const mount = join(authority.directory, 'mount')
    const install = (label: string): void => {
      const pair = authority.issue(label, 'DNS:api.test')
      mkdirSync(join(mount, `..${label}`), { recursive: true })
      writeFileSync(join(mount, `..${label}`, 'tls.crt'), pair.certificate)
      writeFileSync(join(mount, `..${label}`, 'tls.key'), pair.key)
      symlinkSync(`..${label}`, join(mount, '..data_tmp'))
      renameSync(join(mount, '..data_tmp'), join(mount, '..data'))
    }
    install('one')
    symlinkSync('..data/tls.crt', join(mount, 'tls.crt'))
    symlinkSync('..data/tls.key', join(mount, 'tls.key'))
    const { proxy } = await echoPair({ listener: { tls: { certificate: join(mount, 'tls.crt'), key: join(mount, 'tls.key'), clientCertificate: 'off' } } })
    expect(await subjectAt(proxy.port, authority.ca)).toBe('one')
    install('two')
    await expect.poll(() => subjectAt(proxy.port, authority.ca), { timeout: 5_000 }).toBe('two')
  })

  it('keeps the old certificate and says so when the new one cannot be used', async () => {
    const { authority, tls, proxy } = await setUp()
    writeFileSync(tls.certificate, 'not a certificate')
    await expect.poll(() => proxy.events.noticed, { timeout: 5_000 }).toContain('certificate_unusable')
    expect(await subjectAt(proxy.port, authority.ca)).toBe('first')
  })

  it.each([
    ['optional', 'none', true], ['optional', 'good', true], ['optional', 'foreign', false],
    ['required', 'none', false], ['required', 'good', true], ['required', 'foreign', false],
  ] as const)('client certificates %s: one that is %s is served: %s', async (clientCertificate, shown, served) => {
    const authority = opened(createAuthority())
    const stranger = opened(createAuthority())
    const server = authority.issue('first', 'DNS:api.test')
    const { up, proxy } = await echoPair({ listener: { tls: { certificate: server.certificateFile, key: server.keyFile, clientCa: authority.caFile, clientCertificate } } })
    const pair = shown === 'none' ? undefined : (shown === 'good' ? authority : stranger).issue('client', 'DNS:client.test')
    const { text } = await talk(proxy.port, { ca: authority.ca, ...(pair ? { key: pair.key, cert: pair.certificate } : {}) })
    expect(text.startsWith('HTTP/1.1 200')).toBe(served)
    expect(up.seen).toHaveLength(served ? 1 : 0)
  })

  it('carries WebSockets', async () => {
    const authority = opened(createAuthority())
    const server = authority.issue('first', 'DNS:api.test')
    const web = createServer()
    const ws = new WebSocketServer({ server: web })
    ws.on('connection', (socket) => socket.on('message', (data) => socket.send(data)))
    web.listen(0, '127.0.0.1')
    await once(web, 'listening')
    opened({ close: async () => void (ws.close(), web.close()) })
    const tls = { certificate: server.certificateFile, key: server.keyFile, clientCertificate: 'off' as const }
    const proxy = opened(await startProxy({ upstreams: [upstream((web.address() as AddressInfo).port)], listener: { tls } }))
    const socket = new WebSocket(`wss://127.0.0.1:${proxy.port}/`, { agent: new Agent({ ca: authority.ca, servername: 'api.test' }) })
    await once(socket, 'open')
    socket.send('hello')
    expect(String((await once(socket, 'message'))[0])).toBe('hello')
    socket.close()
    await once(socket, 'close')
  })
})

describe('the PROXY protocol (T31)', () => {
  const v1 = (ip: string): string => `PROXY TCP4 ${ip} 192.0.2.9 1234 80\r\n`
  const v2 = (ip: string): Buffer => Buffer.concat([Buffer.from('0d0a0d0a000d0a515549540a2111000c', 'hex'), Buffer.from(ip.split('.').map(Number)), Buffer.from('c000020904d20050', 'hex')])
  const trusting: Options = { listener: { proxyProtocol: true }, wire: { trustedProxies: ['127.0.0.1'] } }

  it.each([['v1', v1('203.0.113.7')], ['v2', v2('203.0.113.7')]])('%s names the peer, in one piece or byte by byte, and requests follow', async (_version, header) => {
    const { up, proxy } = await echoPair(trusting)
    const whole = Buffer.concat([Buffer.from(header), Buffer.from(GET)])
    expect(await rawExchange(proxy.port, whole)).toMatch(/^HTTP\/1\.1 200 /)
    const client = rawClient(proxy.port)
    for (const byte of whole) {
      client.send(Buffer.from([byte]))
      await new Promise((resolve) => setImmediate(resolve))
    }
    expect(await client.ended()).toMatch(/^HTTP\/1\.1 200 /)
    expect(proxy.events.decided.map(({ wire }) => wire.peer)).toEqual(['203.0.113.7', '203.0.113.7'])
    expect(up.seen.map(({ headers }) => headers['x-forwarded-for'])).toEqual(['203.0.113.7', '203.0.113.7'])
  })

  it('keeps the name for every request of the connection', async () => {
    const { proxy } = await echoPair(trusting)
    await rawExchange(proxy.port, `${v1('203.0.113.7')}GET /a HTTP/1.1\r\nHost: a\r\n\r\n${GET}`)
    expect(proxy.events.decided.map(({ wire }) => wire.peer)).toEqual(['203.0.113.7', '203.0.113.7'])
  })

  it.each([
    ['no header', GET],
    ['a header that is none', `PROXY NONSENSE\r\n${GET}`],
    ['a proxy that does not know its peer', `PROXY UNKNOWN\r\n${GET}`],
    ['half a header', 'PROXY TCP4 203'],
  ])('%s: hung up without an answer', async (_title, bytes) => {
    const { up, proxy } = await echoPair({ ...trusting, listener: { proxyProtocol: true, headersTimeoutMs: 150 } })
    expect(await rawExchange(proxy.port, bytes)).toBe('')
    expect(proxy.events.noticed).toEqual(['proxy_protocol_refused'])
    expect(up.connections()).toBe(0)
  })

  it('nobody but a trusted proxy may connect, header or not', async () => {
    const { proxy } = await echoPair({ listener: { proxyProtocol: true }, wire: { trustedProxies: ['10.0.0.0/8'] } })
    expect(await rawExchange(proxy.port, v1('10.0.0.1') + GET)).toBe('')
    expect(await rawExchange(proxy.port, GET)).toBe('')
  })

  it('without it a header is not HTTP', async () => {
    const { proxy } = await echoPair({ wire: { trustedProxies: ['127.0.0.1'] } })
    expect(await rawExchange(proxy.port, v1('203.0.113.7') + GET)).toMatch(/^HTTP\/1\.1 400 /)
  })

  it('counts connections by the named address', async () => {
    const { proxy } = await echoPair({ ...trusting, listener: { proxyProtocol: true, maxConnectionsPerClient: 1 } })
    const held = rawClient(proxy.port)
    held.send(`${v1('203.0.113.7')}GET /x HTTP/1.1\r\nHost: a\r\n\r\n`)
    await held.until('200 OK')
    expect(await rawExchange(proxy.port, v1('203.0.113.7') + GET)).toBe('')
    expect(await rawExchange(proxy.port, v1('203.0.113.8') + GET)).toMatch(/^HTTP\/1\.1 200 /)
  })

  it('stands before TLS', async () => {
    const authority = opened(createAuthority())
    const server = authority.issue('first', 'DNS:api.test')
    const { proxy } = await echoPair({ ...trusting, listener: { proxyProtocol: true, tls: { certificate: server.certificateFile, key: server.keyFile, clientCertificate: 'off' } } })
    const raw = rawClient(proxy.port).socket
    raw.removeAllListeners('data')
    raw.write(v1('203.0.113.7'))
    const client = watch(connectTls({ socket: raw, servername: 'api.test', ca: authority.ca }))
    client.send(GET)
    expect(await client.ended()).toMatch(/^HTTP\/1\.1 200 /)
    expect(proxy.events.decided[0]?.wire.peer).toBe('203.0.113.7')
  })
})

describe('reload and drain', () => {
  it('a request keeps the gateway it came in under, and the next one gets the new one', async () => {
    const first = opened(await startEchoUpstream({ answer: (_incoming, response) => void setTimeout(() => response.end('first'), 50) }))
    const second = opened(await startEchoUpstream({ answer: (_incoming, response) => response.end('second') }))
    let current = gateway({ upstreams: [upstream(first.port)] })
    const proxy = opened(await startProxy({ upstreams: [], gateway: () => current }))
    const early = fetch(proxy.url)
    await expect.poll(() => proxy.face.inFlight()).toBe(1)
    current = gateway({ upstreams: [upstream(second.port)] })
    expect(await (await fetch(proxy.url)).text()).toBe('second')
    expect(await (await early).text()).toBe('first')
  })

  it('draining says Connection: close and still takes requests', async () => {
    const { proxy } = await echoPair()
    const client = rawClient(proxy.port)
    client.send('GET /x HTTP/1.1\r\nHost: a\r\n\r\n')
    expect(await client.until('200 OK')).not.toMatch(/connection: close/i)
    proxy.face.draining()
    client.send('GET /y HTTP/1.1\r\nHost: a\r\n\r\n')
    expect(await client.ended()).toMatch(/HTTP\/1\.1 200[\s\S]*HTTP\/1\.1 200[\s\S]*connection: close/i)
    expect((await fetch(proxy.url)).status).toBe(200)
  })

  it('a drain loses no request that is in flight, closes idle connections and takes no new ones', async () => {
    let release = (): void => undefined
    const up = opened(await startEchoUpstream({ answer: (_incoming, response) => {
      response.write('begun ')
      release = () => response.end('done')
    } }))
    const proxy = opened(await startProxy({ upstreams: [upstream(up.port)] }))
    const idle = rawClient(proxy.port)
    await once(idle.socket, 'connect')
    const busy = rawClient(proxy.port)
    busy.send('GET /x HTTP/1.1\r\nHost: a\r\n\r\n')
    await busy.until('begun')
    const drained = proxy.face.drain(5_000)
    await idle.ended()
    await expect(fetch(proxy.url)).rejects.toThrow()
    expect(proxy.face.inFlight()).toBe(1)
    release()
    expect(await busy.ended()).toMatch(/done/)
    await drained
    expect(proxy.face.inFlight()).toBe(0)
  })

  it('what is not done after the time is cut off', async () => {
    const up = opened(await startRawUpstream((socket) => socket.write('HTTP/1.1 200 OK\r\n\r\ndata: 1\n\n')))
    const proxy = opened(await startProxy({ upstreams: [upstream(up.port)] }))
    const client = rawClient(proxy.port)
    client.send('GET /x HTTP/1.1\r\nHost: a\r\n\r\n')
    await client.until('data: 1')
    await proxy.face.drain(100)
    await client.ended()
    await expect.poll(() => up.sockets.size).toBe(0)
    await expect.poll(() => proxy.face.inFlight()).toBe(0)
  })
})
