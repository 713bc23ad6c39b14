import { Cluster, Redis, type RedisOptions } from 'ioredis'
import type { DurationMs } from '../base/time.ts'
import type { RedisSettings, RedisTls } from './redis-settings.ts'

/** How patient a connection is; the same for each topology. */
export interface RedisPatience {
  /** Whether a command waits for the connection, or is rejected at once while there is none. */
  readonly queue: boolean
  readonly connectMs: DurationMs
  /** A connection on which something waits for so long is destroyed. */
  readonly silenceMs: DurationMs
  /** Longest pause between two attempts. */
  readonly pauseMs: DurationMs
}

export type RedisClient = Redis | Cluster

const tlsOptions = ({ ca, certificate, key, serverName }: RedisTls): NonNullable<RedisOptions['tls']> => ({
  ...(ca !== undefined && { ca }),
  ...(certificate !== undefined && { cert: certificate }),
  ...(key !== undefined && { key }),
  ...(serverName !== undefined && { servername: serverName }),
})

/** Spread out, so that replicas that lost the store together do not come back together. */
const retryWithin = (pauseMs: DurationMs) => (attempt: number): number => Math.min(100 * 2 ** Math.min(attempt, 5), pauseMs) * (0.5 + Math.random() / 2)

/**
 * No retries: a command that was given up must not run later. No `commandTimeout` either, for the same reason: it rejects the promise and
 * leaves the command in the queue. Time is kept by the caller, who then drops the whole connection.
 */
function commonOptions({ username, password, tls }: RedisSettings, { queue, connectMs, silenceMs }: RedisPatience) {
  return {
    lazyConnect: true,
    enableOfflineQueue: queue,
    maxRetriesPerRequest: 0,
    autoResendUnfulfilledCommands: false,
    connectTimeout: connectMs,
    socketTimeout: silenceMs,
    disconnectTimeout: 20,
    // A master that became a replica: connect anew, to whoever is the master now.
    reconnectOnError: (error: Error): 1 | false => (error.message.includes('READONLY') ? 1 : false),
    connectionName: 'postern',
    ...(username !== undefined && { username }),
    ...(password !== undefined && { password }),
    ...(tls && { tls: tlsOptions(tls) }),
  } as const satisfies RedisOptions
}

type Common = ReturnType<typeof commonOptions>

function createCluster({ nodes }: RedisSettings, { queue, silenceMs, pauseMs }: RedisPatience, common: Common): Cluster {
  const { lazyConnect: _lazy, enableOfflineQueue: _queue, ...redisOptions } = common
  const cluster = new Cluster([...nodes], {
    lazyConnect: true,
    enableOfflineQueue: queue,
    redisOptions,
    retryDelayOnFailover: 0,
    retryDelayOnClusterDown: 0,
    retryDelayOnTryAgain: 0,
    slotsRefreshTimeout: silenceMs,
    slotsRefreshInterval: 1_000,
    clusterRetryStrategy: retryWithin(pauseMs),
    clusterNodeRetryStrategy: retryWithin(pauseMs),
  })
  // Else a node connects with its first command and refuses those that come meanwhile.
  return cluster.on('+node', (node: Redis) => void (node.status === 'wait' && node.connect().catch(() => undefined)))
}

/** A client that connects nowhere yet. The one place that builds one, whatever it is for. */
export function createRedis(settings: RedisSettings, patience: RedisPatience): RedisClient {
  const { kind, nodes, masterName, sentinelUsername, sentinelPassword, database, tls } = settings
  const common = commonOptions(settings, patience)
  if (kind === 'cluster') return createCluster(settings, patience, common)
  const retryStrategy = retryWithin(patience.pauseMs)
  const single = { ...common, retryStrategy, ...(database !== undefined && { db: database }) }
  if (kind === 'single') return new Redis({ ...single, ...nodes[0] })
  return new Redis({
    ...single,
    sentinels: [...nodes],
    ...(masterName !== undefined && { name: masterName }),
    ...(sentinelUsername !== undefined && { sentinelUsername }),
    ...(sentinelPassword !== undefined && { sentinelPassword }),
    ...(tls && { enableTLSForSentinelMode: true, sentinelTLS: tlsOptions(tls) }),
    sentinelCommandTimeout: patience.connectMs,
    sentinelRetryStrategy: retryStrategy,
  })
}
