import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createOpsApp, type OpsAnswer, type OpsAppOptions } from './app.ts'

export interface OpsFaceOptions extends OpsAppOptions {
  readonly address: { readonly host: string; readonly port: number; readonly path?: string }
}

export interface OpsFace {
  /** @throws the error of `listen`, such as EADDRINUSE */
  readonly listen: () => Promise<void>
  /** `http://127.0.0.1:9090`, or the path of the socket; undefined while not listening. */
  readonly origin: () => string | undefined
  readonly close: () => Promise<void>
}

/** Probes are short: whatever takes longer is not a probe. */
const TIMEOUT_MS = 5_000

function write(response: ServerResponse, { status, contentType, body }: OpsAnswer): void {
  response.writeHead(status, { 'content-type': contentType, 'content-length': Buffer.byteLength(body), 'cache-control': 'no-store' }).end(body)
}

const plain = (status: number, text: string): OpsAnswer => ({ status, contentType: 'text/plain; charset=utf-8', body: `${text}\n` })

/** The bytes of the path are compared: `/%6detrics` and `//metrics` are not found (T57, T66). */
async function answer(app: ReturnType<typeof createOpsApp>, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const [path = '', ...query] = (request.url ?? '').split('?')
  const asked = app.get(path)
  if (!asked) return write(response, plain(404, 'not found'))
  if (request.method !== 'GET' && request.method !== 'HEAD') return write(response.setHeader('allow', 'GET, HEAD'), plain(405, 'method not allowed'))
  try {
    write(response, await asked({ verbose: new URLSearchParams(query.join('?')).has('verbose'), accept: request.headers.accept }))
  } catch {
    write(response, plain(500, 'internal'))
  }
}

function originOf(server: Server): string | undefined {
  const address: AddressInfo | string | null = server.address()
  if (address === null || typeof address === 'string') return address ?? undefined
  return `http://${address.family === 'IPv6' ? `[${address.address}]` : address.address}:${address.port}`
}

/** The ops listener: probes and metrics on an address of their own, never reachable through the data port. */
export function createOpsFace({ address, ...options }: OpsFaceOptions): OpsFace {
  const app = createOpsApp(options)
  const server = createServer({ requestTimeout: TIMEOUT_MS, headersTimeout: TIMEOUT_MS, keepAliveTimeout: TIMEOUT_MS, connectionsCheckingInterval: TIMEOUT_MS }, (request, response) => {
    void answer(app, request, response)
  })
  server.maxConnections = 256
  return {
    listen: () =>
      new Promise((resolve, reject) => {
        server.once('error', reject)
        server.listen(address.path === undefined ? { host: address.host, port: address.port } : { path: address.path }, () => {
          server.off('error', reject)
          resolve()
        })
      }),
    origin: () => originOf(server),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}
