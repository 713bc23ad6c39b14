import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net'

/** A connection on which a test writes bytes, not requests. */
export interface RawClient {
  readonly socket: Socket
  readonly send: (bytes: string | Buffer) => void
  /** Everything received so far, one character a byte. */
  readonly received: () => string
  /** Resolves when `wanted` has been received. */
  readonly until: (wanted: string | RegExp) => Promise<string>
  /** Resolves with everything when the other side has hung up. */
  readonly ended: () => Promise<string>
}

export function rawClient(target: number | string): RawClient {
  const socket = typeof target === 'number' ? connect(target, '127.0.0.1') : connect(target)
  return watch(socket)
}

export function watch(socket: Socket): RawClient {
  let text = ''
  const watchers = new Set<() => void>()
  const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()))
  socket.on('error', () => undefined)
  socket.on('data', (chunk: Buffer) => {
    text += chunk.toString('latin1')
    for (const look of watchers) look()
  })
  return {
    socket,
    send: (bytes) => void socket.write(bytes),
    received: () => text,
    until: (wanted) => new Promise((resolve, reject) => {
      const look = (): void => {
        if (typeof wanted === 'string' ? !text.includes(wanted) : !wanted.test(text)) return
        watchers.delete(look)
        resolve(text)
      }
      watchers.add(look)
      look()
      void closed.then(() => reject(new Error(`hung up before ${String(wanted)}; received: ${text}`)))
    }),
    ended: async () => {
      await closed
      return text
    },
  }
}

/** Sends bytes and gives everything that comes back until the other side hangs up. */
export async function rawExchange(target: number | string, bytes: string | Buffer): Promise<string> {
  const client = rawClient(target)
  client.send(bytes)
  return await client.ended()
}

/** An upstream that says what a test wants, also what no server may say. */
export interface RawUpstream {
  readonly port: number
  readonly server: Server
  /** Bytes received over all connections, in order of arrival, one text a connection. */
  readonly received: readonly string[]
  readonly sockets: ReadonlySet<Socket>
  readonly close: () => Promise<void>
}

/** `speak` is called for each connection when its first bytes have arrived, and again for each further piece. */
export async function startRawUpstream(speak: (socket: Socket, piece: string, connection: number) => void, onConnect?: (socket: Socket, connection: number) => void): Promise<RawUpstream> {
  const received: string[] = []
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    const connection = received.push('') - 1
    sockets.add(socket)
    socket.on('error', () => undefined)
    socket.on('close', () => sockets.delete(socket))
    onConnect?.(socket, connection)
    socket.on('data', (chunk) => {
      const piece = chunk.toString('latin1')
      received[connection] += piece
      speak(socket, piece, connection)
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    port: (server.address() as AddressInfo).port,
    server,
    received,
    sockets,
    close: async () => {
      for (const socket of sockets) socket.destroy()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
