import { describe, expect, it } from 'vitest'
import { isSubject } from './subject.ts'

describe('a subject', () => {
  it.each(['alice', 'auth0|5f7c', '11111111-1111-4111-8111-111111111111', 'Zoë', '李雷', 'a b', 'x'.repeat(255)])('may be %s', (value) => {
    expect(isSubject(value)).toBe(true)
  })

  it.each([
    [''], ['x'.repeat(256)], ['x'.repeat(100_000)], ['a\r\nX-User-Id: admin'], ['a\u0000'], ['a\tb'], ['a\u007f'], ['a\u0085b'], ['a\u2028b'], [' admin'], ['admin '], ['\u00a0admin'], ['\ud800'], ['null'], ['undefined'],
    [1], [null], [undefined], [true], [['alice']], [{ toString: () => 'alice' }],
  ])('is never %j', (value) => {
    expect(isSubject(value)).toBe(false)
  })
})
