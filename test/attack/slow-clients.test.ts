// Clients that take their time (T51). Repeats CVE-2018-12122, CVE-2019-5737 and CVE-2020-8251 (Node), CVE-2026-26999 (Traefik), and what
// slowhttptest does with -H, -B, -R and -X, with at most a hundred connections and a few seconds.
import { afterAll, describe, expect, it } from 'vitest'
import { rawRequest } from '../support/raw-client.ts'
import { rawClient, type RawClient, startRawUpstream } from '../support/raw-socket.ts'
import { startAttacked } from './attacked.ts'
import { bearer, bytesOf, KEY, startTarget } from './target.ts'

const HEADERS_MS = 600
const BODY_MS = 600
const listen = { address: '127.0.0.1:0', headers_timeout: `${HEADERS_MS}ms`, body_idle_timeout: `${BODY_MS}ms`, keep_alive_timeout: '500ms' }
const { attacked, attack, look, token, upstream } = await startTarget({ config: { listen } })
const good = bearer(await token())

const crowd = (count: number): RawClient[] => Array.from({ length: count }, () => rawClient(attacked.port))
/** Sends one piece after another, until the other side has had enough. */
function trickle(client: RawClient, piece: string, everyMs = 60): () => void {
  const timer = setInterval(() => client.socket.writable && client.send(piece), everyMs)
  client.socket.once('close', () => clearInterval(timer))
  return () => clearInterval(timer)
}
async function allEnd(clients: readonly RawClient[], withinMs: number): Promise<string[]> {
  const late = new Promise<never>((_, reject) => setTimeout(() => reject(new Error('somebody is still connected')), withinMs).unref())
  return Promise.race([Promise.all(clients.map((client) => client.ended())), late])
}
/** The slowest of some requests of a client who is not slow. */
async function healthy(count = 10): Promise<number> {
  let slowest = 0
  for (let nth = 0; nth < count; nth += 1) {
    const start = performance.now()
    const answers = await rawRequest(attacked.port, bytesOf('GET /guarded/healthy', [good, 'Connection: close']), { answers: 1 })
    expect(answers.map(({ status }) => status)).toEqual([200])
    slowest = Math.max(slowest, performance.now() - start)
  }
  return slowest
}

describe('a hundred clients that never finish', () => {
  it.each([
    ['the request line', 'GET /guarded/x', 'x'], ['their headers', 'GET /guarded/x HTTP/1.1\r\nHost: api.test\r\n', 'X-A: b\r\n'], ['one header', 'GET /guarded/x HTTP/1.1\r\nHost: api.test\r\nX-A: ', 'b'], ['anything', '', ''], ['their line breaks', '', '\r\n'],
  ])('%s are told 408 or hung up on, and nobody else notices', async (_title, start, piece) => {
    const clients = crowd(100)
    for (const client of clients) {
      client.send(start)
      if (piece !== '') trickle(client, piece, 150)
    }
    expect(await healthy()).toBeLessThan(1_000)
    const ends = await allEnd(clients, HEADERS_MS + 3_000)
    for (const text of ends) expect(text === '' || text.startsWith('HTTP/1.1 408 ') || text.startsWith('HTTP/1.1 400 ')).toBe(true)
    const { arrived } = await look()
    expect(arrived.every(({ target }) => target === '/guarded/healthy')).toBe(true)
  })
})

describe('fifty clients with a body that does not come', () => {
  it.each([['by length', 'Content-Length: 1000', 'ab'], ['in chunks', 'Transfer-Encoding: chunked', '3\r\nab'], ['behind an expectation', 'Content-Length: 1000\r\nExpect: 100-continue', '']])('%s end, and so do their connections to the upstream', async (_title, framing, start) => {
    const clients = crowd(50)
    for (const client of clients) client.send(bytesOf('POST /guarded/slow', [good, ...framing.split('\r\n')], start))
    expect(await healthy()).toBeLessThan(1_000)
    for (const text of await allEnd(clients, BODY_MS + 3_000)) expect(text.replace('HTTP/1.1 100 Continue\r\n\r\n', '')).toMatch(/^HTTP\/1\.1 408 /)
    const { arrived } = await look({ mayStayBehind: true })
    expect(arrived.every(({ target }) => target === '/guarded/healthy')).toBe(true)
  })

  it('and no credential are refused at once', async () => {
    const before = upstream.connections()
    const clients = crowd(50)
    for (const client of clients) client.send(bytesOf('POST /guarded/slow', ['Content-Length: 1000'], 'ab'))
    for (const text of await allEnd(clients, 3_000)) expect(text).toMatch(/^HTTP\/1\.1 401 /)
    expect(upstream.connections()).toBe(before)
    await look()
  })
})

