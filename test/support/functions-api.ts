import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface SeenByFunction { readonly path: string; readonly method: string; readonly headers: IncomingHttpHeaders; readonly body: string }

/** Functions behind a guard: an echo, a stream of events, and one that takes its time to read. */
export interface FunctionsApi {
  readonly url: string
  /** Requests whose head arrived, in order; `body` is what was read of it by the end. */
  readonly seen: readonly SeenByFunction[]
  /** When each event was written. */
  readonly sentAt: readonly number[]
  /** Streams that ended because the other side went away. */
  readonly aborted: () => number
  /** Bytes of uploads read so far. */
  readonly uploaded: () => number
  /** Lets `/functions/v1/slow-reader` read. */
  readonly read: () => void
  readonly close: () => Promise<void>
}

const EVENT_MS = 300

export async function startFunctionsApi(): Promise<FunctionsApi> {
  const seen: SeenByFunction[] = []
  const sentAt: number[] = []
  let aborted = 0
  let uploaded = 0
  let held: (() => void)[] = []

  const stream = (response: ServerResponse, count: number): void => {
    response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-cache' })
    let sent = 0
    const timer = setInterval(() => {
      sentAt.push(Date.now())
      response.write(`data: {"n":${(sent += 1)}}\n\n`)
      if (sent === count) response.end()
    }, EVENT_MS)
    response.flushHeaders()
    response.on('close', () => {
      clearInterval(timer)
      if (!response.writableFinished) aborted += 1
    })
  }

  const answer = (request: IncomingMessage, response: ServerResponse, body: string): void => {
    const path = request.url ?? ''
    seen.push({ path, method: request.method ?? '', headers: request.headers, body })
    if (path.endsWith('/stream')) return stream(response, 3)
    if (path.endsWith('/endless')) return stream(response, 1_000)
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify({ ok: true, bytes: body.length }))
  }

  const server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('error', () => undefined)
    const begin = (): void => {
      request.on('data', (chunk: Buffer) => {
        uploaded += chunk.length
        if (!request.url?.endsWith('/slow-reader')) chunks.push(chunk)
      })
      request.on('end', () => answer(request, response, Buffer.concat(chunks).toString()))
    }
    if (request.url?.endsWith('/slow-reader')) held.push(begin)
    else begin()
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    seen, sentAt,
    aborted: () => aborted,
    uploaded: () => uploaded,
    read: () => {
      for (const begin of held) begin()
      held = []
    },
    close: () => new Promise((resolve) => {
      server.close(() => resolve())
      server.closeAllConnections()
    }),
  }
}
