import { connect } from 'node:net'
import { setTimeout as wait } from 'node:timers/promises'
import type { EnduranceUpstream } from './endurance-upstream.ts'
import type { RunningPostern } from './endurance-postern.ts'

/** What became of every request that clients sent around a SIGTERM. */
export interface DrainCounts {
  answered: number
  /** An answer that is not 200, by status. */
  readonly otherStatus: Record<string, number>
  /** The upstream had the request, and the client got no whole answer: must be 0. */
  lostAfterUpstream: number
  /** The connection was accepted and the request written, and it was closed before a byte came back: must be 0. */
  lostOnNewConnection: number
  /** On a connection that had carried requests: the client wrote while we closed (RFC 9112 section 9.3.1); it may ask again. */
  lostOnReused: number
  /** No connection: never accepted. A balancer asks elsewhere. */
  refused: number
  /** From SIGTERM to the end of the process. */
  endedMs: number
  exitCode: number | null
}

type Outcome = { readonly kind: 'answered'; readonly status: number; readonly last: boolean } | { readonly kind: 'closed'; readonly bytes: number }

/** One request at a time on one connection. */
function openClient(port: number): Promise<{ readonly ask: (head: string) => Promise<Outcome>; readonly close: () => void } | undefined> {
  return new Promise((resolve) => {
    let settle: ((outcome: Outcome) => void) | undefined
    let text = ''
    let closed = false
    const socket = connect({ port, host: '127.0.0.1', noDelay: true })
    socket.on('connect', () => resolve({
      ask: (head) => new Promise((done) => {
        if (closed) return done({ kind: 'closed', bytes: 0 })
        text = ''
        settle = done
        socket.write(head)
      }),
      close: () => void socket.end(),
    }))
    socket.on('data', (chunk: Buffer) => {
      text += chunk.toString('latin1')
      const end = text.indexOf('\r\n\r\n')
      const length = Number(/\r\ncontent-length: *(\d+)/i.exec(text.slice(0, end + 2))?.[1] ?? 0)
      if (end === -1 || text.length < end + 4 + length) return
      settle?.({ kind: 'answered', status: Number(text.slice(9, 12)), last: /\r\nconnection: *close/i.test(text.slice(0, end)) })
      settle = undefined
    })
    socket.on('error', () => undefined)
    socket.on('end', () => void socket.end())
    socket.on('close', () => {
      closed = true
      settle?.({ kind: 'closed', bytes: text.length })
      settle = undefined
      resolve(undefined)
    })
  })
}

interface Load { readonly port: number; readonly token: string; readonly seen: ReadonlySet<number>; readonly counts: DrainCounts; readonly over: () => boolean; readonly next: () => number }

/** Asks until nobody accepts any more. `turns`: requests on one connection before a new one is opened. */
async function client({ port, token, seen, counts, over, next }: Load, turns: number): Promise<void> {
  while (!over()) {
    const connection = await openClient(port)
    if (!connection) {
      counts.refused += 1
      await wait(20)
      continue
    }
    for (let turn = 0; turn < turns && !over(); turn += 1) {
      const number = next()
      const outcome = await connection.ask(`GET /slow/${number} HTTP/1.1\r\nHost: api.example\r\nAuthorization: Bearer ${token}\r\n\r\n`)
      if (outcome.kind === 'closed') {
        if (seen.has(number) || outcome.bytes > 0) counts.lostAfterUpstream += 1
        else if (turn === 0) counts.lostOnNewConnection += 1
        else counts.lostOnReused += 1
        break
      }
      if (outcome.status === 200) counts.answered += 1
      else counts.otherStatus[outcome.status] = (counts.otherStatus[outcome.status] ?? 0) + 1
      if (outcome.last) break
    }
    connection.close()
  }
}

/** Clients that keep their connections and clients that open one per request, all of which go on through the whole drain. */
export async function drainUnderLoad(postern: RunningPostern, { token, upstream, clients }: { readonly token: string; readonly upstream: EnduranceUpstream; readonly clients: number }): Promise<DrainCounts> {
  const counts: DrainCounts = { answered: 0, otherStatus: {}, lostAfterUpstream: 0, lostOnNewConnection: 0, lostOnReused: 0, refused: 0, endedMs: 0, exitCode: null }
  let over = false
  let number = Math.max(0, ...upstream.seen)
  const load: Load = { port: postern.port, token, seen: upstream.seen, counts, over: () => over, next: () => (number += 1) }
  const running = Array.from({ length: clients }, (_, index) => client(load, index % 2 === 0 ? 1_000_000 : 1))
  await wait(1_000)
  const began = performance.now()
  postern.child.kill('SIGTERM')
  const late = setTimeout(() => postern.child.kill('SIGKILL'), 30_000)
  counts.exitCode = await postern.ended
  clearTimeout(late)
  counts.endedMs = performance.now() - began
  over = true
  await Promise.all(running)
  return counts
}
