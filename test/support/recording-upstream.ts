import { once } from 'node:events'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { type HeaderLine, type Read, readBody, readHead, valuesOf } from './strict-http.ts'

/** One request as it arrived, bytes as Latin-1 text. */
export interface RecordedRequest {
  readonly method: string
  /** The request target, byte for byte. */
  readonly target: string
  /** In order, names as they were spelled. */
  readonly headers: readonly HeaderLine[]
  readonly body: Buffer
  readonly trailers: readonly HeaderLine[]
  /** Number of the connection it came on, from 0. */
  readonly connection: number
}

export interface RecordingUpstream {
  readonly port: number
  /** Every request that was counted, in order of arrival. */
  readonly requests: readonly RecordedRequest[]
  /** What arrived that a strict HTTP/1.1 reader does not accept; each closed its connection. */
  readonly violations: readonly string[]
  /** Connections that were ever opened. */
  readonly connections: () => number
  /** Bytes received over all connections. */
  readonly bytesReceived: () => number
  readonly close: () => Promise<void>
}

export interface RecordingUpstreamOptions {
  /** Answers instead of the echo: raw bytes, which are not checked. */
  readonly answer?: (request: RecordedRequest) => string | Buffer
}

type ParsedRequest = Omit<RecordedRequest, 'connection'>

const REQUEST_LINE = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+) ([\x21-\x7e]+) HTTP\/1\.1$/

/** The first whole request in the bytes. A body is where the framing fields say, whatever the method. */
export function readRequest(bytes: Buffer): Read<ParsedRequest> {
  const head = readHead(bytes, 0)
  if (head.kind !== 'read') return head
  const { start, headers } = head.value
  const line = REQUEST_LINE.exec(start)
  if (!line) return { kind: 'violation', reason: `a request line ${JSON.stringify(start)}` }
  if (valuesOf(headers, 'host').length !== 1) return { kind: 'violation', reason: 'not exactly one Host' }
  const body = readBody(bytes, head.end, headers)
  if (body.kind !== 'read') return body
  return { kind: 'read', end: body.end, value: { method: line[1]!, target: line[2]!, headers, body: body.value?.bytes ?? Buffer.alloc(0), trailers: body.value?.trailers ?? [] } }
}

/** 200 with what was seen; repeated headers are joined by a comma. */
function echo({ method, target, headers }: ParsedRequest): string {
  const seen = Object.fromEntries(headers.map(([name]) => [name.toLowerCase(), valuesOf(headers, name).join(', ')]))
  const body = JSON.stringify({ ok: true, method, path: target, headers: seen })
  const length = Buffer.byteLength(body)
  return `HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: ${length}\r\n\r\n${method === 'HEAD' ? '' : body}`
}

/**
 * Starts an upstream on raw sockets that counts requests with a reader of its own (invariant I1 of the attack tests), records
 * them byte for byte and answers each with an echo. Connections stay open until the other side ends them, asks for that, or
 * sends something that is no HTTP/1.1.
 */
export async function startRecordingUpstream({ answer = echo }: RecordingUpstreamOptions = {}): Promise<RecordingUpstream> {
  const requests: RecordedRequest[] = []
  const violations: string[] = []
  const sockets = new Set<Socket>()
  let connections = 0
  let bytesReceived = 0

  /** Takes whole requests off the front; gives what is left. */
  function take(socket: Socket, bytes: Buffer, connection: number): Buffer {
    for (let rest = bytes; ; ) {
      if (rest.length === 0) return rest
      const request = readRequest(rest)
      if (request.kind === 'incomplete') return rest
      if (request.kind === 'violation') {
        violations.push(request.reason)
        socket.end('HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n')
        return Buffer.alloc(0)
      }
      const recorded = { ...request.value, connection }
      requests.push(recorded)
      socket.write(answer(recorded))
      if (valuesOf(recorded.headers, 'connection').some((value) => value.toLowerCase() === 'close')) socket.end()
      rest = rest.subarray(request.end)
    }
  }

  const server = createServer((socket) => {
    const connection = connections
    connections += 1
    sockets.add(socket)
    let pending: Buffer = Buffer.alloc(0)
    socket.on('error', () => undefined)
    socket.on('close', () => sockets.delete(socket))
    socket.on('data', (chunk: Buffer) => {
      bytesReceived += chunk.length
      if (socket.writable) pending = take(socket, Buffer.concat([pending, chunk]), connection)
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    port: (server.address() as AddressInfo).port,
    requests,
    violations,
    connections: () => connections,
    bytesReceived: () => bytesReceived,
    close: async () => {
      for (const socket of sockets) socket.destroy()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
