import { Agent, request } from 'node:http'

export interface Answered { readonly status: number; readonly ms: number; readonly headers: Readonly<Record<string, string | string[] | undefined>> }

/** One GET on a kept-alive connection. */
function ask(url: string, agent: Agent, headers: Readonly<Record<string, string>>): Promise<Answered> {
  const startedAt = performance.now()
  return new Promise((resolve, reject) => {
    const sent = request(url, { agent, headers }, (response) => {
      response.resume()
      response.once('end', () => resolve({ status: response.statusCode ?? 0, ms: performance.now() - startedAt, headers: response.headers }))
      response.once('error', reject)
    })
    sent.once('error', reject)
    sent.end()
  })
}

export interface LimitLoad {
  readonly urls: readonly string[]
  readonly connections: number
  readonly requests: number
  readonly headersOf: (index: number) => Readonly<Record<string, string>>
}

/** A bounded number of requests over a bounded number of connections, spread over several addresses. */
export async function limitLoad({ urls, connections, requests, headersOf }: LimitLoad): Promise<readonly Answered[]> {
  const agents = urls.map(() => new Agent({ keepAlive: true, maxSockets: Math.ceil(connections / urls.length) }))
  const answers: Answered[] = []
  let next = 0
  const worker = async (number: number): Promise<void> => {
    const place = number % urls.length
    for (let index = next++; index < requests; index = next++) answers.push(await ask(urls[place]!, agents[place]!, headersOf(index)))
  }
  try {
    await Promise.all(Array.from({ length: connections }, (_, number) => worker(number)))
  } finally {
    for (const agent of agents) agent.destroy()
  }
  return answers
}

/** The value below which a share of the values lies. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.min(Math.floor(sorted.length * share), sorted.length - 1)] ?? Number.NaN
}
