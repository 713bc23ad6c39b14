import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Redis } from 'ioredis'

/** A private server on loopback in a folder of its own. It is only ever ended by its own process. */
export interface RedisServer {
  readonly port: number
  readonly url: string
  readonly pid: () => number
  /** A command on a connection of its own. */
  readonly command: (name: string, ...args: readonly string[]) => Promise<unknown>
  readonly signal: (signal: NodeJS.Signals) => void
  /** As a crash: nothing is saved. */
  readonly kill: () => Promise<void>
  readonly start: () => Promise<void>
  readonly stop: () => Promise<void>
}

/** Another server that speaks the same, such as `valkey-server`. */
const BINARY = process.env['REDIS_SERVER'] ?? 'redis-server'

const installed = spawnSync(BINARY, ['--version']).status === 0

/**
 * Whether real servers can be started. Says so on stderr when not, since a skipped test must be seen; with `POSTERN_PEERS=required` it is an error.
 */
export function redisInstalled(): boolean {
  if (installed) return true
  const reason = 'redis-server is not installed (apt-get install redis-server): tests of shared limits are skipped'
  if (process.env['POSTERN_PEERS'] === 'required') throw new Error(reason)
  process.stderr.write(`! ${reason}\n`)
  return false
}

export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer().once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      server.close(() => (typeof address === 'object' && address ? resolve(address.port) : reject(new Error('no port'))))
    })
  })
}

/** Tries until it holds. */
export async function eventually(holds: () => Promise<boolean> | boolean, what: string, waitMs = 10_000): Promise<void> {
  const end = Date.now() + waitMs
  for (;;) {
    if (await Promise.resolve().then(holds).catch(() => false)) return
    if (Date.now() > end) throw new Error(`not within ${waitMs} ms: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

const ended = (child: ChildProcess): Promise<void> => (child.exitCode !== null || child.signalCode !== null ? Promise.resolve() : new Promise((resolve) => child.once('exit', () => resolve())))

export interface RedisServerSettings {
  readonly port?: number
  /** Further lines of its config. */
  readonly config?: readonly string[]
  readonly sentinel?: boolean
}

/** Starts one. */
export async function startRedis({ port: wanted, config = [], sentinel = false }: RedisServerSettings = {}): Promise<RedisServer> {
  const port = wanted ?? (await freePort())
  const directory = mkdtempSync(join(tmpdir(), 'postern-redis-'))
  const file = join(directory, 'redis.conf')
  writeFileSync(file, [`port ${port}`, 'bind 127.0.0.1', `dir ${directory}`, 'daemonize no', 'loglevel warning', ...(sentinel ? [] : ['save ""', 'appendonly no']), ...config, ''].join('\n'))
  let child: ChildProcess | undefined
  // A run that is cut short leaves no server behind.
  const orphaned = (): void => void child?.kill('SIGKILL')
  process.once('exit', orphaned)
  let connection: Redis | undefined

  const command = async (name: string, ...args: readonly string[]): Promise<unknown> => {
    connection ??= new Redis({ host: '127.0.0.1', port, lazyConnect: true, maxRetriesPerRequest: 1, connectTimeout: 1_000, retryStrategy: () => 20, protocol: 2 }).on('error', () => undefined)
    return connection.call(name, ...args)
  }
  const start = async (): Promise<void> => {
    if (child && child.exitCode === null && child.signalCode === null) return
    child = spawn(BINARY, [file, ...(sentinel ? ['--sentinel'] : [])], { stdio: 'ignore' })
    await eventually(async () => (await command('PING')) === 'PONG', `redis-server answers on ${port}`)
  }
  const end = async (signal: NodeJS.Signals): Promise<void> => {
    connection?.disconnect()
    connection = undefined
    if (!child) return
    child.kill('SIGCONT')
    child.kill(signal)
    await ended(child)
  }
  await start()
  return {
    port,
    url: `redis://127.0.0.1:${port}`,
    pid: () => child?.pid ?? 0,
    command,
    signal: (signal) => void child?.kill(signal),
    kill: () => end('SIGKILL'),
    start,
    stop: async () => {
      await end('SIGKILL')
      process.off('exit', orphaned)
      rmSync(directory, { recursive: true, force: true })
    },
  }
}
