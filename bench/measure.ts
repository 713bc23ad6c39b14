import { median } from './arguments.ts'
import { cpuMs, rssMiB, type Server } from './processes.ts'
import type { Target } from './target.ts'

/** One turn of one target. */
export interface Sample {
  readonly cpuUs: number
  readonly rps: number
  readonly p50: number
  readonly p99: number
  readonly rss: number
}

/** The medians of all turns of a target. */
export interface Row {
  readonly name: string
  readonly what: string
  readonly kind: Target['kind']
  /** CPU time per request, of all processes of the target, µs. */
  readonly cpuUs: number
  readonly rps: number
  readonly p50Ms: number
  readonly p99Ms: number
  readonly rssMiB: number
}

export async function measure({ send }: Target, { port, pids }: Server, requests: number): Promise<Sample> {
  const before = cpuMs(...pids)
  const { seconds, latencies } = await send(port, requests)
  const cpuUs = ((cpuMs(...pids) - before) * 1_000) / requests
  const at = (share: number): number => latencies[Math.floor(latencies.length * share)] ?? Number.NaN
  return { cpuUs, rps: requests / seconds, p50: at(0.5), p99: at(0.99), rss: rssMiB(...pids) }
}

export function rowOf({ name, what, kind }: Target, samples: readonly Sample[]): Row {
  const of = (pick: (sample: Sample) => number): number => median(samples.map(pick))
  return { name, what, kind, cpuUs: of((s) => s.cpuUs), rps: of((s) => s.rps), p50Ms: of((s) => s.p50), p99Ms: of((s) => s.p99), rssMiB: of((s) => s.rss) }
}