it('idle connections are closed', async () => {
  const clients = crowd(50)
  for (const client of clients) client.send(bytesOf('GET /nowhere'))
  for (const text of await allEnd(clients, 4_000)) expect(text.match(/HTTP\/1\.1 \d/g)).toEqual(['HTTP/1.1 4'])
  await look()
})

it('a request that is slow, but not too slow, is served', async () => {
  const client = rawClient(attacked.port)
  for (const piece of ['POST /guarded/x HTTP/1.1\r\n', 'Host: api.test\r\n', `${good}\r\nContent-Length: 4\r\nConnection: close\r\n\r\n`, 'ab', 'cd']) {
    client.send(piece)
    await new Promise((resolve) => setTimeout(resolve, 80))
  }
  expect(await client.ended()).toMatch(/^HTTP\/1\.1 200 /)
  await look()
})

describe('clients that do not read', () => {
  const endless = startRawUpstream((socket) => {
    socket.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n')
    const more = (): void => {
      while (socket.writable && socket.write(`10000\r\n${'x'.repeat(65_536)}\r\n`));
      socket.once('drain', more)
    }
    more()
  })
  afterAll(async () => (await endless).close())

  it('are cut off, and hold nothing of the upstream but what fits the pipes', async () => {
    const up = await endless
    const slow = await startAttacked({ version: 1, listen, ops: 'off', client_ip: { direct: true }, upstreams: { app: { url: `http://127.0.0.1:${up.port}`, idle_timeout: '700ms' } }, authenticators: { key: { type: 'api_key', keys: [{ value: KEY }] } }, routes: [{ auth: 'none' }] })
    const before = process.memoryUsage.rss()
    const clients = Array.from({ length: 20 }, () => rawClient(slow.port))
    for (const client of clients) {
      client.socket.pause()
      client.send(bytesOf('GET /endless'))
    }
    await expect.poll(() => slow.face.inFlight(), { timeout: 3_000 }).toBeGreaterThan(0)
    await expect.poll(() => [slow.face.inFlight(), up.sockets.size], { timeout: 6_000 }).toEqual([0, 0])
    expect(process.memoryUsage.rss() - before).toBeLessThan(300_000_000)
    for (const client of clients) client.socket.destroy()
    await slow.close()
  })
})

describe('too many connections', () => {
  it.each([['max_connections', 20], ['max_connections_per_client', 20]])('beyond %s: %i are refused at once, and come in when others leave', async (name, limit) => {
    const few = await startAttacked({ version: 1, listen: { ...listen, [name]: limit, keep_alive_timeout: '30s' }, ops: 'off', client_ip: { direct: true }, upstream: `http://127.0.0.1:${upstream.port}`, auth: [{ api_keys: { keys: [{ value: KEY }] } }] })
    const clients = Array.from({ length: limit }, () => rawClient(few.port))
    for (const client of clients) client.send(bytesOf('GET /x'))
    await Promise.all(clients.map((client) => client.until('401')))
    expect(await rawRequest(few.port, bytesOf('GET /x'))).toEqual([])
    for (const client of clients.slice(0, 5)) client.socket.destroy()
    await expect.poll(async () => (await rawRequest(few.port, bytesOf('GET /x', ['Connection: close']))).length, { timeout: 3_000 }).toBe(1)
    for (const client of clients) client.socket.destroy()
    await few.close()
  })
})

it('after all of it an attack still ends as it should', async () => {
  expect((await attack(bytesOf('GET /public/../admin/x'))).statuses).toEqual([400])
})
