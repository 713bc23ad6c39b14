// Input that ends processes (T52, I7, I8). Repeats CVE-2026-21710 (Node, a header called __proto__), CVE-2025-59465 (Node, resets),
// WS-2020-0091 (http-proxy, headers after an answer), http-proxy-middleware #777 and #822 (errors of upgraded sockets), CVE-2026-73565
// (node-server, upgrades without a key), CVE-2024-32652 (a Host that crashes). A rejection or exception that nobody takes fails the run.
import { afterAll, describe, expect, it } from 'vitest'
import { startAnswering } from '../support/answering.ts'
import { rawClient, startRawUpstream } from '../support/raw-socket.ts'
import { startAttacked } from './attacked.ts'
import { bytesOf, HANDSHAKE, KEY, startTarget } from './target.ts'

const { attack } = await startTarget()

describe('a header with a name that means something to somebody', () => {
  it.each(['__proto__', 'constructor', 'prototype', 'toString', 'hasOwnProperty', 'valueOf', '__defineGetter__', 'then', 'toJSON', 'length', 'name', 'caller', 'set-cookie', 'status', ':status', 'http2-settings', 'sec-websocket-extensions', 'x-request-id', 'traceparent', 'tracestate', 'baggage', 'content-encoding', 'range'])('%s is a header: once, twice and nominated', async (name) => {
    for (const lines of [[`${name}: x`], [`${name}: x`, `${name}: y`], [`${name}: x`, `Connection: close, ${name}`], [`${name}:`], [`Cookie: ${name}=x; ${name}=y`], ['Cookie: a=b', `X-API-Key: ${name}`]]) {
      const { statuses } = await attack(bytesOf('GET /guarded/x', [`X-API-Key: ${KEY}`, ...lines, 'Connection: close']))
      expect(statuses).toHaveLength(1)
      expect(statuses[0]).toBeLessThan(500)
    }
  })
})

describe('nonsense', () => {
  let seed = 20_260_701
  const random = (below: number): number => {
    seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648
    return seed % below
  }
  const SEEDS = [bytesOf('GET /public/x', ['X-A: b']), bytesOf('POST /public/x', ['Content-Length: 3'], 'abc'), bytesOf('POST /public/x', ['Transfer-Encoding: chunked'], '3\r\nabc\r\n0\r\n\r\n'), bytesOf('GET /public/x', HANDSHAKE), bytesOf('OPTIONS *', ['Origin: x', 'Access-Control-Request-Method: y'])]
  it('made of good requests with bytes changed, dropped and doubled is answered or hung up on', async () => {
    for (let round = 0; round < 120; round += 1) {
      const bytes = Buffer.from(SEEDS[random(SEEDS.length)]!, 'latin1')
      const at = random(bytes.length)
      const broken = [() => Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + 1 + random(4))]), () => Buffer.concat([bytes.subarray(0, at), bytes.subarray(Math.max(0, at - 9))]), () => Buffer.from(bytes.map((byte, index) => (index === at ? random(256) : byte)))][random(3)]!()
      // A message that has become longer than it is would wait for its end: two line breaks end most of them.
      await attack(Buffer.concat([broken, Buffer.from('\r\n\r\n')]), { mayStayBehind: true, timeoutMs: 120 }).catch((error: unknown) => {
        // Answers that are cut short are the other side's right; a broken promise of ours is not.
        if (!String(error).includes('cut short')) throw error
      })
    }
  })
})

