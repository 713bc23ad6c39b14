import { createRequire } from 'node:module'
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createAnswerReader } from '../../src/faces/proxy/answer-reader.ts'

/**
 * The reader of answers against llhttp, the parser inside Node and undici: whatever ours accepts, llhttp accepts and reads as the same
 * answer. The other way round ours may refuse. Desyncs are two readings of one stream (RFC 9112 section 11.2; T9, T12).
 */

interface Answer { readonly status: number; readonly headers: readonly string[]; readonly body: string; readonly consumed: boolean }
type Verdict = Answer | 'refused' | 'incomplete'

function ours(bytes: Buffer, method: string): Verdict {
  let answer: { status: number; headers: readonly string[] } | undefined
  let body = ''
  let whole = false
  const reader = createAnswerReader({
    head: ({ status, raw }) => {
      if (status >= 200) answer = { status, headers: raw }
    },
    data: (chunk) => (body += chunk.toString('latin1')),
    end: () => (whole = true),
  })
  try {
    reader.expect(method)
    reader.push(bytes)
  } catch {
    return 'refused'
  }
  return whole && answer ? { ...answer, body, consumed: true } : 'incomplete'
}

interface Llhttp { initialize: (type: number, resource: object) => void; execute: (bytes: Buffer) => number | Error; [callback: number]: unknown }
interface Binding { HTTPParser: { new (): Llhttp; RESPONSE: number; kOnHeaders: number; kOnHeadersComplete: number; kOnBody: number; kOnMessageComplete: number } }

// Not a documented module, and the only way to the very parser that Node runs.
const { HTTPParser } = createRequire(import.meta.url)('_http_common') as Binding

function theirs(bytes: Buffer, method: string): Verdict {
  const parser = new HTTPParser()
  let answer: { status: number; headers: readonly string[] } | undefined
  let early: string[] = []
  let body = ''
  let whole = false
  parser.initialize(HTTPParser.RESPONSE, {})
  parser[HTTPParser.kOnHeaders] = (headers: string[]) => {
    if (!whole) early = [...early, ...headers]
  }
  parser[HTTPParser.kOnHeadersComplete] = (_major: number, _minor: number, headers: string[] | undefined, _method: number, _url: string, status: number) => {
    if (whole) return 0
    if (status >= 200) answer = { status, headers: headers ?? early }
    early = []
    return method === 'HEAD' ? 1 : 0
  }
  parser[HTTPParser.kOnBody] = (chunk: Buffer) => {
    if (!whole) body += chunk.toString('latin1')
  }
  parser[HTTPParser.kOnMessageComplete] = () => {
    if (answer) whole = true
  }
  const result = parser.execute(bytes)
  // What follows a whole answer is not our subject: an error in it comes after.
  if (whole && answer) return { ...answer, body, consumed: true }
  return typeof result === 'number' ? 'incomplete' : 'refused'
}

function compare(text: string, method: string): void {
  const bytes = Buffer.from(text, 'latin1')
  const mine = ours(bytes, method)
  if (mine === 'refused') return
  const other = theirs(bytes, method)
  if (mine === 'incomplete') {
    // Where more is to come for us, nothing is whole for the other.
    expect(other, JSON.stringify(text)).not.toBeTypeOf('object')
    return
  }
  expect(other, JSON.stringify(text)).toEqual(mine)
}

