import type { Socket } from 'node:net'
import type { DurationMs } from '../../base/time.ts'
import type { Client } from './client.ts'
import { isEncrypted, type Peers } from './peer.ts'
import { createPlainClient } from './plain-client.ts'
import { type PlainConnection, type PlainEvents, readPlainly } from './plain-connection.ts'
import type { ListenerSettings } from './settings.ts'

/** What the connections of a listener hand on. */
export interface PlainReadersEvents extends Omit<PlainEvents, 'request'> {
  readonly request: (client: Client) => void
  /** A head did not arrive in time. */
  readonly unparsable: (error: Error & { readonly code?: string }, socket: Socket) => void
}

/** All connections of a listener that are read by us. */
export interface PlainReaders {
  readonly take: (socket: Socket) => void
  /** Closes those on which no request is on its way. */
  readonly closeIdle: () => void
  readonly closeAll: () => void
}

export interface PlainReadersSettings {
  readonly settings: Pick<ListenerSettings, 'headersTimeoutMs' | 'keepAliveTimeoutMs' | 'maxHeaderSize'>
  readonly peers: Peers
}

/** Shorter than what anybody waits for, and long enough to cost nothing. */
const lookingEvery = ({ headersTimeoutMs, keepAliveTimeoutMs }: PlainReadersSettings['settings']): DurationMs =>
  Math.min(5_000, Math.max(50, Math.floor(Math.min(headersTimeoutMs, keepAliveTimeoutMs) / 4)))

/** A client that sends its next request at the last moment still finds the connection open. */
const GRACE_MS: DurationMs = 1_000

/** Between two requests of a client that is busy. */
const QUIET_MS: DurationMs = 5_000

class HeadTimeout extends Error {
  readonly code = 'ERR_HTTP_REQUEST_TIMEOUT'
}

export function createPlainReaders({ settings, peers }: PlainReadersSettings, events: PlainReadersEvents): PlainReaders {
  const open = new Set<PlainConnection>()
  const { headersTimeoutMs, keepAliveTimeoutMs, maxHeaderSize } = settings
  let timer: NodeJS.Timeout | undefined

  /** A connection without a request is waited for: for its first head, for the rest of one, or for another one. */
  const look = (): void => {
    const now = performance.now()
    for (const connection of open) {
      const { state, held, requests, since, socket } = connection
      if (state !== 'waiting') continue
      // What a client said is not kept for one that has gone quiet: its credential is in it.
      if (now - since > QUIET_MS) connection.fields.forget()
      const rests = held === undefined && requests > 0
      if (now - since <= (rests ? keepAliveTimeoutMs + GRACE_MS : headersTimeoutMs)) continue
      forget(connection)
      if (rests) socket.destroy()
      else events.unparsable(new HeadTimeout('the head did not arrive in time'), socket)
    }
  }
  const forget = (connection: PlainConnection): void => {
    connection.state = 'over'
    open.delete(connection)
    if (open.size > 0) return
    clearInterval(timer)
    timer = undefined
  }
  const own: Omit<PlainEvents, 'handedOver'> = { request: (turn) => events.request(createPlainClient(turn)), spoke: events.spoke }

  return {
    take: (socket) => {
      if (socket.destroyed) return
      const connection = readPlainly({
        socket, peer: peers.of(socket), encrypted: isEncrypted(socket), maxHead: maxHeaderSize, keepAliveMs: keepAliveTimeoutMs,
        events: { ...own, handedOver: (left) => {
          forget(connection)
          events.handedOver(left)
        } },
      })
      open.add(connection)
      socket.once('close', () => forget(connection))
      timer ??= setInterval(look, lookingEvery(settings)).unref()
    },
    closeIdle: () => {
      for (const { state, held, socket } of open) if (state === 'waiting' && held === undefined) socket.destroy()
    },
    closeAll: () => {
      for (const { socket } of open) socket.destroy()
    },
  }
}
