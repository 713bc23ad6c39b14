import type { Socket } from 'node:net'
import type { Readable } from 'node:stream'
import { hasField } from '../../wire/answer-lines.ts'
import { isWritableName } from '../../wire/field-lines.ts'
import type { UpstreamRequest } from './engine.ts'

const TARGET = /^[\x21-\x7e]+$/

/**
 * The head of a request, byte for byte.
 *
 * @throws {TypeError} when a part would break out of its place; a bug, since everything was checked before
 */
export function requestHead({ method, path, headers }: UpstreamRequest, framing: '' | 'chunked', close: boolean): string {
  if (!isWritableName(method) || !TARGET.test(path)) throw new TypeError('the first line of a request breaks out of its place')
  const chunked = framing === 'chunked' ? 'Transfer-Encoding: chunked\r\n' : ''
  return `${method} ${path} HTTP/1.1\r\n${headers.text()}${chunked}${close ? 'Connection: close\r\n\r\n' : 'Connection: keep-alive\r\n\r\n'}`
}

const isSized = ({ headers }: UpstreamRequest): boolean => hasField(headers.list(), 'content-length')

/** Who is told how a body goes. */
export interface BodyProgress {
  /** Some of it has been written. */
  readonly moved: () => void
  /** All of it has been written. */
  readonly done: () => void
}

/** Copies a body to the socket with backpressure. Gives the way to stop, after which nothing more is written. */
function sendBody(socket: Socket, body: Readable, chunked: boolean, progress: BodyProgress): () => void {
  const onData = (chunk: Buffer): void => {
    if (chunk.length === 0) return
    progress.moved()
    let goes: boolean
    if (chunked) {
      socket.cork()
      socket.write(`${chunk.length.toString(16)}\r\n`, 'latin1')
      socket.write(chunk)
      goes = socket.write('\r\n', 'latin1')
      socket.uncork()
    } else goes = socket.write(chunk)
    if (!goes) body.pause()
  }
  const onDrain = (): void => void body.resume()
  const stop = (): void => {
    body.off('data', onData).off('end', onEnd)
    socket.off('drain', onDrain)
    body.destroy()
  }
  function onEnd(): void {
    socket.off('drain', onDrain)
    if (chunked) socket.write('0\r\n\r\n', 'latin1')
    progress.done()
  }
  socket.on('drain', onDrain)
  body.on('data', onData).once('end', onEnd)
  return stop
}

/**
 * Writes a request.
 *
 * @returns the way to stop its body, while that comes; undefined when all of it has been written
 * @throws {TypeError} when a part of its head would break out of its place
 */
export function writeRequest(socket: Socket, request: UpstreamRequest, progress: BodyProgress): (() => void) | undefined {
  const { body, reset } = request
  const stream = Buffer.isBuffer(body) ? undefined : body
  const chunked = stream !== undefined && !isSized(request)
  const head = requestHead(request, chunked ? 'chunked' : '', reset)
  if (!Buffer.isBuffer(body) || body.length === 0) socket.write(head, 'latin1')
  else {
    socket.cork()
    socket.write(head, 'latin1')
    socket.write(body)
    socket.uncork()
  }
  return stream && sendBody(socket, stream, chunked, progress)
}
