import { connect as connectPlain, isIP, type Socket } from 'node:net'
import { checkServerIdentity, connect as connectSecure } from 'node:tls'
import type { UpstreamSettings } from '../../model/gateway.ts'
import { UpstreamProtocolError, UpstreamTimeoutError } from './engine.ts'
import { afterOneTurn } from './loop.ts'

/** What the certificate must be for. The Host of a request never has a say: clients choose it (F6, T12). */
export const certificateName = (settings: UpstreamSettings): string => settings.serverName ?? new URL(settings.origin).hostname.replace(/^\[|\]$/g, '')

/** What is read lands here, for all sockets, and is copied before anything else is read. Node would take 64 KiB for each read and give back what is too much. */
const landing = Buffer.allocUnsafeSlow(64 * 1_024)

type Place = { readonly host: string; readonly port: number } | { readonly path: string }

/** A socket without TLS; it emits `data` as others do. */
function openPlain(place: Place): Socket {
  const socket = connectPlain({
    ...place,
    noDelay: true,
    onread: {
      buffer: landing,
      callback: (bytes) => {
        socket.emit('data', Buffer.from(landing.subarray(0, bytes)))
        return true
      },
    },
  })
  return socket
}

function start(settings: UpstreamSettings): { readonly socket: Socket; readonly ready: 'connect' | 'secureConnect' } {
  const { origin, socketPath, ca } = settings
  const url = new URL(origin)
  const host = url.hostname.replace(/^\[|\]$/g, '')
  const secure = url.protocol === 'https:'
  const place = socketPath === undefined ? { host, port: Number(url.port || (secure ? 443 : 80)) } : { path: socketPath }
  if (!secure) return { socket: openPlain(place), ready: 'connect' }
  const name = certificateName(settings)
  const socket = connectSecure({
    ...place,
    ALPNProtocols: ['http/1.1'],
    // An address has no SNI (RFC 6066 section 3); then the address itself is what the certificate must name.
    ...(isIP(name) === 0 ? { servername: name } : {}),
    ...(ca === undefined ? {} : { ca }),
    checkServerIdentity: (_host, certificate) => checkServerIdentity(name, certificate),
  })
  socket.setNoDelay(true)
  return { socket, ready: 'secureConnect' }
}

/** Without a listener a late error would end the process. Made here, it holds nothing of the exchange that opened the socket. */
const unheard = (): void => undefined

/**
 * Opens a socket to an upstream and gives it after one whole turn in which it said nothing: one that speaks before it is asked is
 * hung up on. `done` is called once.
 */
export function openSocket(settings: UpstreamSettings, done: (error: unknown, socket?: Socket) => void): () => void {
  const { socket, ready } = start(settings)
  let over = false
  const finish = (error: unknown): void => {
    if (over) return
    over = true
    clearTimeout(timer)
    socket.off('error', finish).off('close', onClose).off('data', onData)
    socket.on('error', unheard)
    if (error) socket.destroy()
    done(error, error ? undefined : socket)
  }
  const onClose = (): void => finish(new UpstreamProtocolError('closed at once'))
  const onData = (): void => finish(new UpstreamProtocolError('spoke before it was asked'))
  const timer = setTimeout(() => finish(new UpstreamTimeoutError('POSTERN_CONNECT_TIMEOUT')), settings.connectTimeoutMs)
  socket.on('error', finish).on('close', onClose)
  socket.once(ready, () => {
    socket.on('data', onData)
    afterOneTurn({ run: () => {
      if (socket.destroyed) return onClose()
      // Nothing is lost while it changes hands.
      if (!over) socket.pause()
      finish(undefined)
    } })
  })
  return () => finish(new UpstreamProtocolError('given up'))
}
