import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { createServer } from 'node:net'
import { join } from 'node:path'

/** A server under measurement, pinned to one core so that its CPU time is its own. */
export interface Server {
  readonly port: number
  /** The processes that were started for it; what they start counts as well. */
  readonly pids: readonly number[]
  readonly stop: () => Promise<void>
}

/** As the launcher starts it. */
export const { NODE_ENVIRONMENT, NODE_FLAGS } = createRequire(import.meta.url)('../bin/node-flags.cjs') as { readonly NODE_ENVIRONMENT: Readonly<Record<string, string>>; readonly NODE_FLAGS: readonly string[] }

export const ROOT = join(import.meta.dirname, '..')
/** The Node that the checkout pins. */
export const NODE = join(ROOT, 'node_modules/.bin/node')

/** Where a program is: what `POSTERN_BENCH_<NAME>` says, or the PATH; undefined when it is not installed. */
export function binaryOf(name: string): string | undefined {
  const named = process.env[`POSTERN_BENCH_${name.toUpperCase().replaceAll('-', '_')}`]
  const found = spawnSync('sh', ['-c', 'command -v "$0"', named ?? name], { encoding: 'utf8', env: { ...process.env, PATH: `${process.env['PATH']}:/usr/sbin:/sbin` } })
  if (found.status !== 0 && named !== undefined) throw new Error(`${named} cannot be run`)
  return found.status === 0 ? found.stdout.trim() : undefined
}

export const installed = (binary: string): boolean => binaryOf(binary) !== undefined

export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer().once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      server.close(() => (typeof address === 'object' && address ? resolve(address.port) : reject(new Error('no port'))))
    })
  })
}

const statOf = (pid: number): string[] => {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ')
}

/** The processes and everything below them: workers and launched children count. */
export function family(pids: readonly number[]): number[] {
  const children = new Map<number, number[]>()
  for (const entry of readdirSync('/proc')) {
    if (!/^\d+$/.test(entry)) continue
    try {
      const parent = Number(statOf(Number(entry))[1])
      children.set(parent, [...(children.get(parent) ?? []), Number(entry)])
    } catch {
      // It ended while we looked.
    }
  }
  const all = [...pids]
  for (const one of all) all.push(...(children.get(one) ?? []))
  return all
}

const TICK_MS = 10

/** User and system CPU time of process families, all threads, milliseconds, at a resolution of one clock tick (10 ms). */
export const cpuMs = (...pids: readonly number[]): number => family(pids).reduce((sum, one) => sum + (Number(statOf(one)[11]) + Number(statOf(one)[12])) * TICK_MS, 0)

/** Resident memory of process families, MiB. Pages that processes share count in each. */
export const rssMiB = (...pids: readonly number[]): number =>
  family(pids).reduce((sum, one) => sum + Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${one}/status`, 'utf8'))?.[1] ?? 0) / 1024, 0)

/** Waits until something answers on the port, whatever it says. */
export async function answering(port: number): Promise<void> {
  for (let tries = 0; tries < 200; tries += 1) {
    try {
      await fetch(`http://127.0.0.1:${port}/`, { signal: AbortSignal.timeout(1_000), headers: { connection: 'close' } })
      return
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
  }
  throw new Error(`nothing answers on port ${port}`)
}

const running = new Set<ChildProcess>()

function endAllAtExit(): void {
  process.once('exit', () => {
    for (const child of running) child.kill('SIGKILL')
  })
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1))
}

let guarded = false

/** A run that is cut short, or ends with an error, leaves no server behind. */
export function notOrphaned(child: ChildProcess): ChildProcess {
  if (!guarded) endAllAtExit()
  guarded = true
  running.add(child)
  child.once('exit', () => running.delete(child))
  return child
}

export interface Start {
  /** Where it will answer. */
  readonly port: number
  readonly command: readonly string[]
  readonly env?: NodeJS.ProcessEnv
}

/** How much of what a server complains of is kept for the case that it does not start, characters. */
const KEPT = 4_096

/** Starts a command on the first core and waits until it answers. */
export async function start({ port, command, env = {} }: Start): Promise<Server> {
  const [file = '', ...args] = installed('taskset') ? ['taskset', '-c', '0', ...command] : command
  const child = spawn(file, args, { stdio: ['ignore', 'ignore', 'pipe'], env: { ...process.env, ...env } })
  notOrphaned(child)
  let complaint = ''
  child.stderr.on('data', (chunk: Buffer) => (complaint = (complaint + chunk.toString()).slice(-KEPT)))
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  const stop = async (): Promise<void> => {
    child.kill('SIGTERM')
    const timer = setTimeout(() => child.kill('SIGKILL'), 5_000)
    await ended
    clearTimeout(timer)
  }
  try {
    await Promise.race([answering(port), ended.then(() => Promise.reject(new Error('it ended at start')))])
  } catch (error) {
    await stop()
    throw new Error(`${command.join(' ')}: ${(error as Error).message}\n${complaint}`, { cause: error })
  }
  return { port, pids: [child.pid ?? 0], stop }
}

/** A server and the one that it asks, measured as one. */
export async function startBoth(asked: () => Promise<Server>, front: () => Promise<Server>): Promise<Server> {
  const second = await asked()
  try {
    const first = await front()
    return { port: first.port, pids: [...first.pids, ...second.pids], stop: async () => void (await Promise.all([first.stop(), second.stop()])) }
  } catch (error) {
    await second.stop()
    throw error
  }
}
