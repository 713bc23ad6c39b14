import type { IncomingMessage, Server } from 'node:http'
import type { Socket } from 'node:net'
import { setImmediate as turn, setTimeout as wait } from 'node:timers/promises'
import type { DurationMs } from '../../base/time.ts'

/** Connections that were taken and have not asked for anything yet. */
export interface Newcomers {
  /** This one has asked, and the server was not told. */
  readonly spoke: (socket: Socket) => void
  /** Resolves when every connection that the system holds for us has been taken: a close would reset those. */
  readonly taken: () => Promise<void>
  /** Resolves when each has asked or left, but no later than after `ms`. */
  readonly heard: (ms: DurationMs) => Promise<void>
}

/** Under a flood of connections there is no turn without one. */
const MOST_TURNS = 500
/**
 * Connections that arrive within a turn, after the system was asked, are not seen before the next one. A close after a turn this short
 * leaves them the least time; a turn in which many requests are handled takes ten times as long.
 */
const SHORT_TURN_MS: DurationMs = 0.3
const LOOK_MS: DurationMs = 5

/** Watches a server. Over TLS a connection counts from the end of its handshake. */
export function watchNewcomers(server: Server, secure: boolean): Newcomers {
  const silent = new Set<Socket>()
  let came = 0
  const spoke = ({ socket }: IncomingMessage): void => void silent.delete(socket)
  server.prependListener('connection', () => void (came += 1))
  server.prependListener(secure ? 'secureConnection' : 'connection', (socket: Socket) => {
    silent.add(socket)
    socket.once('close', () => silent.delete(socket))
  })
  for (const event of ['request', 'checkContinue', 'checkExpectation', 'upgrade', 'connect']) server.prependListener(event, spoke)
  return {
    spoke: (socket) => void silent.delete(socket),
    taken: async () => {
      for (let turns = 0; turns < MOST_TURNS; turns += 1) {
        const [before, began] = [came, performance.now()]
        await turn()
        // The first turn may end without the system having been asked.
        if (turns > 0 && came === before && performance.now() - began < SHORT_TURN_MS) return
      }
    },
    heard: async (ms) => {
      const until = performance.now() + ms
      while (silent.size > 0 && performance.now() < until) await wait(LOOK_MS)
    },
  }
}
