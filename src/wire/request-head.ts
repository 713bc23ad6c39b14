import { withoutBlanks } from '../base/blanks.ts'
import { isToken } from './headers.ts'
import type { IncomingLines, Repeated } from './incoming.ts'

/** The field lines of a head. */
export interface RequestFields {
  /** As they came. */
  readonly text: string
  readonly rawHeaders: string[]
  /** Bytes of body that are announced; 0 without a body. */
  readonly length: number
  /** The client has not asked for the end of the connection. */
  readonly keepAlive: boolean
  readonly repeated: Repeated
}

/** The head of an ordinary request. */
export interface RequestHead extends IncomingLines {
  readonly method: string
  readonly url: string
  readonly httpVersion: '1.1'
  /** Those of `fields`. */
  readonly rawHeaders: string[]
  readonly fields: RequestFields
  readonly repeated: Repeated
}

const METHODS: ReadonlySet<string> = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'])
const TARGET = /^\/[\x21-\x7e]*$/
/** Control characters, and a CR or an LF that is not one end of a CRLF. */
const FOREIGN = /[^\t\r\n\x20-\x7e\x80-\xff]|\r(?!\n)|(?<!\r)\n/
const LENGTH = /^\d{1,15}$/
const VERSION = ' HTTP/1.1'

/** What a field has to do with the message itself. `other`: it asks for something that is not ordinary. */
type Part = 'none' | 'length' | 'connection' | 'other'

/** `Proxy-Connection` is no field of any standard, but Node's parser obeys it. */
const PARTS: Readonly<Record<string, Part>> = {
  'content-length': 'length', connection: 'connection', 'proxy-connection': 'other', 'transfer-encoding': 'other', upgrade: 'other', expect: 'other',
}

/** Names that were found to be tokens before: every request brings the same ones. Bounded, since a client may send others. */
const known = new Map<string, Part>()
const MOST_KNOWN = 256

function partOf(name: string): Part | undefined {
  const part = known.get(name)
  if (part !== undefined) return part
  if (!isToken(name)) return undefined
  const lower = name.toLowerCase()
  const found = Object.hasOwn(PARTS, lower) ? (PARTS[lower] ?? 'none') : 'none'
  if (known.size < MOST_KNOWN && name.length <= 64) known.set(name, found)
  return found
}

interface Reading { readonly text: string; readonly rawHeaders: string[]; length: number | undefined; keepAlive: boolean }

/** Whether a line is a field of an ordinary request. */
function takeLine(reading: Reading, line: string): boolean {
  const colon = line.indexOf(':')
  if (colon < 1) return false
  const name = line.slice(0, colon)
  const part = partOf(name)
  if (part === undefined || part === 'other') return false
  const value = withoutBlanks(line.slice(line.charCodeAt(colon + 1) === 0x20 ? colon + 2 : colon + 1))
  reading.rawHeaders.push(name, value)
  if (part === 'length') {
    if (reading.length !== undefined || !LENGTH.test(value) || line.includes('\t')) return false
    reading.length = Number(value)
  } else if (part === 'connection') {
    const option = value.toLowerCase()
    if (option !== 'keep-alive' && option !== 'close') return false
    if (option === 'close') reading.keepAlive = false
  }
  return true
}

function readFields(text: string, before: RequestFields | undefined): RequestFields | undefined {
  if (FOREIGN.test(text)) return undefined
  const reading: Reading = { text, rawHeaders: [], length: undefined, keepAlive: true }
  for (let start = 2; start < text.length; ) {
    const found = text.indexOf('\r\n', start)
    const end = found === -1 ? text.length : found
    if (!takeLine(reading, text.slice(start, end))) return undefined
    start = end + 2
    if (found !== -1 && start === text.length) return undefined
  }
  return { text, rawHeaders: reading.rawHeaders, length: reading.length ?? 0, keepAlive: reading.keepAlive, repeated: { facts: undefined, forwarded: undefined, kept: before?.repeated.kept ?? { wire: undefined, memory: new Map() } } }
}

/**
 * Reads the head of an ordinary request: HTTP/1.1, a common method, a path, no body or one with a length. Whatever else a head may
 * be, rare or wrong, is not judged here: it is for the parser of Node, which has seen more of the world. So this reader takes only what
 * every reader understands in one way, and of that gives what Node's would give.
 *
 * @param text  from the request line to before the empty line, Latin-1
 * @param before  fields that were read before on this connection: a client that says the same again, letter by letter, gets the same, and most do
 * @returns undefined for a head that is not ordinary
 */
export function readRequestHead(text: string, before?: RequestFields): RequestHead | undefined {
  const first = text.indexOf('\r\n')
  const end = first === -1 ? text.length : first
  const lines = text.slice(end)
  const fields = before?.text === lines ? before : readFields(lines, before)
  return fields && readRequestLine(text.slice(0, end), fields)
}

/**
 * Reads the first line of an ordinary request.
 *
 * @param line  without its CRLF, Latin-1
 * @param fields  those behind it
 */
export function readRequestLine(line: string, fields: RequestFields): RequestHead | undefined {
  const space = line.indexOf(' ')
  const version = line.length - VERSION.length
  const method = line.slice(0, space)
  if (version <= space || !METHODS.has(method) || !line.endsWith(VERSION)) return undefined
  const url = line.slice(space + 1, version)
  return TARGET.test(url) ? { method, url, httpVersion: '1.1', rawHeaders: fields.rawHeaders, fields, repeated: fields.repeated } : undefined
}
