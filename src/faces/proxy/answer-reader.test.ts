import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createAnswerReader } from './answer-reader.ts'
import { UpstreamClosedError, UpstreamProtocolError } from './engine.ts'

interface Read { readonly events: string[]; readonly error?: string }

/** What a reader makes of bytes that arrive in these pieces; then the connection closes. */
function read(pieces: readonly string[], method = 'GET', closes = false): Read {
  const events: string[] = []
  const reader = createAnswerReader({
    head: ({ status, raw }) => events.push(`${status} ${raw.join('|')}`),
    data: (chunk) => events.push(chunk.toString('latin1')),
    end: (reusable) => events.push(reusable ? 'end' : 'end, close'),
  })
  try {
    reader.expect(method)
    for (const piece of pieces) reader.push(Buffer.from(piece, 'latin1'))
    if (closes) reader.close()
    return { events }
  } catch (error) {
    expect(error).toSatisfy((thrown) => thrown instanceof UpstreamProtocolError || thrown instanceof UpstreamClosedError)
    return { events, error: (error as Error).message }
  }
}

const OK = 'HTTP/1.1 200 OK\r\n'

describe('an answer', () => {
  it.each<[string, string, string[], string?]>([
    ['with a length', `${OK}Content-Length: 2\r\n\r\nok`, ['200 Content-Length|2', 'ok', 'end']],
    ['with length 0', `${OK}Content-Length: 0\r\n\r\n`, ['200 Content-Length|0', 'end']],
    ['in chunks', `${OK}Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n3;x=y\r\nabc\r\n0\r\n\r\n`, ['200 Transfer-Encoding|chunked', 'ok', 'abc', 'end']],
    ['in chunks with trailers, which are dropped', `${OK}Transfer-Encoding: chunked\r\n\r\n0\r\nX-User-Id: evil\r\n\r\n`, ['200 Transfer-Encoding|chunked', 'end']],
    ['that closes its connection', `${OK}Connection: close\r\nContent-Length: 0\r\n\r\n`, ['200 Connection|close|Content-Length|0', 'end, close']],
    ['of HTTP/1.0', 'HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n', ['200 Content-Length|0', 'end, close']],
    ['of HTTP/1.0 that stays', 'HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 0\r\n\r\n', ['200 Connection|keep-alive|Content-Length|0', 'end']],
    ['to HEAD has no body', `${OK}Content-Length: 5\r\n\r\n`, ['200 Content-Length|5', 'end'], 'HEAD'],
    ['304 has no body', 'HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n', ['304 Content-Length|5', 'end']],
    ['204 has no body', 'HTTP/1.1 204 No Content\r\n\r\n', ['204 ', 'end']],
    ['after informational ones', `HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n${OK}Content-Length: 0\r\n\r\n`, ['103 Link|</a>', '200 Content-Length|0', 'end']],
    ['without a reason', 'HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n', ['200 Content-Length|0', 'end']],
    ['with blanks around a value', `${OK}X: \t a b \t\r\nContent-Length: 0\r\n\r\n`, ['200 X|a b|Content-Length|0', 'end']],
    ['with bytes behind it ends its connection', `${OK}Content-Length: 1\r\n\r\nAHTTP/1.1 200 OK\r\n`, ['200 Content-Length|1', 'A', 'end, close']],
  ])('%s', (title, bytes, expected, method) => {
    expect(read([bytes], method)).toEqual({ events: expected })
    // What comes behind in a piece of its own was never asked for.
    expect(read([...bytes], method).error).toBe(title.includes('behind') ? 'spoke before it was asked' : undefined)
  })

  it('without a length ends with its connection, and only then', () => {
    expect(read([`${OK}\r\nabc`, 'def'])).toEqual({ events: ['200 ', 'abc', 'def'] })
    expect(read([`${OK}\r\nabc`], 'GET', true)).toEqual({ events: ['200 ', 'abc', 'end, close'] })
  })

  it.each([
    ['in the head', `${OK}Content-Le`],
    ['in a body', `${OK}Content-Length: 3\r\n\r\nab`],
    ['in a chunk', `${OK}Transfer-Encoding: chunked\r\n\r\n5\r\nab`],
    ['before the last chunk', `${OK}Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n`],
    ['before it began', ''],
  ])('cut off %s never ends', (_title, bytes) => {
    const { events, error } = read([bytes], 'GET', true)
    expect(error).toBe('the upstream closed the connection')
    expect(events.join()).not.toContain('end')
  })
})

