import { connect, type Socket } from 'node:net'

export interface Load {
  readonly port: number
  /** The exact bytes of the request of this number. */
  readonly bytes: (n: number) => Buffer
  readonly requests: number
  readonly connections: number
  /** Requests on their way at a time; default: one on each connection. */
  readonly atOnce?: number
  /** The status that every answer must have: a benchmark of error answers is worth nothing. */
  readonly status: number
}

export interface LoadResult {
  readonly seconds: number
  /** Milliseconds per request, sorted. */
  readonly latencies: Float64Array
}

/** Length of the first complete answer in `bytes`, or 0. Only what the bench's own servers send: Content-Length framing. */
function answerLength(bytes: Buffer): number {
  const end = bytes.indexOf('\r\n\r\n')
  if (end === -1) return 0
  const head = bytes.toString('latin1', 0, end).toLowerCase()
  const length = Number(/\r\ncontent-length: *(\d+)/.exec(head)?.[1] ?? 0)
  const total = end + 4 + length
  return bytes.length >= total ? total : 0
}

function open(port: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true }, () => resolve(socket))
    socket.once('error', reject)
  })
}

/** How many connections are opened at once: no more than a listener keeps waiting. */
const AT_ONCE = 100

export async function openAll(port: number, count: number): Promise<Socket[]> {
  const sockets: Socket[] = []
  while (sockets.length < count) sockets.push(...(await Promise.all(Array.from({ length: Math.min(AT_ONCE, count - sockets.length) }, () => open(port)))))
  return sockets
}

/** The bytes of a GET with these header lines. */
export const getRequest = (path: string, headers: readonly string[]): Buffer =>
  Buffer.from(`GET ${path} HTTP/1.1\r\nHost: api.example\r\nAccept: application/json\r\nUser-Agent: bench\r\n${headers.map((header) => `${header}\r\n`).join('')}\r\n`, 'latin1')

/** Calls back with each whole answer; complains of another status. */
export function eachAnswer(socket: Socket, status: number, then: () => void, fail: (error: Error) => void): void {
  const wanted = `HTTP/1.1 ${status} `
  let rest: Buffer = Buffer.alloc(0)
  socket.on('data', (chunk: Buffer) => {
    rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk])
    const length = answerLength(rest)
    if (length === 0) return
    if (rest.toString('latin1', 0, wanted.length) !== wanted) fail(new Error(`expected ${wanted}but got ${rest.toString('latin1', 0, 300)}`))
    rest = rest.subarray(length)
    then()
  })
  socket.on('close', () => fail(new Error('a connection was closed early')))
}

/**
 * Sends a fixed number of requests over keep-alive connections to loopback, one at a time on each, and stops. Connections take turns.
 *
 * @throws when an answer has another status, or a connection ends early
 */
export async function run({ port, bytes, requests, connections, atOnce = connections, status }: Load): Promise<LoadResult> {
  const latencies = new Float64Array(requests)
  let [sent, done] = [0, 0]
  const sockets = await openAll(port, Math.min(connections, requests))
  const idle = [...sockets]
  const start = performance.now()
  try {
    await new Promise<void>((resolve, reject) => {
      const began = new Map<Socket, number>()
      const next = (): void => {
        const socket = sent < requests ? idle.shift() : undefined
        if (!socket) return
        began.set(socket, performance.now())
        socket.write(bytes(sent++))
      }
      for (const socket of sockets) {
        eachAnswer(socket, status, () => {
          latencies[done++] = performance.now() - (began.get(socket) ?? 0)
          idle.push(socket)
          if (done === requests) resolve()
          else next()
        }, reject)
      }
      for (let n = 0; n < atOnce; n += 1) next()
    })
    return { seconds: (performance.now() - start) / 1000, latencies: latencies.sort() }
  } finally {
    for (const socket of sockets) socket.removeAllListeners('close').destroy()
  }
}
