import { setTimeout as wait } from 'node:timers/promises'
import { WebSocket } from 'ws'
import type { Scene } from './scene.ts'
import type { Tally } from './tally.ts'

/** How a client ends its tunnel: politely, without a word, or with a reset. */
const ENDS = [
  (socket: WebSocket) => socket.close(1000),
  (socket: WebSocket) => socket.terminate(),
  (socket: WebSocket) => (socket as unknown as { readonly _socket: { readonly resetAndDestroy: () => void } })['_socket'].resetAndDestroy(), // the library has no word for it
] as const

function opened(port: number, token: string, kind: string): Promise<WebSocket | number | 'reset'> {
  return new Promise((resolve) => {
    const socket = new WebSocket(`ws://127.0.0.1:${port}/socket`, { headers: { authorization: `Bearer ${token}`, 'x-kind': kind }, perMessageDeflate: false, handshakeTimeout: 40_000 })
    socket.once('open', () => resolve(socket))
    socket.once('unexpected-response', (_request, answer) => {
      answer.resume()
      resolve(answer.statusCode ?? 0)
    })
    socket.on('error', () => resolve('reset'))
  })
}

/** One message, and the same back. */
function echoes(socket: WebSocket, text: string): Promise<boolean> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve(false), 30_000)
    const end = (same: boolean): void => {
      clearTimeout(timer)
      socket.off('message', hear).off('close', gone)
      resolve(same)
    }
    const hear = (data: unknown): void => end(String(data) === text)
    const gone = (): void => end(false)
    socket.on('message', hear).on('close', gone)
    socket.send(text)
  })
}

/** Opens a tunnel, talks, ends it, and begins again. */
export async function keepTalking({ port }: Scene, { token, tally, running, pauseMs }: { readonly token: () => string; readonly tally: Tally; readonly running: () => boolean; readonly pauseMs: number }): Promise<void> {
  for (let turn = 0; running(); turn += 1) {
    const forged = turn % 8 === 7
    const end = tally.begin(forged ? 'forgedSocket' : 'socket')
    const socket = await opened(port, forged ? 'nobody' : token(), forged ? 'forgedSocket' : 'socket')
    if (!(socket instanceof WebSocket)) {
      end(socket)
    } else {
      let same = true
      for (let message = 0; message < 4 && same && running(); message += 1) {
        same = await echoes(socket, `message ${turn} ${message}`)
        await wait(pauseMs)
      }
      const closed = new Promise((resolve) => void socket.once('close', resolve))
      end(same ? 200 : 'cut')
      if (socket.readyState === WebSocket.OPEN) ENDS[turn % ENDS.length]?.(socket)
      const timer = setTimeout(() => socket.terminate(), 5_000)
      if (socket.readyState !== WebSocket.CLOSED) await closed
      clearTimeout(timer)
    }
    await wait(pauseMs)
  }
}
