import { STATUS_CODES } from 'node:http'
import { type AnswerStart, UpstreamProtocolError } from './engine.ts'

/** A head as it was read. `length`: bytes of body that were announced; undefined with `chunked` or up to the close. */
export interface ParsedHead extends AnswerStart {
  /** Names as spelled, values without surrounding blanks. */
  readonly raw: readonly string[]
  /** It sets a cookie. */
  readonly cookie: boolean
  readonly chunked: boolean
  readonly length: number | undefined
  /** Whether the upstream lets the connection be used again. */
  readonly keepAlive: boolean
}

const STATUS_LINE = /^HTTP\/1\.([01]) ([1-9]\d\d)(?: ([\t\x20-\x7e\x80-\xff]*))?$/
const NAME = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/
/** Control characters, and a CR or an LF that is not one end of a CRLF. */
const FOREIGN = /[^\t\r\n\x20-\x7e\x80-\xff]|\r(?!\n)|(?<!\r)\n/
const LENGTH = /^\d{1,15}$/
const SPACE = 0x20, TAB = 0x09, DELETE = 0x7f, FIRST_C1 = 0x80, LAST = 0xff

interface StatusLine { readonly status: number; readonly message: string | undefined; readonly old: boolean }

/** The lines that nearly every answer begins with: a status and the usual phrase for it. */
const USUAL: ReadonlyMap<string, StatusLine> = new Map(Object.entries(STATUS_CODES).map(([status, message]) => [`HTTP/1.1 ${status} ${message}`, { status: Number(status), message, old: false }]))

/** @throws {UpstreamProtocolError} */
function statusOf(line: string): StatusLine {
  const usual = USUAL.get(line)
  if (usual) return usual
  const parts = STATUS_LINE.exec(line)
  if (!parts) throw new UpstreamProtocolError('a status line')
  return { status: Number(parts[2]), message: parts[3], old: parts[1] === '0' }
}

/** A name as it was spelled before, so that it is one and the same text for whoever looks it up, and in lower case. */
interface Name { readonly spelled: string; readonly lower: string }

/** For the few that every upstream repeats; bounded, since names come from outside. */
const known = new Map<string, Name>()
const MOST_KNOWN = 256

/** @throws {UpstreamProtocolError} for anything that is not a token: a blank before the colon, a folded line, a control character */
function nameOf(spelled: string): Name {
  const name = known.get(spelled)
  if (name !== undefined) return name
  if (!NAME.test(spelled)) throw new UpstreamProtocolError('a field name that is not a token')
  const made = { spelled, lower: spelled.toLowerCase() }
  if (known.size < MOST_KNOWN && spelled.length <= 64) known.set(spelled, made)
  return made
}

const isBlank = (code: number): boolean => code === SPACE || code === TAB

/** A value without the blanks around it. @throws {UpstreamProtocolError} for a control character */
function valueIn(text: string, start: number, end: number): string {
  let [from, to] = [start, end]
  while (from < to && isBlank(text.charCodeAt(from))) from += 1
  while (to > from && isBlank(text.charCodeAt(to - 1))) to -= 1
  for (let index = from; index < to; index += 1) {
    const code = text.charCodeAt(index)
    if ((code < SPACE && code !== TAB) || (code >= DELETE && (code < FIRST_C1 || code > LAST))) throw new UpstreamProtocolError('a control character in a field')
  }
  return text.slice(from, to)
}

interface Framing { length: number | undefined; codings: number; close: boolean; keep: boolean; cookie: boolean }

