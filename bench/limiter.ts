import { createRequire } from 'node:module'
import { mkdirSync, writeFileSync } from 'node:fs'
import { cpus } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { Redis } from 'ioredis'
import { createMemoryLimiter } from '../src/limiters/memory.ts'
import { createRedisLimiter } from '../src/limiters/redis.ts'
import { SILENT } from '../src/model/event.ts'
import type { Limiter } from '../src/model/ports.ts'
import type { Charge } from '../src/model/quota.ts'
import { createMetrics } from '../src/observe/metrics.ts'
import { policy } from '../test/support/described.ts'
import { startRedis, type RedisServer } from '../test/support/redis.ts'
import { median, numberArgument, textArgument } from './arguments.ts'

/**
 * `node bench/limiter.ts [--calls N] [--rounds N] [--modules FOLDER]`: CPU time on this side, round trips and throughput of one limit stage
 * with three windows, and the same three windows by rate-limiter-flexible when it can be found (in FOLDER/node_modules, or here).
 */
const CALLS = numberArgument('calls', 20_000)
const ROUNDS = numberArgument('rounds', 5)
const CONCURRENCY = 64
const ENOUGH = 1_000_000_000

const WINDOWS = [['minute', 60_000], ['hour', 3_600_000], ['day', 86_400_000]] as const
const windows = (quota: number) => WINDOWS.map(([id, windowMs]) => policy({ id: `${id}-${quota}`, name: id, quota, windowMs }))

/** One way to decide a request. The number keeps partitions apart: a thousand of them take turns. */
interface Subject { readonly name: string; readonly decide: (n: number) => unknown; readonly close?: () => unknown }

interface Sample { readonly cpuUs: number; readonly storeCpuUs: number; readonly perSecond: number; readonly roundTrips: number }

/** Script calls so far, as the store counts them. */
async function scriptCalls(server: RedisServer): Promise<number> {
  const stats = String(await server.command('INFO', 'commandstats'))
  return ['eval', 'evalsha'].reduce((sum, name) => sum + Number(new RegExp(`cmdstat_${name}:calls=(\\d+)`).exec(stats)?.[1] ?? 0), 0)
}

/** CPU time of the store so far, µs. */
async function storeCpu(server: RedisServer): Promise<number> {
  const text = String(await server.command('INFO', 'cpu'))
  return ['user', 'sys'].reduce((sum, name) => sum + Number(new RegExp(`used_cpu_${name}:([\\d.]+)`).exec(text)?.[1] ?? 0) * 1e6, 0)
}

async function run(subject: Subject, server: RedisServer, calls: number): Promise<Sample> {
  let next = 0
  const worker = async (): Promise<void> => {
    for (let n = next++; n < calls; n = next++) await subject.decide(n)
  }
  const before = await scriptCalls(server)
  const storeBefore = await storeCpu(server)
  const startedAt = performance.now()
  const cpu = process.cpuUsage()
  await Promise.all(Array.from({ length: CONCURRENCY }, worker))
  const { user, system } = process.cpuUsage(cpu)
  const seconds = (performance.now() - startedAt) / 1_000
  return { cpuUs: (user + system) / calls, storeCpuUs: ((await storeCpu(server)) - storeBefore) / calls, perSecond: calls / seconds, roundTrips: ((await scriptCalls(server)) - before) / calls }
}

function redisLimiter(server: RedisServer, prefix: string, observer = SILENT) {
  return createRedisLimiter({ store: { kind: 'single', nodes: [{ host: '127.0.0.1', port: server.port }], deadlineMs: 1_000 }, prefix, secret: new Uint8Array(32), share: 1, observer })
}

const deciding = (limiter: Limiter, quota: number, partitions = 1_000): Subject['decide'] => {
  const policies = windows(quota)
  return (n) => {
    const partition = `principal:jwt:${n % partitions}`
    const charges: Charge[] = policies.map((one) => ({ policy: one, partition, cost: 1 }))
    return limiter.consume(charges, Date.now())
  }
}

