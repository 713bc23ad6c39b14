import { withoutBlanks } from '../../base/blanks.ts'
import { UpstreamProtocolError } from './engine.ts'

/** A head as it was read. `length`: bytes of body that were announced; undefined with `chunked` or up to the close. */
export interface ParsedHead {
  readonly status: number
  readonly message: string | undefined
  /** Flat, Latin-1, names as spelled, values without surrounding blanks. */
  readonly raw: readonly string[]
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

/** Lower-case names by spelling, for the few that every upstream repeats; bounded, since names come from outside. */
const known = new Map<string, string>()
const MOST_KNOWN = 256

/** @throws {UpstreamProtocolError} for anything that is not a token: a blank before the colon, a folded line, a control character */
function lowerOf(name: string): string {
  const lower = known.get(name)
  if (lower !== undefined) return lower
  if (!NAME.test(name)) throw new UpstreamProtocolError('a field name that is not a token')
  const folded = name.toLowerCase()
  if (known.size < MOST_KNOWN && name.length <= 64) known.set(name, folded)
  return folded
}

interface Framing { length: number | undefined; codings: number; close: boolean; keep: boolean }

function frame(framing: Framing, lower: string, value: string): void {
  if (lower === 'content-length') {
    // One length, in digits: a list, even of equal ones, is two readings waiting to happen (RFC 9112 section 6.3).
    if (framing.length !== undefined || !LENGTH.test(value)) throw new UpstreamProtocolError('a content length in doubt')
    framing.length = Number(value)
  } else if (lower === 'transfer-encoding') {
    framing.codings += 1
    if (framing.codings > 1 || value.toLowerCase() !== 'chunked') throw new UpstreamProtocolError('a transfer coding other than chunked')
  } else if (lower === 'connection') {
    const tokens = value.toLowerCase().split(',')
    framing.close ||= tokens.some((token) => token.trim() === 'close')
    framing.keep ||= tokens.some((token) => token.trim() === 'keep-alive')
  }
}

/**
 * Reads the head of an answer, strictly: CRLF alone ends a line, no folding, no blank before a colon, no control characters, one
 * framing.
 *
 * @param text  from the status line to before the empty line, Latin-1
 * @throws {UpstreamProtocolError}
 */
export function parseHead(text: string): ParsedHead {
  let end = text.indexOf('\r\n')
  const first = STATUS_LINE.exec(end === -1 ? text : text.slice(0, end))
  if (!first) throw new UpstreamProtocolError('a status line')
  if (FOREIGN.test(text)) throw new UpstreamProtocolError('a control character in a field')
  const raw: string[] = []
  const framing: Framing = { length: undefined, codings: 0, close: false, keep: false }
  while (end !== -1) {
    const start = end + 2
    end = text.indexOf('\r\n', start)
    const line = end === -1 ? text.slice(start) : text.slice(start, end)
    const colon = line.indexOf(':')
    if (colon < 1) throw new UpstreamProtocolError('a line that is no field')
    const name = line.slice(0, colon)
    const value = withoutBlanks(line.slice(line.charCodeAt(colon + 1) === 0x20 ? colon + 2 : colon + 1))
    const lower = lowerOf(name)
    // A tab is a blank, but not to llhttp: `chunked` and a tab is no coding that it knows, and the body goes on to the end.
    if ((lower === 'transfer-encoding' || lower === 'content-length') && line.includes('\t')) throw new UpstreamProtocolError('a tab beside a framing')
    frame(framing, lower, value)
    raw.push(name, value)
  }
  const old = first[1] === '0'
  const chunked = framing.codings > 0
  if (chunked && (old || framing.length !== undefined)) throw new UpstreamProtocolError('two framings')
  return { status: Number(first[2]), message: first[3], raw, chunked, length: framing.length, keepAlive: !framing.close && (!old || framing.keep) }
}
