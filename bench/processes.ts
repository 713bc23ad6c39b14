import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { createServer } from 'node:net'

/** A server under measurement, pinned to one core so that its CPU time is its own. */
export interface Server {
  readonly name: string
  readonly port: number
  readonly child: ChildProcess
  readonly stop: () => Promise<void>
}

export const installed = (binary: string): boolean => spawnSync('sh', ['-c', `command -v ${binary}`]).status === 0

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

/** The process and everything below it: workers and launched children count. */
export function family(pid: number): number[] {
  const parents = new Map<number, number[]>()
  for (const entry of readdirSync('/proc')) {
    if (!/^\d+$/.test(entry)) continue
    try {
      const parent = Number(statOf(Number(entry))[1])
      parents.set(parent, [...(parents.get(parent) ?? []), Number(entry)])
    } catch {
      // It ended while we looked.
    }
  }
  const all = [pid]
  for (const one of all) all.push(...(parents.get(one) ?? []))
  return all
}

const TICK_MS = 10

/** User and system CPU time of a process family, milliseconds, at a resolution of one clock tick (10 ms). */
export const cpuMs = (pid: number): number => family(pid).reduce((sum, one) => sum + (Number(statOf(one)[11]) + Number(statOf(one)[12])) * TICK_MS, 0)

/** Resident memory of a process family, MiB. */
export const rssMiB = (pid: number): number =>
  family(pid).reduce((sum, one) => sum + Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${one}/status`, 'utf8'))?.[1] ?? 0) / 1024, 0)

/** Waits until something answers on the port, whatever it says. */
export async function answering(port: number): Promise<void> {
  for (let tries = 0; tries < 200; tries += 1) {
    try {
      await fetch(`http://127.0.0.1:${port}/`, { signal: AbortSignal.timeout(1_000) })
      return
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
  }
  throw new Error(`nothing answers on port ${port}`)
}

/** Starts a command on the first core and waits until it answers. */
export async function start(name: string, port: number, command: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<Server> {
  const [file = '', ...args] = installed('taskset') ? ['taskset', '-c', '0', ...command] : command
  const child = spawn(file, args, { stdio: ['ignore', 'ignore', 'inherit'], env: { ...process.env, ...env } })
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  await Promise.race([answering(port), ended.then(() => Promise.reject(new Error(`${name} ended at start`)))])
  return {
    name,
    port,
    child,
    stop: async () => {
      child.kill('SIGTERM')
      const timer = setTimeout(() => child.kill('SIGKILL'), 5_000)
      await ended
      clearTimeout(timer)
    },
  }
}
