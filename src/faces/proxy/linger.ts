import type { IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import type { DurationMs } from '../../base/time.ts'

/** How long an unread request is read and thrown away, so that the client gets to read the answer. */
const LINGER_MS: DurationMs = 1_000

const leaving = new WeakSet<Socket>()

/** Whether the last answer of this connection has been given: a request that comes after it must not be looked at. */
export const isLeaving = (socket: Socket): boolean => leaving.has(socket)

/** Whether the request has a body that has not arrived completely. Framing fields of refused requests may say anything. */
export function hasUnreadBody(incoming: IncomingMessage): boolean {
  // Asked first: Node makes `headers` when somebody looks at it.
  if (incoming.complete) return false
  const { 'transfer-encoding': coding, 'content-length': length } = incoming.headers
  return coding !== undefined || (length !== undefined && length !== '0')
}

/**
 * Makes the close of a connection patient: when the server hangs up after the answer, it says so (FIN) and throws away what the client
 * still sends, for a moment. A close with unread bytes would reset the connection and take the answer with it
 * (RFC 9112 section 9.6). Node calls `destroySoon` for an answer with `Connection: close`.
 */
export function lingerAfterAnswer(incoming: IncomingMessage): void {
  const { socket } = incoming
  if (leaving.has(socket)) return
  leaving.add(socket)
  const close = socket.destroySoon.bind(socket)
  socket.destroySoon = () => {
    if (incoming.complete) return close()
    const timer = setTimeout(() => socket.destroy(), LINGER_MS)
    socket.once('close', () => clearTimeout(timer))
    incoming.once('end', () => socket.destroy())
    socket.end()
    incoming.resume()
  }
}
