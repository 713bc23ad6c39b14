import { spawnSync } from 'node:child_process'
import { eventually, freePort, startRedis, type RedisServer } from './redis.ts'

export interface RedisSentinel {
  readonly master: RedisServer
  readonly replica: RedisServer
  readonly sentinelPort: number
  readonly name: string
  /** Holds back every write of the master, and returns when the replica has applied all that was written before: then a kill loses nothing that was answered. */
  readonly catchUp: () => Promise<void>
  readonly stop: () => Promise<void>
}

/** Longer than any test waits for a replica: no write may slip in between the catching up and the kill. */
const PAUSE_MS = 60_000

/** A number of `INFO replication`. Not a number where it is missing, which equals nothing. */
const offsetIn = (info: unknown, field: string): number => Number(new RegExp(`^${field}:(\\d+)`, 'm').exec(String(info))?.[1])

/**
 * The replica itself is asked how far it has applied: it acknowledges to its master only once a second, and a paused master holds back the
 * greetings of its sentinel too, which half a second later takes it for dead.
 */
async function pauseAndCatchUp(master: RedisServer, replica: RedisServer): Promise<void> {
  await master.command('CLIENT', 'PAUSE', String(PAUSE_MS), 'WRITE')
  const written = offsetIn(await master.command('INFO', 'replication'), 'master_repl_offset')
  await eventually(async () => offsetIn(await replica.command('INFO', 'replication'), 'slave_repl_offset') >= written, 'the replica has applied all that was written')
}

/** A master, a replica, and one sentinel that notices within half a second. */
export async function startRedisSentinel(): Promise<RedisSentinel> {
  const name = 'limits'
  const master = await startRedis()
  const replica = await startRedis({ config: [`replicaof 127.0.0.1 ${master.port}`] })
  await eventually(async () => String(await replica.command('INFO', 'replication')).includes('master_link_status:up'), 'the replica follows')
  const sentinel = await startRedis({
    sentinel: true,
    config: [`sentinel monitor ${name} 127.0.0.1 ${master.port} 1`, `sentinel down-after-milliseconds ${name} 500`, `sentinel failover-timeout ${name} 3000`, 'sentinel resolve-hostnames no'],
  })
  await eventually(async () => String(await sentinel.command('SENTINEL', 'MASTER', name)).includes('num-slaves,1'), 'the sentinel knows the replica', 15_000)
  return {
    master,
    replica,
    sentinelPort: sentinel.port,
    name,
    catchUp: () => pauseAndCatchUp(master, replica),
    stop: async () => {
      await sentinel.stop()
      await replica.stop()
      await master.stop()
    },
  }
}

export interface RedisCluster {
  readonly nodes: readonly RedisServer[]
  /** Moves a slot with its keys to another node, one key at a time, as `redis-cli --cluster reshard` does. */
  readonly moveSlot: (slot: number) => Promise<void>
  readonly stop: () => Promise<void>
}

/** Bus ports are 10,000 above; the range below keeps them legal. */
async function clusterPort(): Promise<number> {
  for (;;) {
    const port = await freePort()
    if (port < 55_000) return port
  }
}

/** Three masters. */
export async function startRedisCluster(): Promise<RedisCluster> {
  const nodes: RedisServer[] = []
  for (let n = 0; n < 3; n += 1) nodes.push(await startRedis({ port: await clusterPort(), config: ['cluster-enabled yes', 'cluster-config-file nodes.conf', 'cluster-node-timeout 2000'] }))
  const made = spawnSync('redis-cli', ['--cluster', 'create', ...nodes.map(({ port }) => `127.0.0.1:${port}`), '--cluster-yes'], { encoding: 'utf8', timeout: 30_000 })
  if (made.status !== 0) throw new Error(`redis-cli --cluster create: ${made.stdout}${made.stderr}`)
  for (const node of nodes) await eventually(async () => String(await node.command('CLUSTER', 'INFO')).includes('cluster_state:ok'), 'the cluster agrees', 15_000)

  const idOf = async (node: RedisServer): Promise<string> => String(await node.command('CLUSTER', 'MYID'))
  const ownerOf = async (slot: number): Promise<RedisServer> => {
    const ranges = (await nodes[0]!.command('CLUSTER', 'SLOTS')) as [number, number, [string, number]][]
    const port = ranges.find(([from, to]) => slot >= from && slot <= to)?.[2][1]
    return nodes.find((node) => node.port === port)!
  }
  return {
    nodes,
    moveSlot: async (slot) => {
      const from = await ownerOf(slot)
      const to = nodes.find((node) => node !== from)!
      await to.command('CLUSTER', 'SETSLOT', String(slot), 'IMPORTING', await idOf(from))
      await from.command('CLUSTER', 'SETSLOT', String(slot), 'MIGRATING', await idOf(to))
      for (;;) {
        const keys = (await from.command('CLUSTER', 'GETKEYSINSLOT', String(slot), '10')) as string[]
        if (keys.length === 0) break
        for (const key of keys) await from.command('MIGRATE', '127.0.0.1', String(to.port), key, '0', '1000')
      }
      const id = await idOf(to)
      for (const node of [to, from, ...nodes.filter((other) => other !== to && other !== from)]) await node.command('CLUSTER', 'SETSLOT', String(slot), 'NODE', id)
    },
    stop: async () => {
      for (const node of nodes) await node.stop()
    },
  }
}
