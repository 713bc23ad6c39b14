import { withoutBlanks } from '../base/blanks.ts'
import type { IncomingLines } from './incoming.ts'

/** The head of an ordinary request. */
export interface RequestHead extends IncomingLines {
  readonly method: string
  readonly url: string
  readonly httpVersion: '1.1'
  readonly rawHeaders: string[]
  /** Bytes of body that are announced; 0 without a body. */
  readonly length: number
  /** The client has not asked for the end of the connection. */
  readonly keepAlive: boolean
}

const METHODS: ReadonlySet<string> = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'])
const TARGET = /^\/[\x21-\x7e]*$/
const NAME = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/
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
  if (!NAME.test(name)) return undefined
  const lower = name.toLowerCase()
  const found = Object.hasOwn(PARTS, lower) ? (PARTS[lower] ?? 'none') : 'none'
  if (known.size < MOST_KNOWN && name.length <= 64) known.set(name, found)
  return found
}

interface Reading { readonly rawHeaders: string[]; length: number | undefined; keepAlive: boolean }

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

/**
 * Reads the head of an ordinary request: HTTP/1.1, a common method, a path, no body or one with a length. Whatever else a head may
 * be, rare or wrong, is not judged here: it is for the parser of Node, which has seen more of the world. So this reader takes only what
 * every reader understands in one way, and of that gives what Node's would give.
 *
 * @param text  from the request line to before the empty line, Latin-1
 * @returns undefined for a head that is not ordinary
 */
export function readRequestHead(text: string): RequestHead | undefined {
  let end = text.indexOf('\r\n')
  const space = text.indexOf(' ')
  const version = (end === -1 ? text.length : end) - VERSION.length
  const method = text.slice(0, space)
  if (version <= space || !METHODS.has(method) || !text.startsWith(VERSION, version)) return undefined
  const url = text.slice(space + 1, version)
  if (!TARGET.test(url) || FOREIGN.test(text)) return undefined
  const reading: Reading = { rawHeaders: [], length: undefined, keepAlive: true }
  while (end !== -1) {
    const start = end + 2
    end = text.indexOf('\r\n', start)
    if (!takeLine(reading, end === -1 ? text.slice(start) : text.slice(start, end))) return undefined
  }
  return { method, url, httpVersion: '1.1', rawHeaders: reading.rawHeaders, length: reading.length ?? 0, keepAlive: reading.keepAlive }
}
