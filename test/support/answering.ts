import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

/** What one test server saw. */
export interface Seen {
  readonly method: string
  /** With the query, as sent. */
  readonly target: string
  readonly headers: IncomingMessage['headers']
  readonly body: string
}

export type Answer = (response: ServerResponse, seen: Seen) => void

export interface AnsweringServer {
  readonly url: string
  readonly seen: Seen[]
  readonly answer: (answer: Answer) => void
  readonly close: () => Promise<void>
}

/** Answers 200 with this JSON. */
export const json = (body: unknown, headers: Record<string, string> = {}): Answer => (response) => {
  response.writeHead(200, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body))
}

/** Answers with exactly this. */
export const raw = (status: number, body: string, headers: Record<string, string> = { 'content-type': 'application/json' }): Answer => (response) => {
  response.writeHead(status, headers).end(body)
}

/** A server that does what a test says, also what no server should do. */
export async function startAnswering(first: Answer = json({})): Promise<AnsweringServer> {
  const seen: Seen[] = []
  let answer = first
  const server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      const what = { method: request.method ?? '', target: request.url ?? '', headers: request.headers, body: Buffer.concat(chunks).toString('utf8') }
      seen.push(what)
      answer(response, what)
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    seen,
    answer: (next) => {
      answer = next
    },
    close: () => new Promise((resolve) => {
      server.close(() => resolve())
      server.closeAllConnections()
    }),
  }
}

/** Ways in which somebody who is asked gives no answer: each must be "could not check", never yes and never no. */
export const NO_ANSWERS: readonly (readonly [title: string, answer: Answer])[] = [
  ['500', raw(500, '{"active":true}')],
  ['502 with a page', raw(502, '<html>bad gateway</html>', { 'content-type': 'text/html' })],
  ['503', raw(503, '')],
  ['200 with a page', raw(200, '<html>welcome</html>', { 'content-type': 'text/html' })],
  ['200 with nothing', raw(200, '')],
  ['200 with an array', raw(200, '[]')],
  ['200 with text', raw(200, '"ok"')],
  ['200 with true', raw(200, 'true')],
  ['200 with an error', raw(200, '{"error":"internal"}')],
  ['a redirect', raw(302, '', { location: 'http://127.0.0.1:9/' })],
  ['a permanent redirect', raw(308, '', { location: 'http://127.0.0.1:9/' })],
  ['404', raw(404, '{}')],
  ['a compressed body', raw(200, 'x', { 'content-type': 'application/json', 'content-encoding': 'gzip' })],
  ['a body without end', (response) => {
    response.writeHead(200, { 'content-type': 'application/json' })
    response.write(`{"x":"${'x'.repeat(70_000)}`)
  }],
  ['one byte and then silence', (response) => {
    response.writeHead(200, { 'content-type': 'application/json' })
    response.write('{')
  }],
  ['silence', () => undefined],
  ['half an answer', (response) => {
    response.writeHead(200, { 'content-type': 'application/json', 'content-length': '100' })
    response.write('{"active":true')
    setImmediate(() => response.destroy())
  }],
  ['a reset connection', (response) => {
    response.socket?.resetAndDestroy()
  }],
]