function frame(framing: Framing, lower: string, value: string): void {
  if (lower === 'content-length') {
    // One length, in digits: a list, even of equal ones, is two readings waiting to happen (RFC 9112 section 6.3).
    if (framing.length !== undefined || !LENGTH.test(value)) throw new UpstreamProtocolError('a content length in doubt')
    framing.length = Number(value)
  } else if (lower === 'transfer-encoding') {
    framing.codings += 1
    if (framing.codings > 1 || value.toLowerCase() !== 'chunked') throw new UpstreamProtocolError('a transfer coding other than chunked')
  } else if (lower === 'set-cookie') framing.cookie = true
  else if (lower === 'connection') {
    if (value === 'keep-alive') framing.keep = true
    else for (const token of value.toLowerCase().split(',')) {
      framing.close ||= token.trim() === 'close'
      framing.keep ||= token.trim() === 'keep-alive'
    }
  }
}

/**
 * Lines as they were read last, each in its place: an upstream says most of them again in the next answer, and what is the same letter by letter is read
 * already. Empty at first; belongs to one connection.
 */
export type KeptLines = { readonly text: string; readonly name: Name; readonly value: string }[]

const MOST_KEPT = 32
const LONGEST_KEPT = 128

function keep(kept: KeptLines, at: number, line: KeptLines[number]): void {
  if (at <= kept.length && at < MOST_KEPT && line.text.length <= LONGEST_KEPT && line.name.lower !== 'set-cookie') kept[at] = line
}

/** Reads one line. */
function readLine(text: string, start: number, stop: number): KeptLines[number] {
  const colon = text.indexOf(':', start)
  if (colon <= start || colon >= stop) throw new UpstreamProtocolError('a line that is no field')
  const name = nameOf(text.slice(start, colon))
  const value = valueIn(text, colon + 1, stop)
  const line = text.slice(start, stop)
  // A tab is a blank, but not to llhttp: `chunked` and a tab is no coding that it knows, and the body goes on to the end.
  if ((name.lower === 'transfer-encoding' || name.lower === 'content-length') && line.includes('\t')) throw new UpstreamProtocolError('a tab beside a framing')
  return { text: line, name, value }
}

/** The end of the line that begins here, if it is the kept one. */
function endOfSame(text: string, start: number, kept: KeptLines[number] | undefined): number {
  if (!kept || !text.startsWith(kept.text, start)) return -1
  const end = start + kept.text.length
  return end === text.length || text.startsWith('\r\n', end) ? end : -1
}

/** Reads the lines behind the first, whose end this is. */
function readLines(text: string, firstEnd: number, raw: string[], framing: Framing, kept: KeptLines): void {
  let end = firstEnd
  for (let at = 0; end !== -1 && end < text.length; at += 1) {
    const start = end + 2
    let line = kept[at]
    const same = endOfSame(text, start, line)
    if (line && same !== -1) end = same
    else {
      end = text.indexOf('\r\n', start)
      line = readLine(text, start, end === -1 ? text.length : end)
      keep(kept, at, line)
    }
    frame(framing, line.name.lower, line.value)
    raw.push(line.name.spelled, line.value)
  }
}

/**
 * Reads the head of an answer, strictly: CRLF alone ends a line, no folding, no blank before a colon, no control characters, one
 * framing.
 *
 * @param text  from the status line to before the empty line, Latin-1
 * @param kept  of the same connection; is brought up to date
 * @throws {UpstreamProtocolError}
 */
export function parseHead(text: string, kept: KeptLines = []): ParsedHead {
  const end = text.indexOf('\r\n')
  const { status, message, old } = statusOf(end === -1 ? text : text.slice(0, end))
  const raw: string[] = []
  const framing: Framing = { length: undefined, codings: 0, close: false, keep: false, cookie: false }
  try {
    readLines(text, end, raw, framing, kept)
  } catch (error) {
    // What it is about is said first, wherever it stands.
    throw FOREIGN.test(text) ? new UpstreamProtocolError('a control character in a field') : error
  }
  const chunked = framing.codings > 0
  if (chunked && (old || framing.length !== undefined)) throw new UpstreamProtocolError('two framings')
  return { status, message, raw, passing: undefined, cookie: framing.cookie, chunked, length: framing.length, keepAlive: !framing.close && (!old || framing.keep) }
}
