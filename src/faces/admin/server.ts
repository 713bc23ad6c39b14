import { createServer, type IncomingMessage, type RequestListener, type Server } from 'node:http'
import { createServer as createSecureServer, type Server as SecureServer, type ServerOptions } from 'node:https'
import type { AddressInfo } from 'node:net'
import { getRequestListener } from '@hono/node-server'
import type { Reply } from '../../model/decision.ts'
import type { RequestDescription } from '../../model/request.ts'
import { writeReply } from '../../wire/write.ts'
import { createAdminApp, type AdminAppOptions } from './app.ts'
import { BodyTooLarge } from './body.ts'
import { formOf } from './form.ts'
import { createGate, type Judged } from './gate.ts'
import { refusalReply } from './refusal.ts'
import { API_ROUTES, PAGE_ROUTES, pathTable } from './routes.ts'

/** TLS for the listener, by whoever looks after the files. */
export interface AdminTls {
  /** @throws when a file cannot be read, or key and certificate do not fit */
  readonly read: () => ServerOptions
  /** Whether whoever connects must show a certificate. */
  readonly clientCertificate: boolean
  /** Puts new certificates in place; gives the way to stop. */
  readonly follow: (server: SecureServer) => () => void
}

export interface AdminFaceOptions extends AdminAppOptions {
  readonly tls?: AdminTls
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

function originOf(server: Server): string | undefined {
  const address: AddressInfo | string | null = server.address()
  if (address === null || typeof address === 'string') return address ?? undefined
  return `${'setSecureContext' in server ? 'https' : 'http'}://${address.family === 'IPv6' ? `[${address.address}]` : address.address}:${address.port}`
}

/** The log-in brings its credential in a form: it is judged as if it stood in the field that is made for it. */
async function withForm(incoming: IncomingMessage, request: RequestDescription): Promise<RequestDescription> {
  if (request.method !== 'POST' || request.target.path !== '/login') return request
  const token = (await formOf(incoming).catch((error: unknown) => {
    if (error instanceof BodyTooLarge) return new Map<string, string>()
    throw error
  })).get('token')
  return token === undefined || token === '' ? request : { ...request, headers: new Map(request.headers).set('authorization', [`Bearer ${token}`]) }
}

const hasBody = ({ headers }: IncomingMessage): boolean => headers['transfer-encoding'] !== undefined || (headers['content-length'] ?? '0') !== '0'

const SETTINGS = { requestTimeout: TIMEOUT_MS, headersTimeout: TIMEOUT_MS, keepAliveTimeout: TIMEOUT_MS, connectionsCheckingInterval: TIMEOUT_MS } as const

/** A server, and the way to stop following its certificate. */
function serverFor(tls: AdminTls | undefined, serve: RequestListener): { readonly server: Server | SecureServer; readonly unfollow: () => void } {
  if (!tls) return { server: createServer(SETTINGS, serve), unfollow: () => undefined }
  const { clientCertificate } = tls
  const server = createSecureServer({ ...SETTINGS, ...tls.read(), requestCert: clientCertificate, rejectUnauthorized: clientCertificate, handshakeTimeout: TIMEOUT_MS }, serve)
  return { server, unfollow: tls.follow(server) }
}

/** The admin listener, on an address of its own. @throws what `tls.read` does */
export function createAdminFace({ address, tls, ...options }: AdminFaceOptions): AdminFace {
  const { clock, observer, gateway, sessions } = options
  const judged = new WeakMap<IncomingMessage, Judged>()
  const app = createAdminApp(options, (incoming) => judged.get(incoming))
  const paths = pathTable(options.facts ? [...API_ROUTES, ...PAGE_ROUTES] : API_ROUTES)
  const judge = createGate({ gateway, paths, own: address.host, unix: address.path !== undefined, encrypted: tls !== undefined, withForm, clock, observer })
  // The process is shared with undici and jose: their Request and Response stay Node's own.
  const answer = getRequestListener(app.fetch, { overrideGlobalObjects: false, hostname: 'admin' })

  const replyTo = ({ decision, requestId }: Judged): Reply | undefined => {
    if (decision.outcome === 'answer') return decision.reply
    if (decision.outcome === 'allow') return undefined
    return refusalReply({ denial: decision.denial, requestId, limits: decision.limits, route: decision.route?.id, now: clock() }, gateway())
  }

  const { server, unfollow } = serverFor(tls, (request, response) => {
    const startedAt = clock()
    response.once('close', () => observer.answered({ face: 'admin', method: request.method ?? '', status: response.statusCode, durationMs: clock() - startedAt }))
    void judge(request).then((result) => {
      const reply = replyTo(result)
      if (reply) return writeReply(response, reply, { head: request.method === 'HEAD', close: hasBody(request) })
      judged.set(request, result)
      return answer(request, response)
    }).catch((error: unknown) => {
      observer.faulted(error)
      response.destroy()
    })
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
        unfollow()
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

