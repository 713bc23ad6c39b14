import type { Http2SecureServer, Http2Server, Http2Session } from 'node:http2'
import type { SecureContextOptions, TLSSocket } from 'node:tls'
import type { DurationMs } from '../../base/time.ts'

/** TLS of a listener, by somebody who knows its files and follows their rotation. */
export interface SecureListening {
  readonly clientCertificate: 'off' | 'optional' | 'required'
  /** @throws when a file cannot be read or used */
  readonly read: () => SecureContextOptions
  /** Puts new files in place for new handshakes; gives the way to stop. */
  readonly follow: (server: Pick<Http2SecureServer, 'setSecureContext'>) => () => void
}

/** Until a handshake is done. */
const HANDSHAKE_TIMEOUT_MS: DurationMs = 10_000

/**
 * An HTTP/2 server with its limits: with TLS where there are files for it, with prior knowledge otherwise.
 *
 * @throws when a file of TLS cannot be read or used
 */
export function createHttp2(tls: SecureListening | undefined): Http2Server | Http2SecureServer {
  // Not imported: only who answers gRPC loads HTTP/2.
  const { createSecureServer, createServer } = process.getBuiltinModule('node:http2')
  const options = { settings: { maxConcurrentStreams: 1_000, maxHeaderListSize: 16_384, enablePush: false }, maxSessionMemory: 32 }
  if (!tls) return createServer(options)
  const server = createSecureServer({ ...options, ...tls.read(), allowHTTP1: false, handshakeTimeout: HANDSHAKE_TIMEOUT_MS, requestCert: tls.clientCertificate !== 'off', rejectUnauthorized: tls.clientCertificate === 'required' })
  // One that may be missing and is shown must be good.
  if (tls.clientCertificate === 'optional') server.on('session', refuseBadCertificate)
  return server
}

function refuseBadCertificate(session: Http2Session): void {
  // A session of a secure server is on such a socket.
  const socket = session.socket as TLSSocket
  if (!socket.authorized && Object.keys(socket.getPeerCertificate()).length > 0) session.destroy()
}
