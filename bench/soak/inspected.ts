import { spawn, type ChildProcess } from 'node:child_process'
import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { WebSocket } from 'ws'
import { NODE } from '../endurance-postern.ts'

const ROOT = join(import.meta.dirname, '..', '..')
const { entryOf } = createRequire(import.meta.url)(join(ROOT, 'bin', 'entry.cjs')) as { entryOf: (root: string) => string }

/** What one process holds at one moment. Memory in MiB. */
export interface Sample {
  /** Seconds since the start of the soak. */
  readonly at: number
  readonly rss: number
  /** After a full collection. */
  readonly heap: number
  /** Buffers outside the JavaScript heap, after the same collection. */
  readonly external: number
  readonly fds: number
  /** Of the descriptors, sockets. */
  readonly sockets: number
  /** What keeps the event loop alive, all kinds. */
  readonly handles: number
  readonly timers: number
  readonly kinds: Readonly<Record<string, number>>
}

/** A process whose heap can be collected and whose handles can be counted from outside. */
export interface InspectedPostern {
  readonly child: ChildProcess
  readonly output: () => string
  readonly sample: (at: number) => Promise<Sample>
  readonly stop: () => Promise<number | null>
}

interface Inspector { readonly call: (method: string, parameters?: object) => Promise<Record<string, unknown>>; readonly close: () => void }

async function attach(url: string): Promise<Inspector> {
  const socket = new WebSocket(url, { perMessageDeflate: false })
  const waiting = new Map<number, (message: Record<string, unknown>) => void>()
  let next = 0
  await new Promise<void>((resolve, reject) => void socket.once('open', () => resolve()).once('error', reject))
  socket.on('error', () => undefined)
  socket.on('message', (data) => {
    const message = JSON.parse(String(data)) as { id?: number; result?: Record<string, unknown> }
    waiting.get(message.id ?? 0)?.(message.result ?? {})
    waiting.delete(message.id ?? 0)
  })
  return {
    call: (method, parameters = {}) => new Promise((resolve) => {
      waiting.set((next += 1), resolve)
      socket.send(JSON.stringify({ id: next, method, params: parameters }))
    }),
    close: () => socket.terminate(),
  }
}

const MIB = 2 ** 20
const LOOK = 'JSON.stringify({ ...process.memoryUsage(), kinds: process.getActiveResourcesInfo() })'

function descriptorsOf(pid: number): { readonly fds: number; readonly sockets: number } {
  const links = readdirSync(`/proc/${pid}/fd`).map((fd) => {
    try {
      return readlinkSync(`/proc/${pid}/fd/${fd}`)
    } catch {
      return ''
    }
  })
  return { fds: links.length, sockets: links.filter((link) => link.startsWith('socket:')).length }
}

async function look(inspector: Inspector, pid: number, at: number): Promise<Sample> {
  await inspector.call('HeapProfiler.collectGarbage')
  const { result } = (await inspector.call('Runtime.evaluate', { expression: LOOK })) as { result?: { value?: string } }
  const { heapUsed, external, kinds } = JSON.parse(result?.value ?? '{}') as { heapUsed: number; external: number; kinds: readonly string[] }
  const counted: Record<string, number> = {}
  for (const kind of kinds) counted[kind] = (counted[kind] ?? 0) + 1
  const rss = Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) / 1024
  return { at, rss, heap: heapUsed / MIB, external: external / MIB, ...descriptorsOf(pid), handles: kinds.length, timers: counted['Timeout'] ?? 0, kinds: counted }
}

/** How much of what was written is kept. */
const KEPT = 200_000

/** Starts `postern run` under the pinned Node with an inspector on loopback; resolves when it says that it is ready. */
export async function startInspected(config: string, env: Readonly<Record<string, string>> = {}): Promise<InspectedPostern> {
  const child = spawn(NODE, ['--inspect=127.0.0.1:0', '--disable-warning=ExperimentalWarning', entryOf(ROOT), 'run', '--config', config], { cwd: ROOT, env: { PATH: process.env['PATH'], HOME: process.env['HOME'], ...env }, stdio: ['ignore', 'pipe', 'pipe'] })
  const ended = new Promise<number | null>((resolve) => void child.once('exit', resolve))
  let text = ''
  const listen = (chunk: Buffer): void => void (text = (text + chunk.toString()).slice(-KEPT))
  child.stdout.on('data', listen)
  child.stderr.on('data', listen)
  const saying = async (pattern: RegExp): Promise<string> => {
    for (const until = Date.now() + 20_000; Date.now() < until && child.exitCode === null; await new Promise((resolve) => setTimeout(resolve, 20))) {
      const found = pattern.exec(text)
      if (found) return found[1] ?? found[0]
    }
    child.kill('SIGKILL')
    throw new Error(`postern did not say ${String(pattern)}:\n${text}`)
  }
  const inspector = await attach(await saying(/(ws:\/\/127\.0\.0\.1:\d+\/[0-9a-f-]+)/))
  await saying(/"ready"|Postern is ready/)
  return {
    child,
    output: () => text,
    sample: (at) => look(inspector, child.pid ?? 0, at),
    stop: async () => {
      inspector.close()
      child.kill('SIGTERM')
      const timer = setTimeout(() => child.kill('SIGKILL'), 10_000)
      const code = await ended
      clearTimeout(timer)
      return code
    },
  }
}
