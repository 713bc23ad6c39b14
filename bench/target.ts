import { getRequest, type LoadResult, run } from './load.ts'
import type { Server } from './processes.ts'
import type { Issued } from './tokens.ts'

/** What a target does with a request before it passes it on, if it does. */
export type TargetKind = 'bare' | 'guarded' | 'refusal' | 'check' | 'answer'

/** Something to measure: how to start it, what to send. */
export interface Target {
  readonly name: string
  readonly what: string
  readonly kind: TargetKind
  /** Its code is compiled while it runs, which takes about a hundred thousand requests. */
  readonly warms: boolean
  readonly start: () => Promise<Server>
  /** Sends this many requests and complains of every answer but the wanted one. */
  readonly send: (port: number, requests: number) => Promise<LoadResult>
  /** Headers of requests that must not be answered with 200: whoever lets everybody in is quick. */
  readonly refuses?: readonly Readonly<Record<string, string>>[]
}

/** What targets are made of. */
export interface Setting {
  readonly directory: string
  readonly upstreamPort: number
  readonly issued: Issued
  /** Another build than that of this checkout, and flags of Node for it. */
  readonly build?: { readonly directory: string; readonly flags: readonly string[] }
}

/** A peer that is installed here. */
export interface Peer {
  readonly version: string
  readonly targets: readonly Target[]
}

export const CONNECTIONS = 32

const PATH = '/api/orders/1'

/** The same GET again and again, over 32 keep-alive connections. */
export function asking({ path = PATH, headers = [], status = 200 }: { readonly path?: string; readonly headers?: readonly string[]; readonly status?: number } = {}): Target['send'] {
  const request = getRequest(path, headers)
  return (port, requests) => run({ port, bytes: () => request, requests, connections: CONNECTIONS, status })
}

/** As before, with another token each time. They are minted before the clock starts. */
export const askingAnew = (mint: () => string): Target['send'] => (port, requests) => {
  const all = Array.from({ length: requests }, () => getRequest(PATH, [`Authorization: Bearer ${mint()}`]))
  return run({ port, bytes: (n) => all[n]!, requests, connections: CONNECTIONS, status: 200 })
}

/** People whose requests come mixed over the same connections, as a load balancer sends them. */
const PEOPLE = 1_000

/** The requests of many people over the same connections: another token that was seen before each time, and a line that no other request has. */
export function askingMixed(mint: () => string): Target['send'] {
  const tokens = Array.from({ length: PEOPLE }, mint)
  let sent = 0
  return (port, requests) => run({ port, bytes: () => getRequest(PATH, [`X-Correlation-Id: ${(sent += 1)}`, bearer(tokens[sent % PEOPLE] ?? '')]), requests, connections: CONNECTIONS, status: 200 })
}

export const bearer = (token: string): string => `Authorization: Bearer ${token}`

/** The token with another signature. */
const forged = (token: string): string => {
  const [head = '', claims = '', signature = ''] = token.split('.')
  return `${head}.${claims}.${signature.slice(0, 8)}${signature.startsWith('A', 8) ? 'B' : 'A'}${signature.slice(9)}`
}

/** Shows a token again and again. Nobody and a forger must be refused. */
export const showing = (token: string): Pick<Target, 'send' | 'refuses' | 'kind'> => ({ kind: 'guarded', send: asking({ headers: [bearer(token)] }), refuses: [{}, { authorization: `Bearer ${forged(token)}` }] })

/**
 * Asks what must be refused.
 *
 * @throws when it is let in
 */
export async function insistOnRefusals({ refuses = [] }: Target, port: number): Promise<void> {
  for (const headers of refuses) {
    const { status } = await fetch(`http://127.0.0.1:${port}${PATH}`, { headers: { ...headers, connection: 'close' }, redirect: 'manual' })
    if (status < 300) throw new Error(`it answers ${status} to ${headers['authorization'] === undefined ? 'nobody' : 'a forged token'}`)
  }
}
