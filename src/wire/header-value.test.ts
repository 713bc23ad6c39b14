import { validateHeaderValue } from 'node:http'
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { safeHeaderValue } from './header-value.ts'

/** Reads back what an upstream gets; bytes of lone surrogates are put together by the general formula of UTF-8. */
function readBack(value: string): string {
  if (!value.startsWith("UTF-8''")) return value
  const bytes = [...value.slice(7).matchAll(/%([0-9A-F]{2})|(.)/g)].map(([, hex, plain]) => (hex === undefined ? plain!.charCodeAt(0) : Number.parseInt(hex, 16)))
  let text = ''
  for (let index = 0; index < bytes.length; ) {
    const first = bytes[index]!
    const length = first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4
    const point = bytes.slice(index + 1, index + length).reduce((sum, byte) => sum * 64 + (byte & 63), length === 1 ? first : first & (0xff >> (length + 1)))
    text += String.fromCodePoint(point)
    index += length
  }
  return text
}

describe('safeHeaderValue', () => {
  it.each([
    ['user-1', 'user-1'],
    ['Ada Lovelace', 'Ada Lovelace'],
    ['a,b;c="d"%41', 'a,b;c="d"%41'],
    ['', ''],
    ['null', 'null'],
    ['José', "UTF-8''Jos%C3%A9"],
    ['€ 5', "UTF-8''%E2%82%AC%205"],
    ['😀', "UTF-8''%F0%9F%98%80"],
    ['a\r\nX-Admin: 1', "UTF-8''a%0D%0AX-Admin%3A%201"],
    ['a\u0000b', "UTF-8''a%00b"],
    ['a\tb', "UTF-8''a%09b"],
    ['a\u007fb', "UTF-8''a%7Fb"],
    [' admin', "UTF-8''%20admin"],
    ['admin ', "UTF-8''admin%20"],
    ["UTF-8''x", "UTF-8''UTF-8%27%27x"],
    ["utf-8''x", "UTF-8''utf-8%27%27x"],
    ['\ud800', "UTF-8''%ED%A0%80"],
    ['\ufffd', "UTF-8''%EF%BF%BD"],
  ])('%j becomes %s', (text, value) => {
    expect(safeHeaderValue(text)).toBe(value)
  })

  it('loses nothing: every text can be read back, so no two texts give the same value', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string({ unit: 'binary' }), fc.array(fc.integer({ min: 0, max: 0xffff })).map((units) => String.fromCharCode(...units))), (text) => {
        const value = safeHeaderValue(text)
        expect(readBack(value)).toBe(text)
        expect(value).toMatch(/^[\x20-\x7e]*$/)
        expect(value).toBe(value.trim())
        validateHeaderValue('x-user-id', value)
      }),
      { numRuns: 2_000 },
    )
  })
})
