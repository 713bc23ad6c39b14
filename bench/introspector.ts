import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

/** The least of an RFC 7662 endpoint: every token is active. It runs beside the load generator, and is hardly asked: answers are kept. */
export function startIntrospector(): Promise<{ readonly url: string; readonly close: () => void }> {
  const server = createServer((request, response) => {
    request.resume()
    const body = JSON.stringify({ active: true, sub: 'user-1', scope: 'read write', exp: Math.floor(Date.now() / 1_000) + 7_200 })
    response.writeHead(200, { 'content-type': 'application/json', 'content-length': body.length }).end(body)
  })
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => resolve({ url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/introspect`, close: () => void server.close() }))
  })
}
