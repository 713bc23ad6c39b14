import { createServer, type IncomingMessage } from 'node:http'
import { listenOnLoopback, type LoopbackServer } from './loopback.ts'

/** What the API saw: the fields as they arrived, repeated ones as a list. */
function seen(request: IncomingMessage, bytes: number): string {
  const headers: Record<string, string | string[]> = {}
  for (const [name, values] of Object.entries(request.headersDistinct)) {
    if (values) headers[name] = values.length === 1 ? (values[0] ?? '') : values
  }
  const user = request.headers['x-user-id']
  return `${JSON.stringify({ message: user === undefined ? 'hello, whoever you are' : `hello, ${String(user)}`, method: request.method, url: request.url, headers, body_bytes: bytes }, undefined, 2)}\n`
}

/** The demo API: knows nothing of authentication, and answers with the headers it received. */
export function startDemoApi(): Promise<LoopbackServer> {
  return listenOnLoopback(
    createServer((request, response) => {
      let bytes = 0
      request.on('data', (chunk: Buffer) => {
        bytes += chunk.length
      })
      request.on('end', () => response.setHeader('content-type', 'application/json').end(seen(request, bytes)))
      request.on('error', () => response.destroy())
    }),
  )
}
