import assert from 'node:assert/strict'
import { createRequire } from 'node:module'
import * as fc from 'fast-check'
import { readRequestHead } from '../../../src/wire/request-head.ts'
import { fuzzTarget } from '../fuzz-target.ts'
import { perhapsMutated } from '../inputs.ts'
import { requestStreams } from '../request-streams.ts'

/**
 * The reader of ordinary requests against llhttp, the parser inside Node, which reads all others on the same connections: whatever ours
 * takes, llhttp takes as the same request with the same end. The other way round ours may leave it (RFC 9112 section 11.2; T9, T12).
 */

interface Llhttp { initialize: (type: number, resource: object, maxHeaderSize: number) => void; execute: (bytes: Buffer) => number | Error; [callback: number]: unknown }
interface Binding { HTTPParser: { new (): Llhttp; REQUEST: number; kOnHeaders: number; kOnHeadersComplete: number; kOnBody: number; kOnMessageComplete: number }; methods: readonly string[] }

// Not a documented module, and the only way to the very parser that Node runs.
const { HTTPParser, methods } = createRequire(import.meta.url)('_http_common') as Binding

interface Read { readonly method: string; readonly url: string; readonly version: string; readonly headers: readonly string[]; readonly keepAlive: boolean; readonly upgrade: boolean; body: number; whole: boolean }

/** What llhttp reads, first of all, from a head that is followed by this many bytes. */
function llhttps(head: string, behind: number): Read | undefined {
  const parser = new HTTPParser()
  let read: Read | undefined
  let early: string[] = []
  parser.initialize(HTTPParser.REQUEST, {}, 131_072)
  parser[HTTPParser.kOnHeaders] = (headers: string[]) => {
    if (!read) early = [...early, ...headers]
  }
  parser[HTTPParser.kOnHeadersComplete] = (major: number, minor: number, headers: string[] | undefined, method: number, url: string, _status: unknown, _message: unknown, upgrade: boolean, keepAlive: boolean) => {
    read ??= { method: methods[method] ?? '', url, version: `${major}.${minor}`, headers: headers ?? early, keepAlive, upgrade, body: 0, whole: false }
    return 0
  }
  parser[HTTPParser.kOnBody] = (chunk: Buffer) => {
    if (read && !read.whole) read.body += chunk.length
  }
  parser[HTTPParser.kOnMessageComplete] = () => {
    if (read) read.whole = true
  }
  parser.execute(Buffer.from(`${head}\r\n\r\n${'x'.repeat(behind)}`, 'latin1'))
  return read
}

/** Longer bodies are not written out. */
const MOST = 2_000

function check(text: string): string {
  const end = text.indexOf('\r\n\r\n')
  const head = end === -1 ? text : text.slice(0, end)
  const ours = readRequestHead(head)
  if (!ours) return 'left to Node'
  const { method, url, rawHeaders, fields: { length, keepAlive } } = ours
  const theirs = llhttps(head, Math.min(length, MOST))
  assert.ok(theirs, 'llhttp reads no head')
  assert.deepEqual({ method: theirs.method, url: theirs.url, version: theirs.version, headers: theirs.headers, keepAlive: theirs.keepAlive, upgrade: theirs.upgrade }, { method, url, version: '1.1', headers: rawHeaders, keepAlive, upgrade: false })
  assert.deepEqual({ body: theirs.body, whole: theirs.whole }, { body: Math.min(length, MOST), whole: length <= MOST })
  return length > 0 ? 'the same, with a body' : 'the same'
}

const LINES = [
  'Host: a', 'host:a', 'Content-Length: 5', 'content-length:0', 'Content-Length: 05', 'Content-Length: 5\t', 'Content-Length: 999999999999999', 'Connection: close', 'connection: Keep-Alive', 'Connection: keep-alive, x', 'Connection:', 'Connection: close ', 'Proxy-Connection: close',
  'X:', 'X: y', 'X:  \t y \t ', 'X: \xe9\xff', 'X:y:z', 'X: "a, b"', '!#$%&\'*+-.^_`|~: 1', 'Transfer-Encoding: chunked', 'Upgrade: h2c', 'Expect: 100-continue', 'Trailer: X', 'TE: trailers', 'HTTP2-Settings: x', '__proto__: x', 'constructor: x', 'Keep-Alive: 5', 'Cookie: a=b; c=d',
] as const
const TARGETS = ['/', '/a?b=c', '/a#b', '/%00', '//x', '/a{b}', '/"', '*', 'http://x/', '/\xe9', '/a b', ''] as const

const orderly = fc.tuple(fc.constantFrom('GET', 'POST', 'DELETE', 'HEAD', 'OPTIONS', 'PATCH', 'PUT', 'TRACE', 'get', 'GETT', 'PURGE'), fc.oneof({ weight: 4, arbitrary: fc.constantFrom('/', '/a?b=c') }, { weight: 1, arbitrary: fc.constantFrom(...TARGETS) }), fc.oneof({ weight: 9, arbitrary: fc.constant('HTTP/1.1') }, { weight: 1, arbitrary: fc.constantFrom('HTTP/1.0', 'HTTP/1.1 ', 'HTTP/2.0', 'http/1.1') }), fc.array(fc.constantFrom(...LINES), { maxLength: 5 }))
  .map(([method, target, version, lines]) => [`${method} ${target} ${version}`, ...lines].join('\r\n'))

const texts = fc.oneof(
  { weight: 4, arbitrary: perhapsMutated(orderly, ['\r', '\n', ' ', '\t', ':', ',', '0', '5', '\0', '\x0b', '\xff', '/', '?']) },
  { weight: 1, arbitrary: requestStreams.map(({ text }) => text) },
)

export const requestHeads = fuzzTarget<string>({
  name: 'request-heads',
  subject: 'heads of requests: ordinary ones, rare ones and wrong ones, each with up to three changes, and what the connections below begin with',
  oracle: 'llhttp, the parser inside Node, which reads what ours leaves: whatever ours takes, it takes as the same request (method, target, fields), with the same end and the same word about the connection',
  where: 'in process',
  verdicts: ['the same', 'the same, with a body', 'left to Node'],
  batch: 50_000,
  weight: 10,
  open: () => ({ inputs: texts, check }),
})
