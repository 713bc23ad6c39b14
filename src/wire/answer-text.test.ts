import { describe, expect, it } from 'vitest'
import { answerLines } from './answer-lines.ts'
import { answerHead, answerText, interimText, type Standing } from './answer-text.ts'

const KEPT: Standing = { keepAlive: 75, head: false, date: false }
const LAST: Standing = { ...KEPT, keepAlive: undefined }

describe('a complete answer', () => {
  it('has a length, and says what becomes of the connection', () => {
    expect(answerText({ status: 404, headers: [['X', 'y']], body: 'abc' }, KEPT)).toEqual({ head: 'HTTP/1.1 404 Not Found\r\nX: y\r\nContent-Length: 3\r\nConnection: keep-alive\r\nKeep-Alive: timeout=75\r\n\r\n', body: 'abc', ascii: true })
    expect(answerText({ status: 404, headers: [], body: '' }, LAST).head).toBe('HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n')
  })

  it('counts bytes, not characters', () => {
    expect(answerText({ status: 200, headers: [], body: 'grün' }, KEPT)).toMatchObject({ head: expect.stringContaining('Content-Length: 5\r\n') as string, ascii: false })
  })

  it('to HEAD has the length and no body; 204 and 304 have neither', () => {
    expect(answerText({ status: 200, headers: [], body: 'abc' }, { ...KEPT, head: true })).toMatchObject({ head: expect.stringContaining('Content-Length: 3\r\n') as string, body: '' })
    for (const status of [204, 304]) expect(answerText({ status, headers: [], body: 'abc' }, LAST)).toMatchObject({ head: expect.not.stringContaining('Length') as string, body: '' })
  })

  it('has one date: its own, or that of now', () => {
    const dates = (headers: readonly (readonly [string, string])[]): string[] => answerText({ status: 200, headers, body: '' }, { ...KEPT, date: true }).head.match(/^date:.*$/gim) ?? []
    expect(dates([['date', 'x']])).toEqual(['date: x'])
    expect(dates([])).toEqual([expect.stringMatching(/^Date: \w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT$/)])
  })
})

describe('a relayed answer', () => {
  it('is framed by its length, or in chunks, or has no body', () => {
    const framing = (status: number, fields: readonly string[], standing = KEPT): string => answerHead({ status, message: undefined, lines: answerLines(fields) }, standing).framing
    expect(framing(200, ['content-length', '5'])).toBe('length')
    expect(framing(200, [])).toBe('chunked')
    expect([framing(204, []), framing(304, ['Content-Length', '5']), framing(200, ['Content-Length', '5'], { ...KEPT, head: true })]).toEqual(['none', 'none', 'none'])
    expect(answerHead({ status: 200, message: undefined, lines: answerLines([]) }, LAST).text).toBe('HTTP/1.1 200 OK\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n')
  })

  it('keeps a reason phrase that is one', () => {
    const line = (message: string | undefined): string => answerHead({ status: 200, message, lines: answerLines([]) }, KEPT).text.split('\r\n', 1)[0] ?? ''
    expect([line('Fine'), line(''), line('a\rb'), line('\xe9'), line(undefined)]).toEqual(['HTTP/1.1 200 Fine', 'HTTP/1.1 200 OK', 'HTTP/1.1 200 OK', 'HTTP/1.1 200 OK', 'HTTP/1.1 200 OK'])
  })
})

describe('whatever is written', () => {
  it.each([['X', 'a\r\nSet-Cookie: b'], ['X', 'a\nb'], ['X', 'a\0'], ['X', '\u010a'], ['X', '\u20ac'], ['X Y', 'a'], ['X:', 'a'], ['', 'a'], ['X\r\nY', 'a'], ['\xe9', 'a']])('does not break out of its line: %j: %j', (name, value) => {
    expect(() => answerText({ status: 200, headers: [[name, value]], body: '' }, KEPT)).toThrow(TypeError)
    expect(() => answerHead({ status: 200, message: undefined, lines: answerLines([name, value]) }, KEPT)).toThrow(TypeError)
    expect(() => interimText(103, [name, value])).toThrow(TypeError)
  })

  it('an interim answer has no length', () => {
    expect(interimText(103, ['Link', '</x>', 'content-length', '5'])).toBe('HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n')
  })
})
