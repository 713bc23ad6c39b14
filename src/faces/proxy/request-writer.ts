import type { Socket } from 'node:net'
import type { Readable } from 'node:stream'
import type { UpstreamRequest } from './engine.ts'

/**
 * What may be written where, whoever put it there. The list is of what is allowed, because the head is written as Latin-1: U+010A
 * would become a line feed. What reaches this place has been refused or encoded before.
 */
const NAME = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/
const FOREIGN = /[^\t\x20-\x7e\x80-\xff]/
const TARGET = /^[\x21-\x7e]+$/

/** Names that were found to be tokens before: every request brings the same ones. Bounded, since a client may send others. */
const tokens = new Set<string>()
const MOST_TOKENS = 256

function isName(name: string): boolean {
  if (tokens.has(name)) return true
  if (!NAME.test(name)) return false
  if (tokens.size < MOST_TOKENS && name.length <= 64) tokens.add(name)
  return true
}

/**
 * The head of a request, byte for byte.
 *
 * @throws when a part would break out of its place; a bug, since everything was checked before
 */
export function requestHead({ method, path, headers }: UpstreamRequest, framing: '' | 'chunked', close: boolean): string {
  let writable = isName(method) && TARGET.test(path)
  let head = `${method} ${path} HTTP/1.1\r\n`
  // All values are looked through as one text.
  let values = ''
  for (let index = 0; index + 1 < headers.length; index += 2) {
    const [name, value] = [headers[index] ?? '', headers[index + 1] ?? '']
    writable &&= isName(name)
    head += `${name}: ${value}\r\n`
    values += value
  }
  if (!writable || FOREIGN.test(values)) throw new TypeError('a part of a request head breaks out of its place')
  if (framing === 'chunked') head += 'Transfer-Encoding: chunked\r\n'
  return head + (close ? 'Connection: close\r\n\r\n' : 'Connection: keep-alive\r\n\r\n')
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
