import type { Redis, RedisOptions } from 'ioredis'
import { KeyStoreUnavailable } from './key-store.ts'

/** A connection that comes up with the first command and again whenever it was lost. */
export interface RedisConnection {
  readonly redis: () => Promise<Redis>
  /** Drops the connection with all that waits on it, and connects anew. */
  readonly drop: () => void
  /** Subscribes on a connection of its own; `heard` also when it was lost and is back. */
  readonly subscribe: (channel: string, heard: () => void) => void
  readonly close: () => void
}

const CONNECT_TIMEOUT_MS = 1_000

const OPTIONS = {
  lazyConnect: true,
  maxRetriesPerRequest: 0,
  autoResendUnfulfilledCommands: false,
  connectTimeout: CONNECT_TIMEOUT_MS,
  connectionName: 'postern',
  retryStrategy: (attempt: number) => Math.min(100 * 2 ** Math.min(attempt, 4), 1_000) * (0.5 + Math.random() / 2),
  // A master that became a replica: connect anew, to whoever is the master now.
  reconnectOnError: (error: Error): 1 | false => (error.message.includes('READONLY') ? 1 : false),
} as const satisfies RedisOptions

/** How to reach a server. */
export type RedisAddress = Omit<RedisOptions, 'replyMapping'>

/** @throws {KeyStoreUnavailable} when the text is no `redis://` or `rediss://` URL */
export function redisOptionsOf(url: string): RedisAddress & { readonly namespace: string } {
  if (!URL.canParse(url)) throw new KeyStoreUnavailable('the key store is not a URL')
  const { protocol, hostname, port, username, password, pathname, searchParams } = new URL(url)
  return {
    ...OPTIONS,
    host: hostname.replace(/^\[(.*)\]$/, '$1'),
    port: port === '' ? 6379 : Number(port),
    ...(username !== '' && { username: decodeURIComponent(username) }),
    ...(password !== '' && { password: decodeURIComponent(password) }),
    ...(pathname.length > 1 && { db: Number(pathname.slice(1)) }),
    ...(protocol === 'rediss:' && { tls: {} }),
    namespace: searchParams.get('namespace') ?? 'postern',
  }
}

export function createRedisConnection(options: RedisAddress): RedisConnection {
  let current: Promise<Redis> | undefined
  let subscriber: Redis | undefined
  const hearers = new Set<() => void>()
  const tell = (): void => hearers.forEach((heard) => heard())
  let closed = false

  /** The library is loaded only by who has such a store. */
  const make = async (): Promise<Redis> => {
    const { Redis: Client } = await import('./redis-library.ts')
    const redis = new Client(options)
    // Without a listener an error of the connection would end the process.
    redis.on('error', () => undefined)
    return redis
  }

  return {
    redis: () => {
      if (closed) return Promise.reject(new KeyStoreUnavailable('the key store is closed'))
      current ??= make()
      return current
    },
    drop: () => void current?.then((redis) => redis.disconnect(true)),
    subscribe: (channel, heard) => {
      hearers.add(heard)
      if (hearers.size > 1) return
      void make().then(async (redis) => {
        subscriber = redis
        if (closed) return redis.disconnect()
        redis.on('ready', tell)
        redis.on('message', tell)
        // With retries, and subscribed again after each of them.
        await redis.connect().catch(() => undefined)
        const attempt = (): void =>
          void redis.subscribe(channel).catch(() => {
            if (!closed) setTimeout(attempt, 1_000).unref()
          })
        attempt()
      })
    },
    close: () => {
      closed = true
      void current?.then((redis) => redis.disconnect())
      subscriber?.disconnect()
    },
  }
}
