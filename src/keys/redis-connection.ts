import type { RedisClient, RedisPatience } from '../redis/create-redis.ts'
import type { RedisSettings } from '../redis/redis-settings.ts'
import { KeyStoreUnavailable } from './key-store.ts'

/** A connection that comes up with the first command and again whenever it was lost. */
export interface RedisConnection {
  readonly redis: () => Promise<RedisClient>
  /** Drops the connection with all that waits on it, and connects anew. */
  readonly drop: () => void
  /** Subscribes on a connection of its own; `heard` also when it was lost and is back. */
  readonly subscribe: (channel: string, heard: () => void) => void
  readonly close: () => void
}

/** Commands wait for the connection, since whoever asks keeps the time; a batch of writes may take seconds. */
const PATIENCE: RedisPatience = { queue: true, connectMs: 1_000, silenceMs: 5_000, pauseMs: 1_000 }

const SUBSCRIBE_AGAIN_MS = 1_000

/** The library is loaded only by who has such a store. */
async function makeRedis(settings: RedisSettings): Promise<RedisClient> {
  const { createRedis } = await import('../redis/create-redis.ts')
  const redis = createRedis(settings, PATIENCE)
  // Without a listener an error of the connection would end the process.
  return redis.on('error', () => undefined)
}

export function createRedisConnection(settings: RedisSettings): RedisConnection {
  let current: Promise<RedisClient> | undefined
  let subscriber: RedisClient | undefined
  const hearers = new Set<() => void>()
  const tell = (): void => hearers.forEach((heard) => heard())
  let closed = false

  const listen = async (channel: string): Promise<void> => {
    const redis = await makeRedis(settings)
    subscriber = redis
    if (closed) return redis.disconnect()
    redis.on('ready', tell)
    redis.on('message', tell)
    // With retries, and subscribed again after each of them.
    await redis.connect().catch(() => undefined)
    const attempt = (): void =>
      void redis.subscribe(channel).catch(() => {
        if (!closed) setTimeout(attempt, SUBSCRIBE_AGAIN_MS).unref()
      })
    attempt()
  }

  return {
    redis: () => {
      if (closed) return Promise.reject(new KeyStoreUnavailable('the key store is closed'))
      current ??= makeRedis(settings)
      return current
    },
    drop: () => void current?.then((redis) => redis.disconnect(true)),
    subscribe: (channel, heard) => {
      hearers.add(heard)
      if (hearers.size === 1) void listen(channel)
    },
    close: () => {
      closed = true
      void current?.then((redis) => redis.disconnect())
      subscriber?.disconnect()
    },
  }
}
