import type { Http2SecureServer, Http2Server, Http2Session, IncomingHttpHeaders, ServerHttp2Stream } from 'node:http2'
import type { Socket } from 'node:net'
import type { DurationMs } from '../../base/time.ts'
import { UNIX_PEER } from '../../wire/client-address.ts'
import { ambiguous } from '../../wire/refusal.ts'
import { answerCheck, type ForwardAuthOptions } from './check.ts'
import { type CheckRequest, decodeCheckRequest, encodePassage, encodeReply } from './check-messages.ts'
import type { Dialect } from './dialect.ts'
import { createHttp2, type SecureListening } from './http2-server.ts'
import { SECRET_HEADER, trustIn } from './trust.ts'

export interface GrpcAuthorizationOptions extends Omit<ForwardAuthOptions, 'dedicated'> {
  readonly address: { readonly host: string; readonly port: number } | { readonly path: string }
  /** Absent: HTTP/2 with prior knowledge, for the same machine, pod or mesh. */
  readonly tls?: SecureListening
  readonly maxHeaders: number
  /** Checks at once; more are answered 503. */
  readonly maxInFlight: number
  /** Until a call has said all of what it asks. Default 10 s. */
  readonly messageTimeoutMs?: DurationMs
}

/** Envoy's ext_authz over gRPC, on a listener of its own. */
export interface GrpcAuthorization {
  /** @throws (rejects) with the system's error when the address cannot be had */
  readonly listen: () => Promise<{ readonly host: string; readonly port: number } | { readonly path: string }>
  /** Tells callers to go elsewhere, waits for what is in flight, cuts off what is left after `timeoutMs`. Never rejects. */
  readonly drain: (timeoutMs: DurationMs) => Promise<void>
  readonly inFlight: () => number
}

const METHOD = '/envoy.service.auth.v3.Authorization/Check'

/** Bytes of one message. Envoy sends 8 KiB of headers at most unless it is told otherwise, and no body unless it is asked to. */
const MAX_MESSAGE = 1_048_576

/** gRPC statuses of calls that are no checks. */
const INVALID_ARGUMENT = 3, RESOURCE_EXHAUSTED = 8, UNIMPLEMENTED = 12

const MESSAGE_TIMEOUT_MS: DurationMs = 10_000

/** Whether nobody is left to answer. A stream that is closed and not yet destroyed throws when it is written to, which would end the process. */
const isGone = (stream: ServerHttp2Stream): boolean => stream.destroyed || stream.closed || stream.aborted

/** A call without an answer: to Envoy an error, which it lets pass only with `failure_mode_allow`. */
const fail = (stream: ServerHttp2Stream, status: number, message: string): void => {
  if (stream.headersSent || isGone(stream)) return void stream.close()
  stream.respond({ ':status': 200, 'content-type': 'application/grpc', 'grpc-status': String(status), 'grpc-message': message }, { endStream: true })
}

/** One answer: a message behind a flag and its length, and the status in the trailers. */
function send(stream: ServerHttp2Stream, message: Buffer): void {
  if (isGone(stream)) return
  const prefix = Buffer.alloc(5)
  prefix.writeUInt32BE(message.length, 1)
  stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true })
  stream.once('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }))
  stream.end(Buffer.concat([prefix, message]))
}

/** The one message of a call, uncompressed; undefined when it is not that. */
function messageIn(body: Buffer): Buffer | undefined {
  return body.length >= 5 && body[0] === 0 && body.readUInt32BE(1) === body.length - 5 ? body.subarray(5) : undefined
}

const SCHEMES: ReadonlyMap<string, 'http' | 'https'> = new Map([['http', 'http'], ['https', 'https']])

/** The attributes say what is asked for; headers of the client with the same meaning are not looked at. */
const dialectOf = ({ method, path, host, scheme: said }: CheckRequest): Pick<Dialect, 'own' | 'askedOf'> => ({
  own: new Set(),
  askedOf: (_message, _headers, address) => {
    const scheme = address.scheme ?? SCHEMES.get(said)
    if (scheme === undefined) return ambiguous('scheme', 'the forwarder did not send it')
    return { method, rawTarget: path, host, scheme }
  },
})

function read(stream: ServerHttp2Stream, then: (body: Buffer) => void): void {
  const chunks: Buffer[] = []
  let size = 0
  stream.on('data', (chunk: Buffer) => {
    size += chunk.length
    // What comes after that is read and thrown away, so that the caller gets to read the answer.
    if (size <= MAX_MESSAGE + 5) chunks.push(chunk)
    else if (!stream.headersSent) fail(stream, RESOURCE_EXHAUSTED, 'the message is too large')
  })
  stream.on('end', () => {
    if (!stream.headersSent && !isGone(stream)) then(Buffer.concat(chunks))
  })
}

/** A line per value, names as they are in HTTP/2. */
const linesOf = (headers: IncomingHttpHeaders): string[] => Object.entries(headers).flatMap(([name, value]) => (name.startsWith(':') ? [] : [value ?? ''].flat().flatMap((each) => [name, each])))