describe('what is not an answer', () => {
  it.each([
    ['no HTTP', 'SSH-2.0-x\r\n'],
    ['another version', 'HTTP/2.0 200 OK\r\n\r\n'],
    ['a short status', 'HTTP/1.1 20 OK\r\n\r\n'],
    ['a long status', 'HTTP/1.1 2000 OK\r\n\r\n'],
    ['a blank line first', `\r\n${OK}\r\n`],
    ['bare LF', 'HTTP/1.1 200 OK\nContent-Length: 0\n\n\r\n\r\n'],
    ['bare CR in a value', `${OK}X: a\rb\r\n\r\n`],
    ['bare LF in a value', `${OK}X: a\nY: b\r\n\r\n`],
    ['NUL', `${OK}X: a\0b\r\n\r\n`],
    ['a folded line', `${OK}X: a\r\n b\r\n\r\n`],
    ['a blank before the colon', `${OK}X : a\r\n\r\n`],
    ['a line without a colon', `${OK}nonsense\r\n\r\n`],
    ['an empty name', `${OK}: a\r\n\r\n`],
    ['two lengths', `${OK}Content-Length: 1\r\nContent-Length: 1\r\n\r\nA`],
    ['a list of lengths', `${OK}Content-Length: 1, 1\r\n\r\nA`],
    ['a signed length', `${OK}Content-Length: +1\r\n\r\nA`],
    ['a hexadecimal length', `${OK}Content-Length: 0x1\r\n\r\nA`],
    ['an empty length', `${OK}Content-Length:\r\n\r\n`],
    ['length and coding', `${OK}Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n`],
    ['another coding', `${OK}Transfer-Encoding: gzip, chunked\r\n\r\n`],
    ['two codings', `${OK}Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n`],
    ['a coding on HTTP/1.0', 'HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n'],
    ['a chunk size that is none', `${OK}Transfer-Encoding: chunked\r\n\r\nxyz\r\n`],
    ['a negative chunk size', `${OK}Transfer-Encoding: chunked\r\n\r\n-1\r\n`],
    ['an enormous chunk size', `${OK}Transfer-Encoding: chunked\r\n\r\nfffffffff\r\n`],
    ['a chunk longer than its size', `${OK}Transfer-Encoding: chunked\r\n\r\n1\r\nAB\r\n`],
    ['bare LF behind a chunk size', `${OK}Transfer-Encoding: chunked\r\n\r\n1\nA\r\n\r\n`],
    ['a size line without an end', `${OK}Transfer-Encoding: chunked\r\n\r\n1;${'x'.repeat(300)}`],
    ['a trailer that is no field', `${OK}Transfer-Encoding: chunked\r\n\r\n0\r\nnonsense\r\n\r\n`],
    ['a switch of protocols', 'HTTP/1.1 101 Switching Protocols\r\n\r\n'],
    ['a head without an end', `${OK}X: ${'x'.repeat(70_000)}`],
    ['trailers without an end', `${OK}Transfer-Encoding: chunked\r\n\r\n0\r\n${'a: b\r\n'.repeat(15_000)}`],
    ['a coding with a tab beside it, which is none to llhttp', `${OK}Transfer-Encoding: chunked\t\r\n\r\n1\r\nA\r\n0\r\n\r\n`],
    ['a length with a tab beside it', `${OK}Content-Length:\t1\r\n\r\nA`],
    ['an informational answer of HTTP/1.0, which has none', `HTTP/1.0 100 Continue\r\n\r\n${OK}Content-Length: 0\r\n\r\n`],
    ['an informational answer that closes its connection', `HTTP/1.1 103 Early Hints\r\nConnection: close\r\n\r\n${OK}Content-Length: 0\r\n\r\n`],
    ['a flood of informational answers', 'HTTP/1.1 103 Early Hints\r\n\r\n'.repeat(40)],
  ])('%s is refused, and never ends', (_title, bytes) => {
    const { events, error } = read([bytes])
    expect(error).toBeDefined()
    expect(events.join()).not.toContain('end')
  })

  it('is anything that comes before it is asked for', () => {
    const reader = createAnswerReader({ head: () => undefined, data: () => undefined, end: () => undefined })
    expect(() => reader.push(Buffer.from(`${OK}Content-Length: 0\r\n\r\n`))).toThrow('spoke before it was asked')
  })
})

describe('the reader', () => {
  const answer = fc.oneof(
    fc.constantFrom(`${OK}Content-Length: 5\r\n\r\nhello`, `${OK}Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n`, `HTTP/1.1 100 Continue\r\n\r\n${OK}X: y\r\nContent-Length: 0\r\n\r\n`),
    fc.string({ unit: fc.constantFrom('\r', '\n', ' ', ':', '0', '1', 'a', 'HTTP/1.1 200 OK', 'Content-Length', 'Transfer-Encoding: chunked', '\r\n\r\n'), maxLength: 30 }),
  )

  it('reads the same from any pieces, and throws nothing but its own errors', () => {
    fc.assert(
      fc.property(answer, fc.array(fc.nat(60), { maxLength: 5 }), (bytes, cuts) => {
        const places = [0, ...cuts.map((cut) => Math.min(cut, bytes.length)).sort((a, b) => a - b), bytes.length]
        const pieces = places.slice(1).map((end, index) => bytes.slice(places[index], end))
        const joined = ({ events, error }: Read): string => `${events.join('')}${error ? ' failed' : ''}`
        // Whether bytes behind an answer were seen with it depends on how they came, and nothing else does.
        expect(joined(read(pieces)).replace('end, close', 'end')).toBe(joined(read([bytes])).replace('end, close', 'end'))
      }),
      { numRuns: 2_000, seed: 7 },
    )
  })
})
