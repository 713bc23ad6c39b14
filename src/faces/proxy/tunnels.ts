import type { Socket } from 'node:net'
import type { Clock, DurationMs, EpochMs } from '../../base/time.ts'
import type { Observer } from '../../model/event.ts'
import { closeFrameFromClient, closeFrameFromServer, POLICY_VIOLATION } from './close-frame.ts'

/** How long both ends may take to say goodbye. */
const GOODBYE_MS: DurationMs = 1_000

/** The longest timer that Node has. */
const LONGEST_TIMER_MS: DurationMs = 2 ** 31 - 1

export interface TunnelSettings {
  readonly client: Socket
  readonly upstream: Socket
  /** The proof that opened it ends then. */
  readonly expiresAt?: EpochMs | undefined
  /** Calls when a proof is ended before its time; gives what stops watching. */
  readonly watch?: ((end: () => void) => (() => void) | undefined) | undefined
  readonly idleMs: DurationMs
}

/** Open WebSockets. The server does not know them any more once they are upgraded. */
export interface Tunnels {
  readonly add: (tunnel: TunnelSettings) => void
  readonly count: () => number
  /** Sends a close frame both ways and hangs up; resolves when all are closed. */
  readonly closeAll: (code: number) => Promise<void>
}

/**
 * Sends the close frame after whatever has been passed on so far. In the middle of a frame it is not understood, and the
 * end of the connection has to speak for itself.
 */
function sayGoodbye({ client, upstream }: TunnelSettings, code: number): void {
  upstream.unpipe(client)
  client.unpipe(upstream)
  client.end(closeFrameFromServer(code))
  upstream.end(closeFrameFromClient(code))
  client.resume()
  upstream.resume()
  const timer = setTimeout(() => {
    client.destroy()
    upstream.destroy()
  }, GOODBYE_MS)
  client.once('close', () => clearTimeout(timer))
}

/** Calls once the instant has come, however far away it is. */
function at(instant: EpochMs, clock: Clock, then: () => void): () => void {
  let timer: NodeJS.Timeout | undefined
  const wait = (): void => {
    const left = instant - clock()
    if (left <= 0) return then()
    timer = setTimeout(wait, Math.min(left, LONGEST_TIMER_MS))
  }
  wait()
  return () => clearTimeout(timer)
}

export function createTunnels({ observer, clock }: { observer: Observer; clock: Clock }): Tunnels {
  const open = new Map<TunnelSettings, Promise<void>>()
  let closing: number | undefined

  const add = (tunnel: TunnelSettings): void => {
    const { client, upstream, expiresAt, watch, idleMs } = tunnel
    observer.opened('tunnel', 'proxy')
    const cancelExpiry = expiresAt === undefined ? undefined : at(expiresAt, clock, () => {
      observer.noticed('info', 'tunnel_expired', 'a tunnel was closed because its credential has expired')
      sayGoodbye(tunnel, POLICY_VIOLATION)
    })
    const cancelWatch = watch?.(() => {
      observer.noticed('info', 'tunnel_revoked', 'a tunnel was closed because its credential was revoked')
      sayGoodbye(tunnel, POLICY_VIOLATION)
    })
    // One end alone is no tunnel: what has been passed on is flushed, then the other end goes too.
    upstream.once('close', () => client.destroySoon())
    client.setTimeout(idleMs, () => {
      client.destroy()
      upstream.destroy()
    })
    open.set(tunnel, new Promise((resolve) => {
      client.once('close', () => {
        cancelExpiry?.()
        cancelWatch?.()
        upstream.destroySoon()
        open.delete(tunnel)
        observer.closed('tunnel', 'proxy')
        resolve()
      })
    }))
    // It was agreed to while the others were told.
    if (closing !== undefined) setImmediate(sayGoodbye, tunnel, closing)
  }

  return {
    add,
    count: () => open.size,
    closeAll: async (code) => {
      closing = code
      const told = [...open]
      for (const [tunnel] of told) sayGoodbye(tunnel, code)
      await Promise.all(told.map(([, closed]) => closed))
    },
  }
}
