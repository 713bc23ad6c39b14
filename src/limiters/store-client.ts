import { Cluster, Redis, type RedisOptions } from 'ioredis'
import type { StoreScript } from './counter-script.ts'
import type { StoreSettings, StoreTls } from './store-settings.ts'

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

/** A connection that answers nothing is destroyed after this, the handshake included. */
const SOCKET_TIMEOUT_MS = 1_000
const CONNECT_TIMEOUT_MS = 500

/** Spread out, so that replicas that lost the store together do not come back together. */
const retryStrategy = (attempt: number): number => Math.min(100 * 2 ** Math.min(attempt, 5), 2_000) * (0.5 + Math.random() / 2)

const tlsOptions = ({ ca, certificate, key, serverName }: StoreTls): NonNullable<RedisOptions['tls']> => ({
  ...(ca !== undefined && { ca }),
  ...(certificate !== undefined && { cert: certificate }),
  ...(key !== undefined && { key }),
  ...(serverName !== undefined && { servername: serverName }),
})

/**
 * No offline queue and no retries: both would let a command that was given up run later. No `commandTimeout` either, for the same reason: it
 * rejects the promise and leaves the command in the queue. Time is kept by the caller, who then drops the whole connection.
 */
function commonOptions({ username, password, tls }: StoreSettings) {
  return {
    lazyConnect: true,
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    autoResendUnfulfilledCommands: false,
    connectTimeout: CONNECT_TIMEOUT_MS,
    socketTimeout: SOCKET_TIMEOUT_MS,
    disconnectTimeout: 20,
    // A master that became a replica: connect anew, to whoever is the master now.
    reconnectOnError: (error: Error): 1 | false => (error.message.includes('READONLY') ? 1 : false),
    connectionName: 'postern',
    ...(username !== undefined && { username }),
    ...(password !== undefined && { password }),
    ...(tls && { tls: tlsOptions(tls) }),
  } as const satisfies RedisOptions
}

function createRedis(settings: StoreSettings): Redis | Cluster {
  const { kind, nodes, masterName, sentinelUsername, sentinelPassword, database, tls } = settings
  const common = commonOptions(settings)
  if (kind === 'cluster') {
    const { lazyConnect: _lazy, enableOfflineQueue: _queue, ...redisOptions } = common
    const cluster = new Cluster([...nodes], {
      lazyConnect: true,
      enableOfflineQueue: false,
      redisOptions,
      retryDelayOnFailover: 0,
      retryDelayOnClusterDown: 0,
      retryDelayOnTryAgain: 0,
      slotsRefreshTimeout: SOCKET_TIMEOUT_MS,
      slotsRefreshInterval: 1_000,
      clusterRetryStrategy: retryStrategy,
      clusterNodeRetryStrategy: retryStrategy,
    })
    // Else a node connects with its first command and refuses those that come meanwhile.
    return cluster.on('+node', (node: Redis) => void (node.status === 'wait' && node.connect().catch(() => undefined)))
  }
  const single = { ...common, retryStrategy, ...(database !== undefined && { db: database }) }
  if (kind === 'single') return new Redis({ ...single, ...nodes[0] })
  return new Redis({
    ...single,
    sentinels: [...nodes],
    ...(masterName !== undefined && { name: masterName }),
    ...(sentinelUsername !== undefined && { sentinelUsername }),
    ...(sentinelPassword !== undefined && { sentinelPassword }),
    ...(tls && { enableTLSForSentinelMode: true, sentinelTLS: tlsOptions(tls) }),
    sentinelCommandTimeout: CONNECT_TIMEOUT_MS,
    sentinelRetryStrategy: retryStrategy,
  })
}

const isUnknownScript = (error: unknown): boolean => error instanceof Error && error.message.startsWith('NOSCRIPT')

/** The one place that knows the client library. */
export function createStoreClient(settings: StoreSettings): StoreClient {
  const redis = createRedis(settings)
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
