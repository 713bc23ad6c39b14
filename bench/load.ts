import { connect, type Socket } from 'node:net'

export interface Load {
  readonly port: number
  /** The exact bytes of one request. */
  readonly request: string
  readonly requests: number
  readonly connections: number
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

/**
 * Sends a fixed number of requests over keep-alive connections to loopback, one at a time on each, and stops.
 *
 * @throws when an answer has another status, or a connection ends early
 */
export async function run({ port, request, requests, connections, status }: Load): Promise<LoadResult> {
  const bytes = Buffer.from(request, 'latin1')
  const wanted = `HTTP/1.1 ${status} `
  const latencies = new Float64Array(requests)
  let sent = 0
  let done = 0
  const sockets = await Promise.all(Array.from({ length: connections }, () => open(port)))
  const start = performance.now()
  await new Promise<void>((resolve, reject) => {
    for (const socket of sockets) {
      let rest: Buffer = Buffer.alloc(0)
      let at = 0
      const next = (): void => {
        if (sent >= requests) return
        sent += 1
        at = performance.now()
        socket.write(bytes)
      }
      socket.on('data', (chunk: Buffer) => {
        rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk])
        const length = answerLength(rest)
        if (length === 0) return
        const head = rest.toString('latin1', 0, wanted.length)
        if (head !== wanted) reject(new Error(`expected ${wanted}but got ${rest.toString('latin1', 0, 200)}`))
        rest = rest.subarray(length)
        latencies[done] = performance.now() - at
        done += 1
        if (done === requests) resolve()
        else next()
      })
      socket.on('close', () => reject(new Error('a connection was closed early')))
      next()
    }
  })
  const seconds = (performance.now() - start) / 1000
  for (const socket of sockets) socket.removeAllListeners('close').destroy()
  return { seconds, latencies: latencies.sort() }
}
