import { createServer, type IncomingMessage, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { getRequestListener } from '@hono/node-server'
import type { Reply } from '../../model/decision.ts'
import { writeReply } from '../../wire/write.ts'
import { createAdminApp, type AdminAppOptions } from './app.ts'
import { pathTable } from './openapi.ts'
import { PAGE_PATHS } from './page-routes.ts'
import { problemReply } from './problem.ts'
import { createPageSessions } from './sessions.ts'

export interface AdminFaceOptions extends Omit<AdminAppOptions, 'sessions'> {
  readonly address: { readonly host: string; readonly port: number; readonly path?: string }
}

export interface AdminFace {
  /** @throws the error of `listen`, such as EADDRINUSE */
  readonly listen: () => Promise<void>
  /** `http://127.0.0.1:9091`, or the path of the socket; undefined while not listening. */
  readonly origin: () => string | undefined
  /** Logs in to the page once, within ten minutes. A secret: for whoever started the process. Undefined where there is no page. */
  readonly loginLink: () => string | undefined
  readonly close: () => Promise<void>
}

const TIMEOUT_MS = 10_000

/** Paths and what they take. The adapter below normalises paths, so the bytes are compared first. */
const API_PATHS = pathTable()

function refusalOf({ url = '', method = '' }: IncomingMessage, paths: typeof API_PATHS): Reply | undefined {
  const path = url.split('?', 1)[0] ?? ''
  const methods = paths.find(([pattern]) => pattern.test(path))?.[1]
  if (!methods) return problemReply('route_not_found', 'There is nothing at this address.')
  return methods.includes(method) ? undefined : problemReply('method_not_allowed', 'The Allow field lists what this address takes.', { allow: methods.join(', ') })
}

function originOf(server: Server): string | undefined {
  const address: AddressInfo | string | null = server.address()
  if (address === null || typeof address === 'string') return address ?? undefined
  return `http://${address.family === 'IPv6' ? `[${address.address}]` : address.address}:${address.port}`
}

/** The admin listener, on an address of its own. Undefined when there is no token: nobody could be told from anybody. */
export function createAdminFace({ address, ...options }: AdminFaceOptions): AdminFace | undefined {
  if (options.token === '') return undefined
  const { clock, observer } = options
  const paths = options.facts ? [...API_PATHS, ...PAGE_PATHS] : API_PATHS
  const sessions = createPageSessions(clock)
  const app = createAdminApp({ ...options, sessions, hosts: [...options.hosts, address.host].map((host) => host.toLowerCase()) })
  // The process is shared with undici and jose: their Request and Response stay Node's own.
  const answer = getRequestListener(app.fetch, { overrideGlobalObjects: false, hostname: 'admin' })
  const server = createServer({ requestTimeout: TIMEOUT_MS, headersTimeout: TIMEOUT_MS, keepAliveTimeout: TIMEOUT_MS, connectionsCheckingInterval: TIMEOUT_MS }, (request, response) => {
    const startedAt = clock()
    response.once('close', () => observer.answered({ face: 'admin', method: request.method ?? '', status: response.statusCode, durationMs: clock() - startedAt }))
    const refusal = refusalOf(request, paths)
    if (refusal) writeReply(response, refusal, { head: request.method === 'HEAD' })
    else void answer(request, response)
  })
  server.maxConnections = 64
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
    loginLink: () => {
      const origin = options.facts && originOf(server)
      return origin?.startsWith('http') ? `${origin}/login?code=${sessions.newCode()}` : undefined
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}
