import { Redis } from 'ioredis'
import { createRedis, type RedisPatience } from '../redis/create-redis.ts'
import type { StoreScript } from './counter-script.ts'
import type { StoreSettings } from './store-settings.ts'

/**
 * All that the limiter asks of a client library. Commands reject at once while there is no connection, are never queued and never sent
 * again after one. They may stay unanswered: whoever calls keeps the time.
 */
export interface StoreClient {
  /** Begins to connect, and goes on trying. */
  readonly connect: () => void
  readonly isReady: () => boolean
  /** Runs a script by its digest; sends the text when the store does not know it. */
  readonly run: (script: StoreScript, keys: readonly string[], args: readonly string[]) => Promise<unknown>
  readonly command: (name: string, ...args: readonly string[]) => Promise<unknown>
  /** Drops the connection with everything that waits on it, and connects anew. */
  readonly restart: () => void
  readonly close: () => void
  readonly on: (event: 'ready' | 'close' | 'error', listener: (error?: Error) => void) => void
}

/** Nothing waits for a connection, and none that is silent is kept: requests are decided without the store instead. */
const PATIENCE: RedisPatience = { queue: false, connectMs: 500, silenceMs: 1_000, pauseMs: 2_000 }

const isUnknownScript = (error: unknown): boolean => error instanceof Error && error.message.startsWith('NOSCRIPT')

/** The one place of the limiter that knows the client library. */
export function createStoreClient(settings: StoreSettings): StoreClient {
  const redis = createRedis(settings, PATIENCE)
  // Without a listener an error of the connection would end the process.
  redis.on('error', () => undefined)
  let connecting = false
  const connect = (): void => {
    if (connecting) return
    connecting = true
    redis.connect().catch(() => undefined)
  }
  return {
    connect,
    isReady: () => redis.status === 'ready' && (redis instanceof Redis || redis.nodes('master').some(({ status }) => status === 'ready')),
    run: async ({ lua, sha1 }, keys, args) => {
      try {
        return await redis.evalsha(sha1, keys.length, ...keys, ...args)
      } catch (error) {
        if (!isUnknownScript(error)) throw error
        return redis.eval(lua, keys.length, ...keys, ...args)
      }
    },
    command: (name, ...args) => redis.call(name, ...args),
    restart: () => {
      // A cluster drops the connection that is silent by itself; the others must stay.
      if (redis instanceof Redis) redis.disconnect(true)
    },
    close: () => redis.disconnect(),
    on: (event, listener) => void redis.on(event, listener),
  }
}
