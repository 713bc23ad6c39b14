import { Agent, request, type RequestOptions } from 'node:http'
import { connect } from 'node:net'
import { setTimeout as wait } from 'node:timers/promises'

/** A status; or how it ended without a whole answer. */
export type Outcome = number | 'cut' | 'reset' | 'crossed' | 'late' | 'overtaken'

export interface Asked {
  readonly path: string
  readonly method?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: Buffer
  /** Reads nothing of the body for so long. */
  readonly readAfterMs?: number
}

/** Nobody waits longer than this: a hang has to be seen as one. */
const PATIENCE_MS = 40_000
/** Whoever means to leave does not wait. */
const LITTLE_PATIENCE_MS = 3_000

/** A client of one port, with connections that it keeps. */
export interface Client {
  readonly ask: (asked: Asked) => Promise<Outcome>
  readonly close: () => void
}

export function createClient(port: number): Client {
  const agent = new Agent({ keepAlive: true, maxFreeSockets: 32 })
  return {
    ask: ({ path, method = 'GET', headers = {}, body, readAfterMs = 0 }) => new Promise((resolve) => {
      const options: RequestOptions = { host: '127.0.0.1', port, path, method, agent, headers: { ...headers, ...(body ? { 'content-length': String(body.length) } : {}) } }
      const sent = request(options, (answer) => {
        answer.once('end', () => resolve(answer.complete ? (answer.statusCode ?? 0) : 'cut'))
        answer.once('error', () => resolve('cut'))
        answer.once('close', () => resolve('cut'))
        if (readAfterMs > 0) setTimeout(() => answer.resume(), readAfterMs)
        else answer.resume()
      })
      sent.setTimeout(PATIENCE_MS, () => {
        resolve('late')
        sent.destroy()
      })
      // On a connection that had carried requests we may have written while the other side closed (RFC 9112 section 9.3.1).
      sent.once('error', () => resolve(sent.reusedSocket ? 'crossed' : 'reset'))
      sent.end(body)
    }),
    close: () => agent.destroy(),
  }
}

/** Writes some of a request, waits for `heard` bytes of an answer (0: none) and is gone, with a reset every other time. */
export function abandon(port: number, bytes: string, { heard, reset }: { readonly heard: number; readonly reset: boolean }): Promise<void> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1' })
    let count = 0
    const leave = (): void => void (reset ? socket.resetAndDestroy() : socket.destroy())
    socket.once('connect', () => {
      socket.write(bytes)
      if (heard === 0) setTimeout(leave, 5 + Math.random() * 40)
    })
    socket.on('data', (chunk: Buffer) => {
      count += chunk.length
      if (heard > 0 && count >= heard) leave()
    })
    // An error is shorter than what it would have waited for.
    socket.setTimeout(LITTLE_PATIENCE_MS, leave)
    socket.on('error', () => undefined).on('close', () => resolve())
  })
}

/** Sends a request in small pieces with pauses; gives the status. */
export async function dribble(port: number, bytes: string, { pieces, pauseMs }: { readonly pieces: number; readonly pauseMs: number }): Promise<Outcome> {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true })
  const status = new Promise<Outcome>((resolve) => {
    socket.once('data', (chunk: Buffer) => resolve(Number(/^HTTP\/1\.1 (\d{3})/.exec(chunk.toString('latin1'))?.[1] ?? 0)))
    socket.setTimeout(PATIENCE_MS, () => resolve('late'))
    socket.on('error', () => resolve('reset')).on('close', () => resolve('cut'))
  })
  const size = Math.ceil(bytes.length / pieces)
  for (let at = 0; at < bytes.length && socket.writable; at += size) {
    socket.write(bytes.slice(at, at + size))
    await wait(pauseMs)
  }
  const outcome = await status
  socket.destroy()
  return outcome
}
