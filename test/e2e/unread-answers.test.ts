// Clients that do not take what they have asked for (T51): each is cut off, and nobody else hears of it.
import { connect } from 'node:net'
import { describe, expect, it } from 'vitest'
import { startEchoUpstream } from '../support/echo-upstream.ts'
import { deny, MISSING, startProxy, upstream } from '../support/gateway.ts'
import { closeAfterEach } from '../support/opened.ts'
import { rawExchange } from '../support/raw-socket.ts'

const opened = closeAfterEach()

const MORE_THAN_SOCKETS_HOLD = Buffer.alloc(32 * 1024 * 1024, 'x')
const PATIENCE_MS = 200

/** Writes these bytes and reads nothing. */
function silent(port: number, bytes: string): Promise<unknown> {
  const socket = connect(port, '127.0.0.1')
  opened({ close: async () => void socket.destroy() })
  socket.on('error', () => undefined)
  socket.pause()
  socket.write(bytes)
  // What has arrived is read only once the connection is over, so a close is heard as the end of what can be written.
  return new Promise((resolve) => {
    const knock = setInterval(() => socket.write('\r\n', (error) => error && resolve(error)), 50)
    socket.once('error', resolve).once('close', () => clearInterval(knock))
  })
}

describe('whoever does not read its answer is cut off, and others are not', () => {
  it.each([
    ['an ordinary request', 'GET / HTTP/1.1\r\nHost: a\r\n\r\n'],
    ['one of HTTP/1.0', 'GET / HTTP/1.0\r\nHost: a\r\n\r\n'],
    ['one with chunks', 'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n'],
    ['one with an expectation', 'POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\nx'],
  ])('%s', async (_what, bytes) => {
    const up = opened(await startEchoUpstream({ answer: (incoming, response) => void incoming.resume().on('end', () => response.end(incoming.url === '/small' ? 'ok' : MORE_THAN_SOCKETS_HOLD)) }))
    const proxy = opened(await startProxy({ upstreams: [upstream(up.port, { idleTimeoutMs: PATIENCE_MS })] }))
    await silent(proxy.port, bytes)
    await expect.poll(() => proxy.face.inFlight()).toBe(0)
    expect(await rawExchange(proxy.port, 'GET /small HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')).toMatch(/^HTTP\/1\.1 200 /)
    expect(proxy.events.faulted).toEqual([])
  })

  it('nor does a client that asks again and again to be refused keep anything', async () => {
    const proxy = opened(await startProxy({ upstreams: [upstream(1)], match: () => deny(MISSING), listener: { keepAliveTimeoutMs: PATIENCE_MS } }))
    const requests = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n'.repeat(30_000)
    await silent(proxy.port, requests)
    await expect.poll(() => proxy.face.inFlight()).toBe(0)
  })
})
