import { isIP, type Socket } from 'node:net'
import { buildConnector, Client, type Dispatcher } from 'undici'
import type { UpstreamSettings } from '../../model/gateway.ts'
import { type AnswerEvents, type UpstreamConnection, UpstreamProtocolError } from './engine.ts'
import { afterOneTurn } from './loop.ts'
import { certificateName } from './open-socket.ts'

/** Opens sockets, and refuses one on which the upstream speaks before it is asked. */
function createConnect(settings: UpstreamSettings, onOpen: (socket: Socket) => void): buildConnector.connector {
  const name = certificateName(settings)
  const open = buildConnector({
    allowH2: false,
    timeout: settings.connectTimeoutMs,
    // A resumed session skips the check of the name: every handshake verifies anew.
    maxCachedSessions: 0,
    ...(settings.socketPath === undefined ? {} : { socketPath: settings.socketPath }),
    ...(settings.ca === undefined ? {} : { ca: settings.ca }),
  })
  return (options, callback) => {
    // An address has no SNI (RFC 6066 section 3); then the address itself is what the certificate must name.
    const { servername: _chosenByRequest, ...rest } = options
    open(isIP(name) === 0 ? { ...rest, servername: name } : rest, (...[error, socket]) => {
      if (error) return callback(error, null)
      afterOneTurn({ run: () => {
        const spoke = socket.readableLength > 0
        if (!spoke && !socket.destroyed) {
          onOpen(socket)
          return callback(null, socket)
        }
        socket.destroy()
        callback(spoke ? new UpstreamProtocolError('spoke before it was asked') : (socket.errored ?? new UpstreamProtocolError('closed at once')), null)
      } })
    })
  }
}

/** Largest header block of an answer, bytes. */
const MAX_ANSWER_HEADERS = 64 * 1_024

function createClient(settings: UpstreamSettings, connect: buildConnector.connector): Client {
  return new Client(settings.origin, {
    connect,
    allowH2: false,
    pipelining: 1,
    strictContentLength: true,
    headersTimeout: settings.firstByteTimeoutMs,
    bodyTimeout: settings.idleTimeoutMs,
    maxHeaderSize: MAX_ANSWER_HEADERS,
  })
}

const rawOf = ({ rawHeaders }: Dispatcher.DispatchController): readonly (string | Buffer)[] => (Array.isArray(rawHeaders) ? rawHeaders : [])

/** @param failed  whether the socket ended with an error */
function handlerOf(events: AnswerEvents, failed: () => boolean): Dispatcher.DispatchHandler {
  return {
    onRequestStart: (controller) => events.started({ abort: (reason) => controller.abort(reason), pause: () => controller.pause(), resume: () => controller.resume() }),
    onResponseStarted: () => events.answered(),
    onResponseStart: (controller, status, _headers, message) => events.head({ status, message, raw: rawOf(controller), passing: undefined }),
    onResponseData: (_controller, chunk) => events.data(chunk),
    // A reset ends an answer without a length like a clean close does, for the library (T12); not for the client.
    onResponseEnd: () => (failed() ? events.failed(new UpstreamProtocolError('reset within an answer')) : events.ended()),
    onResponseError: (_controller, error) => events.failed(error),
  }
}

/**
 * Builds a connection on undici with the guard of T12: a connection that was used before gets its next request only after one whole turn of the
 * event loop in which nothing arrived on it. Bytes that arrive on an idle connection destroy it (undici does, once they
 * are read; the turn makes sure that they are read first). An answer that arrives later than that cannot be told from the
 * right one; `keep_alive: false` is for upstreams one cannot trust so far.
 */
export function createUndiciConnection(settings: UpstreamSettings): UpstreamConnection {
  let socket: Socket | undefined
  let carried = 0
  const client = createClient(settings, createConnect(settings, (opened) => {
    socket = opened
    carried = 0
  }))
  // Otherwise an error of an idle connection is an unhandled one.
  client.on('connectionError', () => undefined)
  // undici opens a new connection when this name changes, so it is the same one for every request, whatever its Host.
  const servername = settings.origin.startsWith('https:') ? { servername: certificateName(settings) } : {}
  return {
    dispatch: ({ headers, method, path, body, reset }, events) => {
      // Told nothing, the library knows itself when not to use a connection again.
      const send = (): unknown => client.dispatch({ path, ...(body !== undefined && { body }), ...(reset && { reset }), method: method as Dispatcher.HttpMethod, headers: [...headers.list()], ...servername }, handlerOf(events, () => Boolean(socket?.errored)))
      // One immediate here; the other one is undici's own, which alone is not enough: from the poll phase it comes too early.
      if (carried > 0 && socket?.destroyed === false) setImmediate(send)
      else send()
    },
    carry: () => carried++,
    destroy: () => client.destroy(),
  }
}