/** Where a caller shows its secret: metadata of the call, or what its own config says beside the request. Neither is the client's. */
const shownIn = ({ context }: CheckRequest, headers: IncomingHttpHeaders): string[] => [...linesOf(headers), ...context.filter(([name]) => name.toLowerCase() === SECRET_HEADER).flat()]

/** The request in a message, or undefined when it is none. */
function decoded(body: Buffer): CheckRequest | undefined {
  const message = messageIn(body)
  if (!message) return undefined
  try {
    return decodeCheckRequest(message)
  } catch {
    return undefined
  }
}

interface Call { readonly stream: ServerHttp2Stream; readonly headers: IncomingHttpHeaders; readonly peer: string | undefined; readonly overloaded: boolean }

function check({ stream, headers, peer, overloaded }: Call, body: Buffer, options: GrpcAuthorizationOptions): void {
  const request = decoded(body)
  if (!request) return fail(stream, INVALID_ARGUMENT, 'not a CheckRequest')
  const { observer } = options
  const startedAt = performance.now()
  const message = { method: request.method, url: request.path, httpVersion: '1.1', rawHeaders: [...request.rawHeaders] }
  const asked = { options: { ...options, dedicated: true }, gateway: options.gateway(), message, credentials: { rawHeaders: shownIn(request, headers) }, peer, overloaded, maxHeaders: options.maxHeaders, dialect: dialectOf(request), canAnswer: true, startedAt }
  answerCheck(asked, ({ reply }) => reply?.status ?? 200, ({ passage, reply }) => {
    send(stream, passage ? encodePassage(passage) : encodeReply(reply))
    observer.answered({ face: 'forward_auth', method: request.method, status: reply?.status ?? 200, durationMs: performance.now() - startedAt })
  })
}

/** Address of the other end, or `unix`. */
const peerOf = (session: Http2Session | undefined, { address }: GrpcAuthorizationOptions): string | undefined => ('path' in address ? UNIX_PEER : session?.socket.remoteAddress)

/** Without a secret, addresses alone decide, so a stranger's connection is not even listened to. */
function refuseStrangers(socket: Socket, options: GrpcAuthorizationOptions): void {
  const gateway = options.gateway()
  if ((gateway.forwardAuth?.secretDigests.length ?? 0) > 0 || 'path' in options.address) return
  if (!trustIn({ rawHeaders: [] }, { peer: socket.remoteAddress, dedicated: true }, gateway)) socket.destroy()
}

function serve(server: Http2Server | Http2SecureServer, options: GrpcAuthorizationOptions): { readonly sessions: Set<Http2Session>; readonly count: () => number; readonly empty: () => Promise<void> } {
  const sessions = new Set<Http2Session>()
  let count = 0
  let wake = (): void => undefined
  server.on('connection', (socket: Socket) => refuseStrangers(socket, options))
  server.on('session', (session) => {
    sessions.add(session)
    session.once('close', () => sessions.delete(session))
    session.on('error', () => session.destroy())
  })
  server.on('stream', (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => {
    stream.on('error', () => undefined)
    count += 1
    options.observer.opened('request', 'forward_auth')
    // A call that is never ended would keep its room for ever, whoever began it.
    const late = setTimeout(() => stream.close(), options.messageTimeoutMs ?? MESSAGE_TIMEOUT_MS)
    stream.once('end', () => clearTimeout(late))
    stream.once('close', () => {
      clearTimeout(late)
      count -= 1
      options.observer.closed('request', 'forward_auth')
      if (count === 0) wake()
    })
    if (headers[':method'] !== 'POST' || headers[':path'] !== METHOD || !/^application\/grpc(\+proto)?$/.test(headers['content-type'] ?? '')) return fail(stream, UNIMPLEMENTED, 'only envoy.service.auth.v3.Authorization/Check is answered here')
    const call = { stream, headers, peer: peerOf(stream.session, options), overloaded: count > options.maxInFlight }
    read(stream, (body) => check(call, body, options))
  })
  return { sessions, count: () => count, empty: () => (count === 0 ? Promise.resolve() : new Promise((resolve) => (wake = resolve))) }
}

/** Builds the listener that answers Envoy's ext_authz over gRPC. */
export function createGrpcAuthorization(options: GrpcAuthorizationOptions): GrpcAuthorization {
  const { address, tls } = options
  const server = createHttp2(tls)
  const { sessions, count, empty } = serve(server, options)
  let unfollow = (): void => undefined
  return {
    listen: () =>
      new Promise((resolve, reject) => {
        server.once('error', reject)
        server.listen('path' in address ? { path: address.path } : { host: address.host, port: address.port }, () => {
          server.off('error', reject)
          if (tls && 'setSecureContext' in server) unfollow = tls.follow(server)
          const bound = server.address()
          resolve(bound !== null && typeof bound === 'object' ? { host: bound.address, port: bound.port } : { path: String(bound) })
        })
      }),
    drain: async (timeoutMs) => {
      unfollow()
      server.close()
      for (const session of sessions) session.close()
      let timer: NodeJS.Timeout | undefined
      await Promise.race([empty(), new Promise<void>((resolve) => (timer = setTimeout(resolve, timeoutMs)))])
      clearTimeout(timer)
      for (const session of sessions) session.destroy()
    },
    inFlight: count,
  }
}
