import { createServer as createPlain, type IncomingMessage, type Server, type ServerOptions, type ServerResponse } from 'node:http'
import { createServer as createSecure } from 'node:https'
import { Server as NetServer, type Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { TLSSocket } from 'node:tls'
import { canonicalIp, type CidrSet, partitionOfIp } from '../../base/cidr.ts'
import type { DurationMs } from '../../base/time.ts'
import type { Observer } from '../../model/event.ts'
import type { Client } from './client.ts'
import { isLeaving } from './linger.ts'
import { watchNewcomers } from './newcomers.ts'
import { createNodeClient } from './node-client.ts'
import { createPlainReaders } from './plain-readers.ts'
import type { Peers } from './peer.ts'
import { takeProxyHeader } from './proxy-header.ts'
import type { ListenerSettings, ListenerTls } from './settings.ts'
import { followCertificate, readCertificate } from './tls.ts'

export type { ListenerSettings, ListenerTls } from './settings.ts'

/** What a listener hands on. */
export interface ListenerEvents {
  readonly request: (client: Client) => void
  /** `Expect` with anything but `100-continue`. */
  readonly expectation: (client: Client) => void
  /** GET with exactly `Upgrade: websocket`. Every other `Upgrade` is an ordinary request. */
  readonly upgrade: (incoming: IncomingMessage, socket: Duplex, head: Buffer) => void
  /** CONNECT: never proxied, but answered. */
  readonly connect: (incoming: IncomingMessage, socket: Duplex) => void
  /** The parser gave up, or a timer did. */
  readonly unparsable: (error: Error & { readonly code?: string }, socket: Duplex) => void
}

/** Where a listener really listens; `port` is never 0. */
export type ListenAddress = { readonly host: string; readonly port: number } | { readonly path: string }

export interface Listener {
  /** @throws (rejects) with the system's error when the address cannot be had */
  readonly listen: () => Promise<ListenAddress>
  /**
   * Takes what the system has accepted for us, then no new connections; gives those that have not asked for anything yet up to
   * `hearingMs` to do so, and closes idle ones.
   */
  readonly stop: (hearingMs: DurationMs) => Promise<void>
  readonly closeIdle: () => void
  /** Upgraded sockets are not among them. */
  readonly closeAll: () => void
}

export interface ListenerContext {
  readonly settings: ListenerSettings
  readonly observer: Observer
  readonly peers: Peers
  /** Read for each connection. */
  readonly trustedProxies: () => CidrSet
  /** Targets for which an upgrade is never agreed on: they are asked about one. */
  readonly aside?: (rawTarget: string) => boolean
}

const isWebSocket = ({ method, headers }: IncomingMessage): boolean => method === 'GET' && headers.upgrade?.toLowerCase() === 'websocket'

function serverOptions({ settings: { headersTimeoutMs, keepAliveTimeoutMs, maxHeaderSize }, aside }: ListenerContext): ServerOptions {
  return {
    headersTimeout: headersTimeoutMs,
    // It would cover the whole upload; bodies have an idle timer of their own.
    requestTimeout: 0,
    keepAliveTimeout: keepAliveTimeoutMs,
    connectionsCheckingInterval: Math.min(5_000, Math.max(50, Math.floor(headersTimeoutMs / 4))),
    maxHeaderSize,
    insecureHTTPParser: false,
    // describe() demands exactly one Host line, on HTTP/1.0 too, and says so as a problem.
    requireHostHeader: false,
    shouldUpgradeCallback: aside ? (incoming) => isWebSocket(incoming) && !aside(incoming.url ?? '') : isWebSocket,
    noDelay: true,
  }
}

function createHttpServer(context: ListenerContext): Server {
  const { settings } = context
  const { tls } = settings
  if (!tls) return createPlain(serverOptions(context))
  return createSecure({
    ...serverOptions(context),
    ...readCertificate(tls),
    handshakeTimeout: settings.headersTimeoutMs,
    ALPNProtocols: ['http/1.1'],
    requestCert: tls.clientCertificate !== 'off',
    rejectUnauthorized: tls.clientCertificate === 'required',
  })
}

/** A certificate may be missing when it is optional; one that is shown must be good. */
function refuseBadCertificates(server: Server, tls: ListenerTls): void {
  if (tls.clientCertificate !== 'optional') return
  server.prependListener('secureConnection', (socket: TLSSocket) => {
    if (!socket.authorized && Object.keys(socket.getPeerCertificate()).length > 0) socket.destroy()
  })
}

function attach(server: Server, events: ListenerEvents, { peers }: ListenerContext): void {
  const hear = (then: (client: Client) => void, awaitsContinue = false) => (incoming: IncomingMessage, response: ServerResponse): void => {
    // Behind the last answer of a connection there are no requests, only bytes. It ends by itself.
    if (!isLeaving(incoming.socket)) then(createNodeClient({ incoming, response, awaitsContinue }, peers))
  }
  const [asked, expecting, unmet] = [hear(events.request), hear(events.request, true), hear(events.expectation)]
  server.on('request', asked)
  server.on('checkContinue', (incoming, response) => {
    // Node takes anything that contains the word for it (T13).
    if (incoming.headers.expect?.toLowerCase() === '100-continue') expecting(incoming, response)
    else unmet(incoming, response)
  })
  server.on('checkExpectation', unmet)
  server.on('upgrade', events.upgrade)
  server.on('connect', events.connect)
  server.on('clientError', events.unparsable)
}

/** Counts connections by client; tells whether one more may stay. */
function createConnectionCap({ maxConnectionsPerClient }: ListenerSettings): (socket: Socket, ip: string | undefined) => boolean {
  const counts = new Map<string, number>()
  return (socket, ip) => {
    const canonical = canonicalIp(ip ?? '')
    if (maxConnectionsPerClient === undefined || canonical === undefined) return true
    const partition = partitionOfIp(canonical)
    const count = (counts.get(partition) ?? 0) + 1
    if (count > maxConnectionsPerClient) return false
    counts.set(partition, count)
    socket.once('close', () => {
      const left = (counts.get(partition) ?? 1) - 1
      if (left > 0) counts.set(partition, left)
      else counts.delete(partition)
    })
    return true
  }
}

type Taking = (socket: Socket) => void

/** Takes the server's own listeners for an event away; gives the way to call them. */
function withdraw(server: Server, event: 'connection' | 'secureConnection'): Taking {
  const listeners = server.listeners(event)
  server.removeAllListeners(event)
  return (socket) => {
    for (const listener of listeners) listener.call(server, socket)
  }
}

/** Stands before the server's own listener for connections: who may be here, and who is it? */
function guardConnections(server: Server, { settings, observer, peers, trustedProxies }: ListenerContext): void {
  const take = withdraw(server, 'connection')
  const mayStay = createConnectionCap(settings)
  const accept = (socket: Socket): void => {
    if (!mayStay(socket, peers.of(socket))) {
      socket.destroy()
      return
    }
    take(socket)
  }
  server.on('connection', (socket: Socket) => {
    if (!settings.proxyProtocol) return accept(socket)
    takeProxyHeader(socket, {
      trusted: trustedProxies(),
      timeoutMs: settings.headersTimeoutMs,
      onNamed: (named, ip) => {
        peers.name(named, ip)
        accept(named)
      },
      onRefused: (reason) => observer.noticed('warn', 'proxy_protocol_refused', 'a connection was closed', { reason }),
    })
  })
}

function listenOn(server: Server, { address }: ListenerSettings): Promise<ListenAddress> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen('path' in address ? { path: address.path } : { host: address.host, port: address.port }, () => {
      server.off('error', reject)
      const bound = server.address()
      resolve(bound !== null && typeof bound === 'object' ? { host: bound.address, port: bound.port } : { path: String(bound) })
    })
  })
}