const PIECES = [
  'HTTP/1.1 200 OK\r\n', 'HTTP/1.1 204 No Content\r\n', 'HTTP/1.1 304 Not Modified\r\n', 'HTTP/1.0 200 OK\r\n', 'HTTP/1.1 103 Early Hints\r\n', 'HTTP/1.1 100 Continue\r\n', 'HTTP/1.1 200\r\n',
  'Content-Length: 5\r\n', 'Content-Length: 0\r\n', 'Content-Length:5\r\n', 'content-length: 05\r\n', 'Content-Length: 5, 5\r\n', 'Transfer-Encoding: chunked\r\n', 'transfer-encoding: Chunked\r\n', 'Transfer-Encoding: gzip\r\n',
  'Connection: close\r\n', 'Connection: keep-alive, x\r\n', 'X: y\r\n', 'X:\r\n', 'X: \t y \t\r\n', 'X : y\r\n', ' folded\r\n', 'Set-Cookie: a=b\r\n', 'Upgrade: h2c\r\n', 'X: \xe9\xff\r\n',
  '\r\n', '\n', '\r', ' ', '\t', '\0', ':', ';', '5\r\nhello\r\n', '0\r\n\r\n', '0\r\nT: x\r\n\r\n', '5;a=b\r\nhello\r\n', '5 \r\nhello\r\n', '00005\r\nhello\r\n', 'hello', '5\nhello\n', 'A\r\n0123456789\r\n', '-5\r\n',
]

/** Anything after anything. */
const chaos = fc.tuple(
  fc.constantFrom(...PIECES.slice(0, 7)),
  fc.array(fc.oneof({ weight: 12, arbitrary: fc.constantFrom(...PIECES) }, { weight: 1, arbitrary: fc.string({ unit: 'binary-ascii', maxLength: 4 }) }), { maxLength: 10 }),
).map(([first, rest]) => first + rest.join(''))

/** Mostly right: a status line, some fields, one framing and what fits it, and perhaps more. */
const orderly = fc.tuple(
  fc.constantFrom(...PIECES.slice(0, 7)),
  fc.array(fc.constantFrom(...PIECES.slice(15, 25).filter((piece) => !/^ |X : /.test(piece))), { maxLength: 3 }),
  fc.constantFrom(['Content-Length: 5\r\n', 'hello'], ['Content-Length: 0\r\n', ''], ['Transfer-Encoding: chunked\r\n', '5\r\nhello\r\n0\r\n\r\n'], ['transfer-encoding: Chunked\r\n', '5;a=b\r\nhello\r\n0\r\nT: x\r\n\r\n'], ['', 'hello']),
  fc.array(fc.constantFrom(...PIECES), { maxLength: 2 }),
).map(([first, fields, [framing = '', body = ''], rest]) => `${first}${fields.join('')}${framing}\r\n${body}${rest.join('')}`)

const stream = fc.oneof(chaos, orderly)

/** A stream with one byte changed, taken out or put in twice. */
const mutated = fc.tuple(stream, fc.nat(200), fc.constantFrom('drop', 'double', 'set'), fc.nat(255)).map(([text, place, what, byte]) => {
  const at = text.length === 0 ? 0 : place % text.length
  if (what === 'drop') return text.slice(0, at) + text.slice(at + 1)
  if (what === 'double') return text.slice(0, at) + text.slice(at, at + 1) + text.slice(at)
  return text.slice(0, at) + String.fromCharCode(byte) + text.slice(at + 1)
})

/** `FUZZ_RUNS=2000000 npx vitest run test/attack/answer-differential` for a long night; fixed seeds and a few seconds otherwise. */
const RUNS = Number(process.env['FUZZ_RUNS'] ?? 15_000)
const seed = Number(process.env['FUZZ_SEED'] ?? 2026)

describe('an answer that our reader accepts', () => {
  it('is read by llhttp as the same answer: status, fields, body', { timeout: Math.max(60_000, RUNS) }, () => {
    fc.assert(fc.property(stream, fc.constantFrom('GET', 'HEAD'), compare), { numRuns: RUNS, seed })
  })

  it('is read by llhttp as the same answer with any one byte changed', { timeout: Math.max(60_000, RUNS) }, () => {
    fc.assert(fc.property(mutated, fc.constantFrom('GET', 'HEAD'), compare), { numRuns: RUNS, seed: seed + 1 })
  })

  it('is sometimes accepted by both, so that the comparison means something', () => {
    const verdicts = fc.sample(stream, { numRuns: 3_000, seed }).map((text) => ours(Buffer.from(text, 'latin1'), 'GET'))
    expect(verdicts.filter((verdict) => typeof verdict === 'object').length).toBeGreaterThan(100)
  })
})
