import { createHash } from 'node:crypto'
import type { ClientRequest, IncomingMessage } from 'node:http'
import { isIP, type Socket } from 'node:net'
import type { ProxyServer } from 'http-proxy-3'
import type { UpstreamSettings } from '../../model/gateway.ts'
import { responseHeaders } from '../../wire/response-headers.ts'
import { UpstreamProtocolError } from './engine.ts'

/** One handshake with an upstream that is about to begin. */
export interface HandshakeSettings {
  readonly incoming: IncomingMessage
  readonly client: Socket
  readonly upstream: UpstreamSettings
  readonly path: string
  /** Flat; every header the upstream will see. */
  readonly headers: readonly string[]
  /** Fields of ours for the client, beside those of the upstream's 101. */
  readonly added: readonly (readonly [name: string, value: string])[]
  /** The upstream has agreed; bytes flow from here on, unless this says that they must not. */
  readonly onAgreed: (upstream: Socket) => boolean
  readonly onAnswer: (answer: IncomingMessage) => void
  readonly onError: (error: unknown) => void
}

const WEBSOCKET_GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11'
const NO_BYTES = Buffer.alloc(0)

/** By lower-case name, which is how the library looks for them; a repeated field is a list. */
function headersByName(flat: readonly string[]): Record<string, string | string[]> {
  const byName = new Map<string, string | string[]>()
  for (let index = 0; index + 1 < flat.length; index += 2) {
    const name = (flat[index] ?? '').toLowerCase()
    const value = flat[index + 1] ?? ''
    const known = byName.get(name)
    byName.set(name, known === undefined ? value : [known, value].flat())
  }
  return Object.fromEntries(byName)
}

/** RFC 6455 section 4.1: without the right answer to our key, nobody has agreed to anything (T14). */
function isAgreement({ statusCode, headers }: IncomingMessage, key: string | undefined): boolean {
  const accept = createHash('sha1').update(`${key}${WEBSOCKET_GUID}`).digest('base64')
  return statusCode === 101 && key !== undefined && headers.upgrade?.toLowerCase() === 'websocket' && headers['sec-websocket-accept'] === accept
}

/** The fields of the 101 as the client gets them. The library writes them as UTF-8, so what is not ASCII stays behind. */
function agreedHeaders(answer: IncomingMessage, added: HandshakeSettings['added']): Record<string, string | string[]> {
  const flat = ['Connection', 'Upgrade', 'Upgrade', 'websocket', ...responseHeaders(answer.rawHeaders, added)]
  return headersByName(flat.filter((_, index) => /^[\t\x20-\x7e]*$/.test(flat[index | 1] ?? '')))
}

/** Where the library connects to. A plain object, because an URL would have a path to put before ours. */
function targetOf({ origin, socketPath }: UpstreamSettings): { protocol: string; host: string; hostname: string; port: number; socketPath?: string } {
  const { protocol, host, hostname, port } = new URL(origin)
  return { protocol, host, hostname, port: Number(port) || (protocol === 'https:' ? 443 : 80), ...(socketPath === undefined ? {} : { socketPath }) }
}

/** The library overwrites `ca` of `ssl` with nothing, so it goes beside it. */
function tlsOf({ origin, serverName, ca }: UpstreamSettings): { ssl: { servername?: string }; ca?: string; secure: true } {
  const name = serverName ?? new URL(origin).hostname.replace(/^\[|\]$/g, '')
  return { ssl: isIP(name) === 0 ? { servername: name } : {}, secure: true, ...(ca === undefined ? {} : { ca }) }
}

/** Puts our check before the library's own listeners, and takes what is not a 101 out of its hands. */
function takeOver(request: ClientRequest, key: string | undefined, { added, onAgreed, onAnswer, onError }: HandshakeSettings): void {
  const [join] = request.listeners('upgrade')
  request.removeAllListeners('upgrade').removeAllListeners('response').removeAllListeners('error')
  request.on('error', onError)
  request.on('response', onAnswer)
  request.on('upgrade', (answer, socket, head) => {
    if (!isAgreement(answer, key)) {
      socket.destroy()
      return onError(new UpstreamProtocolError('did not agree to the upgrade'))
    }
    answer.headers = agreedHeaders(answer, added)
    if (onAgreed(socket)) join?.call(request, answer, socket, head)
    else socket.destroy()
  })
}

export type Handshake = (settings: HandshakeSettings) => ClientRequest

/**
 * Opens tunnels through http-proxy-3, which connects, writes the 101 and pipes. It would normalise the path, believe any 101 and write
 * other answers itself; so it gets no path, and its listeners stand behind ours.
 */
export function createHandshake(proxy: Pick<ProxyServer, 'ws' | 'on'>): Handshake {
  // The library begins and sends within one call; this is for the moment in between.
  const call: { path: string; request: ClientRequest | undefined } = { path: '/', request: undefined }
  const begun = (): ClientRequest | undefined => call.request
  proxy.on('proxyReqWs', (request) => {
    call.request = request
    request.path = call.path
  })
  // Sockets have listeners of ours; without one here the library throws.
  proxy.on('error', () => undefined)

  return (settings) => {
    const { incoming, client, upstream, path, headers } = settings
    const key = incoming.headers['sec-websocket-key']
    incoming.headers = headersByName(headers)
    incoming.url = '/'
    call.path = path
    call.request = undefined
    proxy.ws(incoming, client, NO_BYTES, { target: targetOf(upstream), ...tlsOf(upstream), connectTimeout: upstream.connectTimeoutMs }, () => undefined)
    const request = begun()
    if (!request) throw new Error('the library did not begin the handshake')
    takeOver(request, key, settings)
    return request
  }
}