/**
 * Builds the server side: `node:http` or `node:https` with every timer and limit set, and everything that can arrive handed on.
 *
 * @throws when a PEM file cannot be read or used
 */
export function createListener(context: ListenerContext, events: ListenerEvents): Listener {
  const { settings, observer } = context
  const { tls } = settings
  const server = createHttpServer(context)
  // Above our own limit, so that it is ours that answers 431; finite, because Node drops what is over it (T11).
  server.maxHeadersCount = settings.maxHeaders * 2 + 64
  server.maxConnections = settings.maxConnections
  const secure = tls !== undefined
  const byNode = withdraw(server, secure ? 'secureConnection' : 'connection')
  const plain = createPlainReaders({ settings, peers: context.peers }, {
    request: events.request,
    unparsable: events.unparsable,
    spoke: (socket) => newcomers.spoke(socket),
    handedOver: byNode,
  })
  server.on(secure ? 'secureConnection' : 'connection', plain.take)
  guardConnections(server, context)
  if (tls) refuseBadCertificates(server, tls)
  attach(server, events, context)
  const newcomers = watchNewcomers(server, secure)
  let unfollow = (): void => undefined
  const closeIdle = (): void => {
    plain.closeIdle()
    server.closeIdleConnections()
  }
  return {
    listen: async () => {
      const address = await listenOn(server, settings)
      server.on('error', (error) => observer.faulted(error))
      if (tls && 'setSecureContext' in server) unfollow = followCertificate(server as ReturnType<typeof createSecure>, tls, observer)
      return address
    },
    stop: async (hearingMs) => {
      unfollow()
      await newcomers.taken()
      // Of node:net first, which closes the listening socket and nothing else: for node:http a connection without a request is an idle one.
      NetServer.prototype.close.call(server)
      await newcomers.heard(hearingMs)
      server.close()
      closeIdle()
    },
    closeIdle,
    closeAll: () => {
      plain.closeAll()
      server.closeAllConnections()
    },
  }
}