describe('a client that leaves', () => {
  const held = startRawUpstream((socket, piece) => {
    if (piece.includes('/half')) socket.write('HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nhalf')
    else if (piece.includes('/tunnel')) socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n')
    else if (piece.includes('/reset')) socket.resetAndDestroy()
    // Everything else waits for ever.
  })
  const authority = startAnswering(() => undefined)
  const started = Promise.all([held, authority]).then(([up, asked]) => startAttacked({
    version: 1, listen: { address: '127.0.0.1:0', headers_timeout: '5s' }, ops: 'off', client_ip: { direct: true },
    upstreams: { app: { url: `http://127.0.0.1:${up.port}`, timeout: '10s' } },
    authenticators: { asked: { type: 'introspection', url: `${asked.url}/introspect`, client_id: 'x', client_secret: 'y', timeout: '2s' } },
    routes: [{ match: { path: '/asked/**' }, auth: ['asked'] }, { match: { path: '/judged/**' }, auth: 'none', body: {} }, { auth: 'none' }],
  }))
  afterAll(async () => {
    await (await started).close()
    await Promise.all([(await held).close(), (await authority).close()])
  })

  const POINTS: readonly (readonly [title: string, bytes: string, wanted?: string])[] = [
    ['before a byte', ''], ['in the request line', 'GET /wai'], ['in a header', 'GET /wait HTTP/1.1\r\nHost: a'], ['behind the head of a body', bytesOf('POST /wait', ['Content-Length: 10'])], ['in a body', bytesOf('POST /wait', ['Content-Length: 10'], 'abc')], ['in the size of a chunk', bytesOf('POST /wait', ['Transfer-Encoding: chunked'], '3')], ['in a chunk', bytesOf('POST /wait', ['Transfer-Encoding: chunked'], '3\r\na')], ['before the last chunk', bytesOf('POST /wait', ['Transfer-Encoding: chunked'], '3\r\nabc\r\n0\r\n')],
    ['while the upstream thinks', bytesOf('GET /wait')], ['in an answer', bytesOf('GET /half'), 'half'], ['while the issuer thinks', bytesOf('GET /asked/x', ['Authorization: Bearer opaque-token'])], ['while a body is judged', bytesOf('POST /judged/x', ['Content-Type: application/json', 'Content-Length: 10'], '{')], ['in an expectation', bytesOf('POST /wait', ['Expect: 100-continue', 'Content-Length: 10']), '100 Continue'], ['while an upgrade is decided', bytesOf('GET /asked/x', [...HANDSHAKE, 'Authorization: Bearer opaque-token'])], ['while an upgrade is agreed', bytesOf('GET /wait', HANDSHAKE)], ['in a tunnel', bytesOf('GET /tunnel', HANDSHAKE), '101 Switching'], ['behind a pipelined request', bytesOf('GET /wait') + bytesOf('GET /wait')], ['after a refusal with a body', bytesOf('POST /asked/x', ['Content-Length: 1000'], 'x'), '401'], ['when the upstream resets', bytesOf('GET /reset'), '502'],
  ]
  it.each(POINTS.flatMap((point) => (['FIN', 'RST'] as const).map((how) => [point[0], how, point] as const)))('%s (%s) leaves nothing behind', async (_title, how, [, bytes, wanted]) => {
    const { port, face, events } = await started
    const leaving = Array.from({ length: 6 }, async () => {
      const client = rawClient(port)
      await new Promise((resolve) => client.socket.once('connect', resolve))
      client.send(bytes)
      if (wanted === undefined) await new Promise((resolve) => setTimeout(resolve, 15))
      else await client.until(wanted)
      if (how === 'RST') client.socket.resetAndDestroy()
      else client.socket.destroy()
    })
    await Promise.all(leaving)
    await expect.poll(() => face.inFlight(), { timeout: 5_000 }).toBe(0)
    expect(events.faulted).toEqual([])
    const alive = rawClient(port)
    alive.send('GET /a/../b HTTP/1.1\r\nHost: a\r\n\r\n')
    expect(await alive.ended()).toMatch(/^HTTP\/1\.1 400 /)
  })

  it('nothing is open in the end: no request, no tunnel, no connection to the upstream that waits', async () => {
    const { events } = await started
    expect(events.counts).toMatchObject({ request: 0, tunnel: 0 })
    const up = await held
    await expect.poll(() => up.sockets.size, { timeout: 3_000 }).toBe(0)
  })
})

// Found by `npm run fuzz -- --target wire-requests`: the parser's error destroys the connection while the first answer is on its way, and
// with it the second request, whose body is being read at that very moment.
describe('a broken body behind a request that has no answer yet', () => {
  const BROKEN = ['5 ;\r\nhello\r\n0\r\n\r\n', '5;\n\r\nhello\r\n0\r\n\r\n', '5\r\nhelloX\r\n0\r\n\r\n', '5\r\nhello\r\n0\r\nPATCH / HTTP/1.1\r\n\r\n']
  it.each(BROKEN)('%j does not end the process', async (body) => {
    for (let nth = 0; nth < 5; nth += 1) {
      const { arrived } = await attack(bytesOf('GET /public/x') + bytesOf('PUT /public/y', ['Transfer-Encoding: chunked'], body) + bytesOf('GET /public/z'), { mayStayBehind: true, timeoutMs: 200 })
      expect(arrived.map(({ target }) => target)).not.toContain('/public/z')
    }
  })
})
