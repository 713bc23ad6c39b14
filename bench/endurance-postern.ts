import { spawn, type ChildProcess } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { get } from 'node:http'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { freePort, NODE_ENVIRONMENT, NODE_FLAGS } from './processes.ts'

const ROOT = join(import.meta.dirname, '..')
export const NODE = join(ROOT, 'node_modules/.bin/node')

/** One `dist/main.js`, started by the pinned Node with nothing in between. */
export interface RunningPostern {
  readonly port: number
  readonly child: ChildProcess
  /** From the start of the process to the first 200 of /readyz, milliseconds. */
  readonly readyMs: number
  /** Resident memory now, MiB. */
  readonly rss: () => number
  readonly ended: Promise<number | null>
  readonly stop: () => Promise<void>
}

export interface PosternPlace {
  readonly directory: string
  readonly upstreamPort: number
  readonly jwks: string
  /** Further lines of the config. */
  readonly more?: string
}

export const rssOf = (pid: number): number => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) / 1024

const statusOf = (port: number): Promise<number> =>
  new Promise((resolve) => {
    get({ host: '127.0.0.1', port, path: '/readyz', agent: false }, (answer) => {
      answer.resume()
      resolve(answer.statusCode ?? 0)
    }).on('error', () => resolve(0))
  })

async function becomesReady(ops: number, ended: Promise<unknown>): Promise<void> {
  let gone = false
  void ended.then(() => void (gone = true))
  while ((await statusOf(ops)) !== 200) {
    if (gone) throw new Error('Postern ended before it was ready')
    await wait(2)
  }
}

/** Starts Postern behind a JWT, one limit, metrics and audit log, as `npm run bench` does. No compile cache, as in a container. */
export async function startPostern({ directory, upstreamPort, jwks, more = '' }: PosternPlace): Promise<RunningPostern> {
  const [port, ops] = [await freePort(), await freePort()]
  const file = join(directory, `postern-${port}.yaml`)
  writeFileSync(file, `version: 1
listen: 127.0.0.1:${port}
ops: 127.0.0.1:${ops}
upstream: http://127.0.0.1:${upstreamPort}
auth:
  - jwt: {issuer: https://idp.example, audience: bench, jwks_file: ${jwks}}
rate_limit:
  - {name: hour, key: principal, limit: 1000000000, window: 1h}
audit: ${directory}/audit.log
log: {level: warn}
client_ip: {direct: true}
${more}`)
  const began = performance.now()
  const child = spawn(NODE, [...NODE_FLAGS, join(ROOT, 'dist/main.js'), 'run', '-c', file], { stdio: ['ignore', 'ignore', 'inherit'], env: { ...NODE_ENVIRONMENT, PATH: process.env['PATH'], NODE_ENV: 'production' } })
  const ended = new Promise<number | null>((resolve) => void child.once('exit', resolve))
  await becomesReady(ops, ended)
  const readyMs = performance.now() - began
  return {
    port,
    child,
    readyMs,
    rss: () => rssOf(child.pid ?? 0),
    ended,
    stop: async () => {
      child.kill('SIGKILL')
      await ended
    },
  }
}

/** Resident memory of the pinned Node with nothing but an empty `node:http` server, MiB. */
export async function bareNodeRss(): Promise<number> {
  const child = spawn(NODE, ['-e', "require('node:http').createServer().listen(0, '127.0.0.1')"], { stdio: 'ignore' })
  await wait(3_000)
  const rss = rssOf(child.pid ?? 0)
  child.kill('SIGKILL')
  return rss
}

/** Samples resident memory until told to end; gives the highest, MiB. */
export function watchPeak({ rss }: RunningPostern): () => number {
  let peak = rss()
  const timer = setInterval(() => void (peak = Math.max(peak, rss())), 20)
  return () => {
    clearInterval(timer)
    return Math.max(peak, rss())
  }
}
