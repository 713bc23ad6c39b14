import type { Socket } from 'node:net'
import type { Readable } from 'node:stream'
import type { UpstreamRequest } from './engine.ts'

/** Line breaks and NUL would end a field, whoever put them there. What reaches this place has been refused or encoded before. */
const BREAKS = /[\r\n\0]/

/**
 * The head of a request, byte for byte.
 *
 * @throws when a part would break out of its place; a bug, since everything was checked before
 */
export function requestHead({ method, path, headers }: UpstreamRequest, framing: '' | 'chunked', close: boolean): string {
  let head = `${method} ${path} HTTP/1.1\r\n`
  for (let index = 0; index + 1 < headers.length; index += 2) head += `${headers[index]}: ${headers[index + 1]}\r\n`
  if (framing === 'chunked') head += 'Transfer-Encoding: chunked\r\n'
  head += close ? 'Connection: close\r\n' : 'Connection: keep-alive\r\n'
  if (BREAKS.test(method) || BREAKS.test(path) || headers.some((part) => BREAKS.test(part))) throw new TypeError('a line break in a request head')
  return `${head}\r\n`
}

export const isSized = ({ headers }: UpstreamRequest): boolean => headers.some((name, index) => index % 2 === 0 && name.toLowerCase() === 'content-length')

export interface BodyProgress {
  readonly chunked: boolean
  /** Some of it has been written. */
  readonly moved: () => void
  /** All of it has been written. */
  readonly done: () => void
}

/** Copies a body to the socket with backpressure. Gives the way to stop, after which nothing more is written. */
export function sendBody(socket: Socket, body: Readable, { chunked, moved, done }: BodyProgress): () => void {
  const onData = (chunk: Buffer): void => {
    if (chunk.length === 0) return
    moved()
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
    done()
  }
  socket.on('drain', onDrain)
  body.on('data', onData).once('end', onEnd)
  return stop
}
