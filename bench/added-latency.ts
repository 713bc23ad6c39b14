import { median } from './arguments.ts'
import { getRequest } from './load.ts'
import { runPaced } from './paced.ts'
import { bearer, CONNECTIONS, type Setting } from './target.ts'

/** What a hop through Postern adds at a steady rate, and what the direct path takes there, milliseconds; medians of rounds that alternate. */
export interface AddedLatency {
  readonly perSecond: number
  readonly rounds: number
  readonly directP50Ms: number
  readonly directP99Ms: number
  readonly addedP50Ms: number
  readonly addedP99Ms: number
}

export interface AddedLatencySettings {
  readonly posternPort: number
  readonly perSecond: number
  readonly requests: number
  readonly rounds: number
}

export async function addedLatency({ upstreamPort, issued }: Setting, { posternPort, perSecond, requests, rounds }: AddedLatencySettings): Promise<AddedLatency> {
  const request = getRequest('/api/orders/1', [bearer(issued.token)])
  const at = async (port: number): Promise<readonly [p50: number, p99: number]> => {
    const sorted = await runPaced({ port, bytes: () => request, requests, connections: CONNECTIONS, status: 200 }, perSecond)
    return [sorted[Math.floor(requests * 0.5)] ?? Number.NaN, sorted[Math.floor(requests * 0.99)] ?? Number.NaN]
  }
  const [direct, added]: [(readonly [number, number])[], (readonly [number, number])[]] = [[], []]
  for (let round = 0; round < rounds; round += 1) {
    const [one, other] = [await at(upstreamPort), await at(posternPort)]
    direct.push(one)
    added.push([other[0] - one[0], other[1] - one[1]])
  }
  const of = (pairs: readonly (readonly [number, number])[], index: 0 | 1): number => median(pairs.map((pair) => pair[index]))
  return { perSecond, rounds, directP50Ms: of(direct, 0), directP99Ms: of(direct, 1), addedP50Ms: of(added, 0), addedP99Ms: of(added, 1) }
}
