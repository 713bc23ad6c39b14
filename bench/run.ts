import { spawn, spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { cpus, loadavg, tmpdir, totalmem } from 'node:os'
import { join } from 'node:path'
import { decideBench } from './decide.ts'
import { run } from './load.ts'
import { answering, cpuMs, freePort, installed, rssMiB, type Server } from './processes.ts'
import { type BenchResult, benchText, withBenchText } from './table.ts'
import { targets, type Target } from './targets.ts'

/** `npm run bench [-- --rounds N --requests N --warmup N --readme]`: CPU time per request, side by side in one run, medians of interleaved rounds. */

const argument = (name: string, fallback: number): number => {
  const index = process.argv.indexOf(`--${name}`)
  return index === -1 ? fallback : Number(process.argv[index + 1])
}

const ROUNDS = argument('rounds', 5)
const REQUESTS = argument('requests', 20_000)
/** The code of a server that runs for days is compiled: Node needs tens of thousands of requests for that. */
const WARMUP = argument('warmup', 60_000)
const CONNECTIONS = 32
const [loadBefore = Number.NaN] = loadavg()

const median = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN

interface Sample { readonly cpuUs: number; readonly rps: number; readonly p50: number; readonly p99: number; readonly rss: number }

async function measure(target: Target, server: Server, requests: number): Promise<Sample> {
  const request = `GET ${target.path ?? '/api/orders/1'} HTTP/1.1\r\nHost: api.example\r\nAccept: application/json\r\nUser-Agent: bench\r\n${target.headers.map((header) => `${header}\r\n`).join('')}\r\n`
  const before = cpuMs(server.child.pid ?? 0)
  const { seconds, latencies } = await run({ port: server.port, request, requests, connections: CONNECTIONS, status: target.status })
  const cpuUs = ((cpuMs(server.child.pid ?? 0) - before) * 1000) / requests
  const at = (share: number): number => latencies[Math.floor(latencies.length * share)] ?? Number.NaN
  return { cpuUs, rps: requests / seconds, p50: at(0.5), p99: at(0.99), rss: rssMiB(server.child.pid ?? 0) }
}

const directory = mkdtempSync(join(tmpdir(), 'postern-bench-'))
const upstreamPort = await freePort()
// Load generator and upstream share the other core.
const pinned = installed('taskset') && cpus().length > 1
if (pinned) spawnSync('taskset', ['-a', '-c', '-p', '1', String(process.pid)])
const upstream = spawn(pinned ? 'taskset' : process.execPath, [...(pinned ? ['-c', '1', process.execPath] : []), join(import.meta.dirname, 'upstream.ts'), String(upstreamPort)], { stdio: 'inherit' })
await answering(upstreamPort)
const all = targets({ directory, upstreamPort })
const samples = new Map<string, Sample[]>(all.map(({ name }) => [name, []]))
try {
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const target of all) {
      const server = await target.start()
      try {
        await measure(target, server, WARMUP)
        samples.get(target.name)?.push(await measure(target, server, REQUESTS))
      } finally {
        await server.stop()
      }
    }
  }
} finally {
  upstream.kill()
  rmSync(directory, { recursive: true, force: true })
}

const rows = all.map(({ name, what }) => {
  const of = (pick: (sample: Sample) => number): number => median((samples.get(name) ?? []).map(pick))
  return { name, what, cpuUs: of((s) => s.cpuUs), rps: of((s) => s.rps), p50Ms: of((s) => s.p50), p99Ms: of((s) => s.p99), rssMiB: of((s) => s.rss) }
})
const decideUs = await decideBench()
const cpuOf = (name: string): number | undefined => rows.find((row) => row.name === name)?.cpuUs
const ratio = (a: number | undefined, b: number | undefined): string => (a && b ? (a / b).toFixed(2) : 'n/a')
const result: BenchResult = {
  at: new Date().toISOString(),
  command: `npm run bench -- --rounds ${ROUNDS} --requests ${REQUESTS} --warmup ${WARMUP}`,
  machine: { cpu: cpus()[0]?.model.trim(), cores: cpus().length, memoryGiB: Math.round(totalmem() / 2 ** 30), node: process.version, loadAverage: loadBefore },
  decideUs,
  rows,
  ratios: { 'postern jwt / caddy': ratio(cpuOf('postern jwt'), cpuOf('caddy reverse_proxy')), 'postern jwt / nginx': ratio(cpuOf('postern jwt'), cpuOf('nginx proxy_pass')), 'forward-auth / empty node:http': ratio(cpuOf('postern forward-auth'), cpuOf('node:http empty')) },
}
mkdirSync(join(import.meta.dirname, 'results'), { recursive: true })
writeFileSync(join(import.meta.dirname, 'results', 'latest.json'), `${JSON.stringify(result, undefined, 2)}\n`)
const readme = join(import.meta.dirname, '..', 'README.md')
if (process.argv.includes('--readme')) writeFileSync(readme, withBenchText(readFileSync(readme, 'utf8'), result))
process.stdout.write(`${benchText(result)}\n`)