/** The same three windows in the library that most people would take. */
async function flexible(server: RedisServer): Promise<Subject | undefined> {
  const folder = textArgument('modules', join(import.meta.dirname, '..'))
  try {
    const path = createRequire(join(folder, 'package.json')).resolve('rate-limiter-flexible')
    // It is not a dependency, so its types are not here: the two classes are described as far as they are used.
    const module = (await import(pathToFileURL(path).href)) as { default: { RateLimiterRedis: new (options: object) => object; RateLimiterUnion: new (...limiters: object[]) => { consume: (key: string, points: number) => Promise<unknown> } } }
    const { RateLimiterRedis, RateLimiterUnion } = module.default
    const client = new Redis({ host: '127.0.0.1', port: server.port, enableOfflineQueue: true })
    const union = new RateLimiterUnion(...WINDOWS.map(([id, windowMs]) => new RateLimiterRedis({ storeClient: client, keyPrefix: `rlf-${id}`, points: ENOUGH, duration: windowMs / 1_000 })))
    return { name: 'rate-limiter-flexible, union of three', decide: (n) => union.consume(`principal:jwt:${n % 1_000}`, 1), close: () => client.disconnect() }
  } catch {
    return undefined
  }
}

async function subjects(server: RedisServer): Promise<Subject[]> {
  const client = new Redis({ host: '127.0.0.1', port: server.port })
  await client.set('one', '1')
  const [limiter, watched] = [redisLimiter(server, 'bench'), redisLimiter(server, 'watched', createMetricsObserver())]
  const denied = redisLimiter(server, 'denied')
  await Promise.all([limiter.ready(), watched.ready(), denied.ready()])
  const refused = deciding(denied, 1, 100)
  for (let n = 0; n < 300; n += 1) await refused(n)
  const other = await flexible(server)
  return [
    { name: 'memory', decide: deciding(createMemoryLimiter(), ENOUGH) },
    { name: 'redis', decide: deciding(limiter, ENOUGH), close: limiter.close },
    { name: 'redis, with metrics', decide: deciding(watched, ENOUGH), close: watched.close },
    { name: 'redis, known to be refused', decide: refused, close: denied.close },
    ...(other ? [other] : []),
    { name: 'a bare GET with ioredis', decide: () => client.get('one'), close: () => client.disconnect() },
  ]
}

const createMetricsObserver = (): typeof SILENT => ({ ...SILENT, ...createMetrics({ version: '0', revision: 'bench' }) })

const server = await startRedis()
try {
  const all = await subjects(server)
  const samples = new Map<string, Sample[]>(all.map(({ name }) => [name, []]))
  for (const subject of all) await run(subject, server, Math.ceil(CALLS / 4)) // warm-up
  for (let round = 0; round < ROUNDS; round += 1) for (const subject of all) samples.get(subject.name)?.push(await run(subject, server, CALLS))
  for (const subject of all) await subject.close?.()
  const rows = [...samples].map(([name, of]) => ({ name, cpuUs: median(of.map(({ cpuUs }) => cpuUs)), storeCpuUs: median(of.map(({ storeCpuUs }) => storeCpuUs)), perSecond: median(of.map(({ perSecond }) => perSecond)), roundTrips: median(of.map(({ roundTrips }) => roundTrips)) }))
  const result = { at: new Date().toISOString(), command: `node bench/limiter.ts --calls ${CALLS} --rounds ${ROUNDS}`, machine: { cpu: cpus()[0]?.model.trim(), cores: cpus().length, node: process.version }, concurrency: CONCURRENCY, rows }
  mkdirSync(join(import.meta.dirname, 'results'), { recursive: true })
  writeFileSync(join(import.meta.dirname, 'results', 'limiter.json'), `${JSON.stringify(result, undefined, 2)}\n`)
  process.stdout.write(`${['| three windows | CPU µs/call here | CPU µs/call in the store | calls/s | script calls per request |', '|---|---|---|---|---|', ...rows.map(({ name, cpuUs, storeCpuUs, perSecond, roundTrips }) => `| ${name} | ${cpuUs.toFixed(1)} | ${storeCpuUs.toFixed(1)} | ${perSecond.toFixed(0)} | ${roundTrips.toFixed(2)} |`)].join('\n')}\n`)
} finally {
  await server.stop()
}
process.exit(0)
