import { STATUS_CODES } from 'node:http'
import type { Reply } from '../model/decision.ts'
import type { AnswerLines } from './answer-lines.ts'
import { fieldLine, fieldLines } from './field-lines.ts'
import { isNamed } from './headers.ts'

/** How an answer stands on its connection. */
export interface Standing {
  /** What comes behind it: another answer, as the client may wait so long for (seconds), or nothing. */
  readonly keepAlive: number | undefined
  /** The request was a HEAD: the fields of the answer without its body. */
  readonly head: boolean
  /** A date is added where there is none. */
  readonly date: boolean
}

/** Where the body ends, besides with the connection. */
export type AnswerFraming = 'none' | 'length' | 'chunked'

/** RFC 9110 section 6.4.1: whatever the fields say. */
export const isBodiless = (status: number): boolean => status < 200 || status === 204 || status === 304

/** The date of this second, as text. */
const today = { second: 0, text: '' }

function dateText(): string {
  const second = Math.floor(Date.now() / 1_000)
  if (second !== today.second) {
    today.second = second
    today.text = new Date(second * 1_000).toUTCString()
  }
  return today.text
}

/** A reason phrase that is none is replaced by the usual one: it has no meaning (RFC 9112 section 4). */
export function reasonPhrase(status: number, message: string | undefined): string {
  const usual = STATUS_CODES[status] ?? ''
  return message !== undefined && message !== usual && /^[\t\x20-\x7e]+$/.test(message) ? message : usual
}

/** The first line of a head. */
const statusLine = (status: number, message: string | undefined): string => (message === undefined || message === STATUS_CODES[status] ? usualLine(status) : `HTTP/1.1 ${status} ${reasonPhrase(status, message)}\r\n`)

const usualLine = remembered((status) => `HTTP/1.1 ${status} ${reasonPhrase(status, undefined)}\r\n`)
const keptOpen = remembered((keepAlive) => `Connection: keep-alive\r\nKeep-Alive: timeout=${keepAlive}\r\n`)

/** The few texts that are made of numbers, made once. */
function remembered(make: (value: number) => string): (value: number) => string {
  const known: (string | undefined)[] = []
  return (value) => (value < MOST_REMEMBERED ? (known[value] ??= make(value)) : make(value))
}

/** Statuses are below it, and so are most seconds. */
const MOST_REMEMBERED = 1_000

/** The end of a head: the date, what is said about the connection, and the empty line. */
function closing(dated: boolean, { keepAlive, date }: Standing, framing: string): string {
  const open = keepAlive === undefined ? 'Connection: close\r\n' : keptOpen(keepAlive)
  return `${date && !dated ? `Date: ${dateText()}\r\n` : ''}${open}${framing}\r\n`
}

/**
 * The head of an answer up to its empty line, and how its body is framed: by the length that its fields announce, or in chunks.
 *
 * @throws {TypeError} when a field would break out of its line
 */
export function answerHead({ status, message, lines }: { readonly status: number; readonly message: string | undefined; readonly lines: AnswerLines }, standing: Standing): { readonly text: string; readonly framing: AnswerFraming } {
  const framing = isBodiless(status) || standing.head ? 'none' : lines.sized ? 'length' : 'chunked'
  return { text: `${statusLine(status, message)}${lines.text()}${closing(lines.dated, standing, framing === 'chunked' ? 'Transfer-Encoding: chunked\r\n' : '')}`, framing }
}

/**
 * A complete answer: its head, and its body as it is to be written. RFC 9110 section 8.6: no length on 204, and none is needed on 304.
 *
 * @returns `ascii`: every character of the body is one byte, whatever it is encoded in
 * @throws {TypeError} when a field would break out of its line
 */
export function answerText({ status, headers, body }: Reply, standing: Standing): { readonly head: string; readonly body: string; readonly ascii: boolean } {
  const bytes = body === '' ? 0 : Buffer.byteLength(body)
  let [lines, sized, dated] = ['', isBodiless(status), false]
  for (const [name, value] of headers) {
    sized ||= isNamed(name, 'content-length')
    dated ||= isNamed(name, 'date')
    lines += fieldLine(name, value)
  }
  if (!sized) lines += fieldLine('Content-Length', String(bytes))
  return { head: `${statusLine(status, undefined)}${lines}${closing(dated, standing, '')}`, body: isBodiless(status) || standing.head ? '' : body, ascii: bytes === body.length }
}

/** An interim answer (1xx). RFC 9110 section 8.6: it has no length. @throws {TypeError} when a field would break out of its line */
export function interimText(status: number, flat: readonly string[]): string {
  const fields = flat.filter((_, index) => !isNamed(flat[index - (index % 2)] ?? '', 'content-length'))
  return `HTTP/1.1 ${status} ${reasonPhrase(status, undefined)}\r\n${fieldLines(fields)}\r\n`
}
