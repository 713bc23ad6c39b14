import type { ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import type { Reply } from '../model/decision.ts'
import { answerText, reasonPhrase } from './answer-text.ts'

/** The only file that lets Node write heads of answers; all others are texts of `answer-text.ts`. Whoever is gone already is not written to, and that is not an error. */

type Fields = readonly (readonly [name: string, value: string])[]

/** How long a refused socket may take to read its answer and hang up. */
const LINGER_MS = 2_000

export interface WriteOptions {
  /** Ends the connection after the answer: what is left of the request was not read. */
  readonly close?: boolean | undefined
  /** The request was a HEAD: the fields of the answer without its body. */
  readonly head?: boolean | undefined
}

const has = (fields: Fields, wanted: string): boolean => fields.some(([name]) => name.toLowerCase() === wanted)

/** RFC 9110 section 8.6: no Content-Length on 204, and none is needed on 304. */
const bodiless = (status: number): boolean => status === 204 || status === 304

function framed({ status, headers, body }: Reply, close: boolean): Fields {
  const length: Fields = bodiless(status) || has(headers, 'content-length') ? [] : [['Content-Length', String(Buffer.byteLength(body))]]
  const connection: Fields = close && !has(headers, 'connection') ? [['Connection', 'close']] : []
  return [...headers, ...length, ...connection]
}

/** Whether a head can still be written to this response. */
const writable = (response: ServerResponse): boolean => !response.headersSent && !response.writableEnded && !response.destroyed

/** Sends a complete answer. A response that has begun already cannot be turned into another one: it is cut off instead. */
export function writeReply(response: ServerResponse, reply: Reply, options: WriteOptions = {}): void {
  if (!writable(response)) {
    if (!response.writableEnded) response.destroy()
    return
  }
  response.writeHead(reply.status, framed(reply, options.close === true).flat())
  response.end(options.head === true || bodiless(reply.status) ? undefined : reply.body)
}

/**
 * Sends a complete answer over a socket that has no response object (a refused upgrade, a request that could not be parsed)
 * and ends it. What the client still sends is thrown away for a moment, since closing at once would reset the
 * connection under the answer.
 */
export function writeReplyToSocket(socket: Duplex, reply: Reply): void {
  // Node takes its own listener away before an upgrade; without one, a reset would end the process.
  socket.on('error', () => socket.destroy())
  if (socket.destroyed || !socket.writable) {
    socket.destroy()
    return
  }
  const linger = setTimeout(() => socket.destroy(), LINGER_MS)
  linger.unref()
  socket.once('close', () => clearTimeout(linger))
  const { head, body } = answerText(reply, { keepAlive: undefined, head: false, date: true })
  socket.cork()
  socket.write(head, 'latin1')
  socket.end(body, 'utf8')
  socket.resume()
}

/**
 * Writes the head of a relayed answer, fields as they came: a flat list of names and values. The body follows from the caller.
 *
 * @returns false when nothing was written because the client is gone or an answer has begun
 */
export function writeAnswerHead(response: ServerResponse, status: number, statusMessage: string | undefined, flatHeaders: string[]): boolean {
  if (!writable(response)) return false
  response.writeHead(status, reasonPhrase(status, statusMessage), flatHeaders)
  return true
}

/**
 * Passes an interim answer on (103; RFC 8297). A client of HTTP/1.0 must not be sent one (RFC 9110 section 15.2). Node 24 cannot send
 * arbitrary fields in one, so there it is dropped, as any proxy may do.
 */
export function writeInformational(response: ServerResponse, status: number, flatHeaders: readonly string[]): void {
  const { httpVersionMajor, httpVersionMinor } = response.req
  if (!writable(response) || httpVersionMajor < 1 || (httpVersionMajor === 1 && httpVersionMinor < 1)) return
  // RFC 9110 section 8.6: no Content-Length on 1xx.
  const fields = flatHeaders.filter((_, index) => flatHeaders[index - (index % 2)]?.toLowerCase() !== 'content-length')
  if (typeof response.writeInformation === 'function') response.writeInformation(status, fields)
}
