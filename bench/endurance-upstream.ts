import { createHash } from 'node:crypto'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'

/** What stands behind the Postern of `endurance.ts`, in the process of the measurement. */
export interface EnduranceUpstream {
  readonly port: number
  /** Numbers of the requests that arrived, taken from `/slow/<number>`. */
  readonly seen: ReadonlySet<number>
  readonly close: () => void
}

const CHUNK = Buffer.alloc(64 * 1024, 'x')
const SLOW_MS = 40
const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11'

function serve(seen: Set<number>): Server {
  const server = createServer((request, response) => {
    const [, kind, value] = (request.url ?? '').split('/')
    if (kind === 'source') {
      let left = Number(value)
      response.writeHead(200, { 'content-length': left })
      const more = (): void => {
        while (left > 0) {
          const piece = left < CHUNK.length ? CHUNK.subarray(0, left) : CHUNK
          left -= piece.length
          if (!response.write(piece)) return void response.once('drain', more)
        }
        response.end()
      }
      return more()
    }
    if (kind === 'sink') {
      let bytes = 0
      request.on('data', (chunk: Buffer) => void (bytes += chunk.length))
      return void request.on('end', () => response.end(String(bytes)))
    }
    if (kind === 'slow') {
      seen.add(Number(value))
      return void setTimeout(() => response.end('done'), SLOW_MS)
    }
    response.end('ok')
  })
  // RFC 6455 section 4.2.2; afterwards whatever arrives is answered with one small text frame.
  server.on('upgrade', (request, socket) => {
    const accept = createHash('sha1').update(`${request.headers['sec-websocket-key']}${GUID}`).digest('base64')
    socket.on('error', () => undefined)
    socket.on('data', () => socket.write(Buffer.from([0x81, 1, 0x78])))
    socket.write(`HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`)
  })
  server.keepAliveTimeout = 120_000
  return server
}

/** Starts it on loopback. `/source/<bytes>` sends, `/sink` counts, `/slow/<number>` takes 40 ms, an upgrade is always agreed on. */
export async function startUpstream(): Promise<EnduranceUpstream> {
  const seen = new Set<number>()
  const server = serve(seen)
  await new Promise<void>((resolve) => server.listen({ port: 0, host: '127.0.0.1', backlog: 4_096 }, resolve))
  return {
    port: (server.address() as AddressInfo).port,
    seen,
    close: () => {
      server.close()
      server.closeAllConnections()
    },
  }
}
