import { describe, expect, it } from 'vitest'
import { headerLines } from '../../wire/header-lines.ts'
import { requestHead } from './request-writer.ts'

const head = (change: Partial<Parameters<typeof requestHead>[0]>): string => requestHead({ method: 'GET', reset: false, path: '/a?b', headers: headerLines(['Host', 'api.test', 'X-A', 'caf\u00e9']), ...change }, '', false)

describe('the head of a request', () => {
  it('is written line by line, Latin-1 included', () => {
    expect(head({})).toBe('GET /a?b HTTP/1.1\r\nHost: api.test\r\nX-A: caf\u00e9\r\nConnection: keep-alive\r\n\r\n')
  })

  // Written as Latin-1, U+010A is the byte 0A and U+0120 is a blank (CVE-2018-12116 of Node was this).
  it.each([
    ['a line feed in a value', { headers: headerLines(['X-A', 'b\nX-User-Id: root']) }], ['a carriage return in a value', { headers: headerLines(['X-A', 'b\rc']) }], ['NUL in a value', { headers: headerLines(['X-A', 'b\0']) }],
    ['a character whose last byte is a line feed', { headers: headerLines(['X-A', 'b\u010aX-User-Id: root']) }], ['a character outside Latin-1', { headers: headerLines(['X-A', '\u{1f600}']) }],
    ['a name with a line feed', { headers: headerLines(['X-A\n', 'b']) }], ['a name with a colon', { headers: headerLines(['X-A: b', 'c']) }], ['a name with a blank', { headers: headerLines(['X A', 'c']) }], ['a name in disguise', { headers: headerLines(['X\u010aA', 'c']) }], ['no name', { headers: headerLines(['', 'c']) }],
    ['a path with a blank', { path: '/a b' }], ['a path with a line feed in disguise', { path: '/a\u010ab' }], ['a path with a blank in disguise', { path: '/a\u0120b' }], ['a path that is not ASCII', { path: '/\u00e9' }], ['an empty path', { path: '' }],
    ['a method with a blank', { method: 'GET /x' }], ['a method in disguise', { method: 'G\u0120T' }],
  ])('refuses %s', (_title, change) => {
    expect(() => head(change)).toThrow(TypeError)
  })
})
