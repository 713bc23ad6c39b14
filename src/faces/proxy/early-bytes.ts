import type { Duplex } from 'node:stream'

/** What a client may send before its upgrade is answered. */
const MAX_EARLY_BYTES = 64 * 1_024

/** The bytes a client sends before the 101, kept back. */
export interface EarlyBytes {
  /** Called when the client has left, or sends more than anybody may before an answer. */
  onGone: () => void
  readonly gone: () => boolean
  /** Puts the bytes back into the socket, for whoever reads it next. */
  readonly giveBack: () => void
}

/**
 * Reads what a client sends before its upgrade is answered: none of it may reach the upstream before the 101 (CVE-2026-2833), and it must
 * be read, because a paused socket never hears of a FIN, so that the upstream would wait for a client that has left.
 */
export function holdEarlyBytes(socket: Duplex, head: Buffer): EarlyBytes {
  const chunks: Buffer[] = head.length > 0 ? [head] : []
  let bytes = head.length
  let gone = socket.destroyed

  const leave = (): void => {
    if (gone) return
    gone = true
    // A FIN is a goodbye here: half a connection cannot become a WebSocket.
    socket.destroy()
    held.onGone()
  }
  const onData = (chunk: Buffer): void => {
    bytes += chunk.length
    chunks.push(chunk)
    if (bytes > MAX_EARLY_BYTES) leave()
  }
  socket.on('data', onData).on('end', leave).on('close', leave)

  const held: EarlyBytes = {
    onGone: () => undefined,
    gone: () => gone,
    giveBack: () => {
      socket.off('data', onData).off('end', leave).off('close', leave)
      socket.pause()
      if (chunks.length > 0) socket.unshift(Buffer.concat(chunks))
    },
  }
  return held
}
