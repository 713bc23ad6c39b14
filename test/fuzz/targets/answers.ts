import assert from 'node:assert/strict'
import { createRequire } from 'node:module'
import * as fc from 'fast-check'
import { createAnswerReader } from '../../../src/faces/proxy/answer-reader.ts'
import { fuzzTarget } from '../fuzz-target.ts'
import { perhapsMutated } from '../inputs.ts'

/**
 * The reader of answers against llhttp, the parser inside Node and undici: whatever ours accepts, llhttp accepts and reads as the same
 * answer. The other way round ours may refuse. Desyncs are two readings of one stream (RFC 9112 section 11.2; T9, T12).
 */

export interface ReadAnswer { readonly status: number; readonly headers: readonly string[]; readonly body: string }
export type Reading = ReadAnswer | 'refused' | 'incomplete'

export function ours(pieces: readonly Buffer[], method: string): Reading {
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
    // What follows a whole answer is not our subject.
    for (const piece of pieces) if (!whole) reader.push(piece)
  } catch {
    return 'refused'
  }
  return whole && answer ? { ...answer, body } : 'incomplete'
}

interface Llhttp { initialize: (type: number, resource: object, maxHeaderSize: number) => void; execute: (bytes: Buffer) => number | Error; finish: () => number | Error | undefined; [callback: number]: unknown }
interface Binding { HTTPParser: { new (): Llhttp; RESPONSE: number; kOnHeaders: number; kOnHeadersComplete: number; kOnBody: number; kOnMessageComplete: number } }

// Not a documented module, and the only way to the very parser that Node runs.
const { HTTPParser } = createRequire(import.meta.url)('_http_common') as Binding

/** @param ended  nothing comes behind these bytes, which ends an answer that has no other end */
export function llhttps(bytes: Buffer, method: string, ended = false): Reading {
  const parser = new HTTPParser()
  let answer: { status: number; headers: readonly string[] } | undefined
  let early: string[] = []
  let body = ''
  let whole = false
  // Above ours, which is not llhttp's to judge.
  parser.initialize(HTTPParser.RESPONSE, {}, 131_072)
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
  if (ended && !whole && typeof result === 'number') parser.finish()
  // An error behind a whole answer comes after our subject.
  if (whole && answer) return { ...answer, body }
  return typeof result === 'number' ? 'incomplete' : 'refused'
}

interface Input { readonly text: string; readonly method: string; readonly cuts: readonly number[] }

function piecesOf(bytes: Buffer, cuts: readonly number[]): Buffer[] {
  const places = [...new Set(cuts.map((cut) => cut % (bytes.length + 1)))].toSorted((a, b) => a - b)
  return [...places, bytes.length].map((end, index) => bytes.subarray(places[index - 1] ?? 0, end))
}

function check({ text, method, cuts }: Input): string {
  const bytes = Buffer.from(text, 'latin1')
  const whole = ours([bytes], method)
  // A refusal may come sooner or later in the stream, an answer may not change with it.
  const cut = ours(piecesOf(bytes, cuts), method)
  if (typeof whole === 'object' || typeof cut === 'object' || whole === 'incomplete') assert.deepEqual(cut, whole)
  if (whole === 'refused') return 'refused'
  const theirs = llhttps(bytes, method)
  if (whole === 'incomplete') {
    assert.ok(typeof theirs !== 'object', 'llhttp has a whole answer')
    return 'incomplete'
  }
  assert.deepEqual(theirs, whole)
  return 'the same'
}

const LINES = ['HTTP/1.1 200 OK\r\n', 'HTTP/1.1 204 No Content\r\n', 'HTTP/1.1 304 Not Modified\r\n', 'HTTP/1.0 200 OK\r\n', 'HTTP/1.1 103 Early Hints\r\n', 'HTTP/1.1 100 Continue\r\n', 'HTTP/1.1 200\r\n'] as const
const FIELDS = ['Connection: close\r\n', 'Connection: keep-alive, x\r\n', 'X: y\r\n', 'X:\r\n', 'X: \t y \t\r\n', 'Set-Cookie: a=b\r\n', 'X: \xe9\xff\r\n'] as const
export const PIECES = [
  ...LINES,
  'Content-Length: 5\r\n', 'Content-Length: 0\r\n', 'Content-Length:5\r\n', 'content-length: 05\r\n', 'Content-Length: 5, 5\r\n', 'Transfer-Encoding: chunked\r\n', 'transfer-encoding: Chunked\r\n', 'Transfer-Encoding: gzip\r\n',
  ...FIELDS, 'X : y\r\n', ' folded\r\n', 'Upgrade: h2c\r\n',
  '\r\n', '\n', '\r', ' ', '\t', '\0', ':', ';', '5\r\nhello\r\n', '0\r\n\r\n', '0\r\nT: x\r\n\r\n', '5;a=b\r\nhello\r\n', '5 \r\nhello\r\n', '00005\r\nhello\r\n', 'hello', '5\nhello\n', 'A\r\n0123456789\r\n', '-5\r\n', '5;a="\r\n"\r\nhello\r\n', '0;\r\n\r\n',
] as const

/** Anything after anything. */
const chaos = fc.tuple(fc.constantFrom(...LINES), fc.array(fc.oneof({ weight: 12, arbitrary: fc.constantFrom(...PIECES) }, { weight: 1, arbitrary: fc.string({ unit: 'binary-ascii', maxLength: 4 }) }), { maxLength: 10 })).map(([first, rest]) => first + rest.join(''))

/** Mostly right: informational answers, a status line, some fields, one framing and what fits it, and perhaps more. */
const orderly = fc.tuple(
  fc.array(fc.constantFrom('HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n', 'HTTP/1.1 100 Continue\r\n\r\n'), { maxLength: 2 }),
  fc.constantFrom(...LINES),
  fc.array(fc.constantFrom(...FIELDS), { maxLength: 3 }),
  fc.constantFrom(['Content-Length: 5\r\n', 'hello'], ['Content-Length: 0\r\n', ''], ['Transfer-Encoding: chunked\r\n', '5\r\nhello\r\n0\r\n\r\n'], ['transfer-encoding: Chunked\r\n', '5;a=b\r\nhello\r\n0\r\nT: x\r\n\r\n'], ['', 'hello']),
  fc.array(fc.constantFrom(...PIECES), { maxLength: 2 }),
).map(([before, first, fields, [framing = '', body = ''], rest]) => `${before.join('')}${first}${fields.join('')}${framing}\r\n${body}${rest.join('')}`)

export const answerStreams = fc.oneof(chaos, orderly, perhapsMutated(fc.oneof(chaos, orderly), ['\r', '\n', ' ', '\t', ':', ';', '0', '5', ',', '\0', '"']))

export const answers = fuzzTarget<Input>({
  name: 'answers',
  subject: 'streams of upstream answers: pieces in any order, orderly ones, each with up to three changes, cut into pieces at any byte',
  oracle: 'llhttp, the parser inside Node: whatever ours takes, it takes as the same answer (status, fields, body); cuts change nothing',
  where: 'in process',
  verdicts: ['the same', 'refused', 'incomplete'],
  batch: 50_000,
  weight: 10,
  open: () => ({ inputs: fc.record({ text: answerStreams, method: fc.constantFrom('GET', 'GET', 'HEAD'), cuts: fc.array(fc.nat(400), { maxLength: 3 }) }), check }),
})
