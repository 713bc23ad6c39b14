import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type KeptLines, parseHead, type ParsedHead } from './answer-head-syntax.ts'

const OK = 'HTTP/1.1 200 OK'

const read = (text: string, kept?: KeptLines): ParsedHead | string => {
  try {
    return parseHead(text, kept)
  } catch (error) {
    return (error as Error).message
  }
}

const line = fc.oneof(
  fc.constantFrom('Server: x', 'Content-Type: text/plain', 'Content-Length: 2', 'Content-Length: 22', 'Content-Length:2', 'Transfer-Encoding: chunked', 'Transfer-Encoding: chunked\t', 'Connection: keep-alive', 'Connection: close', 'Connection: keep-alive, close', 'X: ', 'X:', 'X', ' X: 1', 'X: \u0000', 'X : 1', 'Set-Cookie: a=b', ': 1', ''),
  fc.tuple(fc.constantFrom('A', 'Ab', 'Content-Length'), fc.string({ maxLength: 4 })).map(([name, value]) => `${name}: ${value}`),
)
const heads = fc.array(fc.tuple(fc.constantFrom(OK, 'HTTP/1.0 200 OK', 'HTTP/1.1 404 Nope'), fc.array(line, { maxLength: 6 })).map(([first, lines]) => [first, ...lines].join('\r\n')), { minLength: 1, maxLength: 6 })

describe('the heads of one connection', () => {
  it('are read as each would be by itself, whatever was read before', () => {
    fc.assert(fc.property(heads, (texts) => {
      const kept: KeptLines = []
      for (const text of texts) expect(read(text, kept)).toEqual(read(text))
    }), { numRuns: 3_000 })
  })

  it('keep no cookie, no long line, and no more than 32 lines', () => {
    const kept: KeptLines = []
    parseHead(`${OK}\r\nSet-Cookie: session=secret\r\nA: ${'x'.repeat(200)}`, kept)
    expect(kept).toEqual([])
    parseHead([OK, ...Array.from({ length: 100 }, (_, index) => `X-${index}: 1`)].join('\r\n'), kept)
    expect(kept).toHaveLength(32)
  })

  it('give a line that came before as the very same text', () => {
    const kept: KeptLines = []
    parseHead(`${OK}\r\nServer: some thing\r\nAge: 1`, kept)
    const [before] = kept
    expect(parseHead(`${OK}\r\nServer: some thing\r\nAge: 2`, kept).raw).toEqual(['Server', 'some thing', 'Age', '2'])
    expect(kept[0]).toBe(before)
    expect(kept[1]?.value).toBe('2')
  })
})
