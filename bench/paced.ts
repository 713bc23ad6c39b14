import type { Socket } from 'node:net'
import { eachAnswer, type Load, openAll } from './load.ts'

/**
 * Sends requests at a steady rate whatever the answers do, each on a connection that is free. A request counts from when it was due, so that
 * one slow answer is not hidden by the requests it held up.
 *
 * @param perSecond requests per second
 * @returns milliseconds per request, sorted
 * @throws when an answer has another status, or a connection ends early
 */
export async function runPaced({ port, bytes, requests, connections, status }: Load, perSecond: number): Promise<Float64Array> {
  const latencies = new Float64Array(requests)
  const sockets = await openAll(port, connections)
  const free = [...sockets]
  const dueOf = new Map<Socket, number>()
  const start = performance.now()
  const dueAt = (n: number): number => start + (n * 1_000) / perSecond
  let [sent, done] = [0, 0]
  const send = (): void => {
    while (sent < requests && free.length > 0 && dueAt(sent) <= performance.now()) {
      const socket = free.shift()!
      dueOf.set(socket, dueAt(sent))
      socket.write(bytes(sent++))
    }
  }
  const timer = setInterval(send, 1)
  try {
    await new Promise<void>((resolve, reject) => {
      for (const socket of sockets) {
        eachAnswer(socket, status, () => {
          latencies[done++] = performance.now() - (dueOf.get(socket) ?? 0)
          free.push(socket)
          if (done === requests) resolve()
          else send()
        }, reject)
      }
    })
    return latencies.sort()
  } finally {
    clearInterval(timer)
    for (const socket of sockets) socket.removeAllListeners('close').destroy()
  }
}
