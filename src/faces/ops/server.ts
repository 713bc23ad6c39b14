import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { getRequestListener } from '@hono/node-server'
import { createOpsApp, OPS_PATHS, type OpsAppOptions } from './app.ts'

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

const plain = (response: ServerResponse, status: number, text: string): void => void response.writeHead(status, { 'content-type': 'text/plain; charset=utf-8', 'cache-control': 'no-store' }).end(`${text}\n`)

/** The adapter below us normalises paths, so the bytes are compared first: `/%6detrics` and `//metrics` are not found (T57, T66). */
function refuses(request: IncomingMessage, response: ServerResponse): boolean {
  const path = (request.url ?? '').split('?', 1)[0] ?? ''
  if (!OPS_PATHS.has(path)) plain(response, 404, 'not found')
  else if (request.method !== 'GET' && request.method !== 'HEAD') plain(response.setHeader('allow', 'GET, HEAD'), 405, 'method not allowed')
  else return false
  return true
}

function originOf(server: Server): string | undefined {
  const address: AddressInfo | string | null = server.address()
  if (address === null || typeof address === 'string') return address ?? undefined
  return `http://${address.family === 'IPv6' ? `[${address.address}]` : address.address}:${address.port}`
}

/** The ops listener: probes and metrics on an address of their own, never reachable through the data port. */
export function createOpsFace({ address, ...options }: OpsFaceOptions): OpsFace {
  const app = createOpsApp(options)
  // The process is shared with undici and jose: their Request and Response stay Node's own.
  const answer = getRequestListener(app.fetch, { overrideGlobalObjects: false, hostname: 'ops' })
  const server = createServer({ requestTimeout: TIMEOUT_MS, headersTimeout: TIMEOUT_MS, keepAliveTimeout: TIMEOUT_MS, connectionsCheckingInterval: TIMEOUT_MS }, (request, response) => {
    if (!refuses(request, response)) void answer(request, response)
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
