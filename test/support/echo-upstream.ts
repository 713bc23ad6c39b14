import { once } from 'node:events'
import { createServer, type IncomingMessage, type RequestListener, type Server } from 'node:http'
import { createServer as createSecureServer, type ServerOptions } from 'node:https'
import type { AddressInfo } from 'node:net'

/** One request as an upstream saw it. */
export interface SeenRequest {
  readonly method: string
  /** Exactly the bytes of the request line. */
  readonly target: string
  /** Flat, as sent. */
  readonly rawHeaders: readonly string[]
  readonly headers: IncomingMessage['headers']
  readonly body: string
  readonly trailers: readonly string[]
}

export interface EchoUpstream {
  readonly port: number
  readonly path: string
  readonly server: Server
  readonly seen: readonly SeenRequest[]
  /** Connections ever opened to it. */
  readonly connections: () => number
  readonly close: () => Promise<void>
}

async function bodyOf(incoming: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of incoming) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks).toString('latin1')
}

export interface EchoOptions {
  /** Answers instead of the echo; the request is not recorded by then. */
  readonly answer?: RequestListener
  readonly unixPath?: string
  readonly tls?: ServerOptions
}

/** A real API that tells what it received. With `answer` it does what a test says. */
export async function startEchoUpstream({ answer, unixPath, tls }: EchoOptions = {}): Promise<EchoUpstream> {
  const seen: SeenRequest[] = []
  let connections = 0
  const listener: RequestListener = (incoming, response) => {
    if (answer) return answer(incoming, response)
    bodyOf(incoming).then((body) => {
      const request = { method: incoming.method ?? '', target: incoming.url ?? '', rawHeaders: incoming.rawHeaders, headers: incoming.headers, body, trailers: incoming.rawTrailers }
      seen.push(request)
      response.setHeader('content-type', 'application/json')
      const text = JSON.stringify(request)
      response.setHeader('content-length', Buffer.byteLength(text))
      response.end(text)
    }, () => response.destroy())
  }
  const server = tls ? createSecureServer(tls, listener) : createServer(listener)
  server.on('connection', () => (connections += 1))
  server.on('clientError', (_error, socket) => socket.destroy())
  server.on('tlsClientError', () => undefined)
  server.keepAliveTimeout = 30_000
  if (unixPath === undefined) server.listen(0, '127.0.0.1')
  else server.listen(unixPath)
  await once(server, 'listening')
  const address = server.address()
  return {
    port: typeof address === 'object' && address ? (address as AddressInfo).port : 0,
    path: unixPath ?? '',
    server,
    seen,
    connections: () => connections,
    close: async () => {
      const closed = new Promise((resolve) => server.close(resolve))
      server.closeAllConnections()
      await closed
    },
  }
}
