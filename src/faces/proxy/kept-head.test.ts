import { array, assert, constantFrom, oneof, property, record, string, tuple } from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createAnswerReader } from './answer-reader.ts'
import { KeptHead } from './kept-head.ts'

const OK = 'HTTP/1.1 200 OK'
const BLANK_LINE = '\r\n\r\n'

/** Of few, and of some that are nearly the same. */
const heads = oneof(
  tuple(constantFrom(OK, OK, OK, 'HTTP/1.1 200 Ok', 'HTTP/1.0 200 OK', 'HTTP/1.1 404 Nope'), array(constantFrom('A: 1', 'A:1', 'a: 1', 'A: 2', 'Set-Cookie: s=1', 'Connection: close', 'X'), { maxLength: 2 })).map(([first, lines]) => [first, ...lines, 'Content-Length: 2'].join('\r\n')),
  constantFrom(OK, `${OK}\r\nContent-Length: 3`, `${OK}\r\nContent-Length: 2\r\nContent-Length: 2`, `${OK}\r\nX: ${'x'.repeat(2_000)}\r\nContent-Length: 2`),
)

interface Answer { readonly head: string; readonly body: string; readonly cut: number; readonly method: string }

const answers = array(record({ head: heads, body: constantFrom('ok', 'no', 'okay'), cut: constantFrom(0, 0, 0, 5, 20, 10_000), method: constantFrom('GET', 'GET', 'HEAD') }), { minLength: 2, maxLength: 20 })

/** What a reader makes of one answer; it is the next one's afterwards. */
function heard(reader: ReturnType<typeof createAnswerReader>, events: string[], { head, body, cut, method }: Answer): readonly string[] {
  events.length = 0
  const bytes = Buffer.from(head + BLANK_LINE + body, 'latin1')
  try {
    reader.expect(method)
    for (const piece of cut === 0 || cut >= bytes.length ? [bytes] : [bytes.subarray(0, cut), bytes.subarray(cut)]) reader.push(piece)
  } catch (error) {
    events.push(`error: ${(error as Error).message}`)
  }
  reader.reset()
  return [...events]
}

function listening(): { readonly reader: ReturnType<typeof createAnswerReader>; readonly events: string[] } {
  const events: string[] = []
  return { events, reader: createAnswerReader({ head: ({ status, message, raw, length, keepAlive }) => events.push(JSON.stringify([status, message, raw, length, keepAlive])), data: (chunk) => events.push(chunk.toString('latin1')), end: (reusable) => events.push(`end ${reusable}`) }) }
}

describe('the answers of one connection', () => {
  it('are read as each would be by itself, whatever came before and wherever it is cut', () => {
    assert(property(answers, (all: readonly Answer[]) => {
      const one = listening()
      for (const answer of all) {
        const anew = listening()
        expect(heard(one.reader, one.events, answer)).toEqual(heard(anew.reader, anew.events, answer))
      }
    }), { numRuns: 2_000 })
  })

  it('are recognised by their bytes the third time, whatever stands before and behind the head', () => {
    assert(property(string({ maxLength: 20 }), string({ maxLength: 20 }), (before, behind) => {
      const kept = new KeptHead()
      const text = `${OK}\r\nServer: x\r\nContent-Length: 2`
      const bytes = Buffer.from(before + text + BLANK_LINE + behind, 'latin1')
      expect(kept.same(bytes, before.length)).toBeUndefined()
      kept.read(text)
      expect(kept.same(bytes, before.length)).toBeUndefined()
      const head = kept.read(text)
      expect([kept.same(bytes, before.length), kept.length]).toEqual([head, text.length + BLANK_LINE.length])
      expect(kept.same(bytes.subarray(0, before.length + text.length + 3), before.length)).toBeUndefined()
      expect(kept.same(bytes, before.length + 1)).toBeUndefined()
    }))
  })

  it.each([['that set a cookie', `${OK}\r\nSet-Cookie: session=secret`], ['that are long', `${OK}\r\nX: ${'x'.repeat(2_000)}`]])('%s are not kept', (_title, text) => {
    const kept = new KeptHead()
    for (let time = 0; time < 3; time += 1) kept.read(text)
    expect(kept.same(Buffer.from(text + BLANK_LINE), 0)).toBeUndefined()
  })
})
