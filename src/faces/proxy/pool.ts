import type { UpstreamSettings } from '../../model/gateway.ts'
import { createConnection } from './connection.ts'
import type { UpstreamConnection } from './engine.ts'

/** The connections to one upstream, one request each at a time. */
export interface UpstreamPool {
  /** Takes a connection, which must be released in the end; undefined when all are in use. */
  readonly take: () => UpstreamConnection | undefined
  /** Waits for one: `ready` is called with it when one is given back, and must release it in the end. Gives the way to withdraw. */
  readonly wait: (ready: (connection: UpstreamConnection) => void) => () => void
  readonly release: (connection: UpstreamConnection) => void
  /** Closes what is idle now and the rest as it is given back; requests that still hold the pool are served. */
  readonly retire: () => void
  readonly destroy: () => Promise<void>
}

/**
 * Builds a pool that opens at most `maxConnections`. The queue is ours and not the library's, so that a client that leaves
 * while it waits gives up its place and costs no connection.
 */
export function createPool(settings: UpstreamSettings): UpstreamPool {
  const all = new Set<UpstreamConnection>()
  // The warmest first: a small load keeps few sockets open.
  const idle: UpstreamConnection[] = []
  const waiting = new Set<(connection: UpstreamConnection) => void>()
  let retired = false

  const open = (): UpstreamConnection => {
    const connection = createConnection(settings)
    all.add(connection)
    return connection
  }

  const discard = (connection: UpstreamConnection): void => {
    all.delete(connection)
    void connection.destroy()
  }

  return {
    take: () => idle.pop() ?? (all.size < settings.maxConnections ? open() : undefined),
    wait: (ready) => {
      waiting.add(ready)
      return () => waiting.delete(ready)
    },
    release: (connection) => {
      const [next] = waiting
      if (next) {
        waiting.delete(next)
        // Not within a callback of the library, whose state is in between.
        setImmediate(next, connection)
      } else if (retired) discard(connection)
      else idle.push(connection)
    },
    retire: () => {
      retired = true
      idle.splice(0).forEach(discard)
    },
    destroy: async () => {
      await Promise.all([...all].map((connection) => connection.destroy()))
    },
  }
}
