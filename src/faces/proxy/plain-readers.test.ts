import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import type { Client } from './client.ts'
import { createPlainReaders } from './plain-readers.ts'

// Sockets are real; only what looks at the clock is told the time.
beforeEach(() => void vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'performance'] }))
afterEach(() => void vi.useRealTimers())

it('what a client said is kept for its next request, and not once it has gone quiet: its credential is in it', async () => {
  const messages: Client['message'][] = []
  const readers = createPlainReaders({ settings: { headersTimeoutMs: 10_000, keepAliveTimeoutMs: 75_000, maxHeaderSize: 16_384 }, peers: { of: () => '127.0.0.1', name: () => undefined } }, {
    request: (client) => {
      messages.push(client.message)
      client.reply({ status: 200, headers: [], body: 'heard' }, { close: false })
    },
    spoke: () => undefined,
    handedOver: (socket: Socket) => socket.destroy(),
    unparsable: (_error, socket) => socket.destroy(),
  })
  const server = createServer(readers.take).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const client = connect((server.address() as AddressInfo).port, '127.0.0.1')
  const ask = async (): Promise<void> => {
    client.write('GET / HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer secret\r\n\r\n')
    await once(client, 'data')
  }
  try {
    await ask()
    await ask()
    vi.advanceTimersByTime(8_000)
    await ask()
    const [first, second, third] = messages.map(({ rawHeaders }) => rawHeaders)
    expect(second).toBe(first)
    expect(third).not.toBe(first)
    expect(third).toEqual(first)
    const [, kept, forgotten] = messages.map(({ repeated }) => repeated?.kept)
    expect(kept).toBe(messages[0]?.repeated?.kept)
    expect(forgotten).not.toBe(kept)
  } finally {
    client.destroy()
    server.close()
  }
})
