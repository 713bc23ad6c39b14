import { describe, expect, it } from 'vitest'
import { chunkedCookieOf, firstCookieOf, twinsOf } from './session-cookies.ts'

const NAME = 'authjs.session-token'
const of = (...pairs: readonly (readonly [string, string])[]) => {
  const cookies = new Map<string, string[]>()
  for (const [name, value] of pairs) cookies.set(name, [...(cookies.get(name) ?? []), value])
  return cookies
}
const find = (...pairs: readonly (readonly [string, string])[]) => chunkedCookieOf(of(...pairs), twinsOf(NAME))

describe('a chunked cookie', () => {
  it('is one whole value', () => {
    expect(find([NAME, 'abc'])).toEqual({ kind: 'cookie', name: NAME, value: 'abc', locations: [{ kind: 'cookie', name: NAME }] })
  })

  it('is found under its __Secure- name, which is reported because the key depends on it', () => {
    expect(find([`__Secure-${NAME}`, 'abc'])).toMatchObject({ name: `__Secure-${NAME}`, value: 'abc' })
  })

  it('is joined from chunks in any order, sorted as numbers', () => {
    const chunks = Array.from({ length: 10 }, (_value, index) => [`${NAME}.${index}`, String(index)] as const)
    expect(find(...chunks.toReversed())).toMatchObject({ value: '0123456789', locations: chunks.map(([name]) => ({ kind: 'cookie', name })) })
  })

  it('may be a single chunk', () => {
    expect(find([`${NAME}.0`, 'abc'])).toMatchObject({ name: NAME, value: 'abc' })
  })

  it.each([
    ['nothing', []],
    ['an empty value, as after a logout', [[NAME, '']]],
    ['another cookie with the same beginning', [[`${NAME}-evil`, 'x'], [`${NAME}.state`, 'x'], [`${NAME}.0x`, 'x']]],
    ['the same letters in another case', [[NAME.toUpperCase(), 'x']]],
  ] as const)('is missing: %s', (_title, pairs) => {
    expect(find(...pairs)).toBeUndefined()
  })

  it.each([
    ['the cookie twice', [[NAME, 'a'], [NAME, 'b']]],
    ['a chunk twice', [[`${NAME}.0`, 'a'], [`${NAME}.0`, 'b']]],
    ['the plain name and its __Secure- twin', [[NAME, 'a'], [`__Secure-${NAME}`, 'a']]],
    ['a chunk of the plain name and the __Secure- twin', [[`${NAME}.0`, 'a'], [`__Secure-${NAME}`, 'a']]],
    ['a whole value beside a chunk', [[NAME, 'a'], [`${NAME}.0`, 'a']]],
  ] as const)('is ambiguous: %s', (_title, pairs) => {
    expect(find(...pairs)).toMatchObject({ kind: 'ambiguous' })
  })

  it.each([
    ['no first chunk', [[`${NAME}.1`, 'a']]],
    ['a gap', [[`${NAME}.0`, 'a'], [`${NAME}.2`, 'b']]],
    ['a number written with a leading zero', [[`${NAME}.00`, 'a']]],
    ['eleven chunks', Array.from({ length: 11 }, (_value, index) => [`${NAME}.${index}`, 'a'] as const)],
    ['a number beyond all measure', [[`${NAME}.${'9'.repeat(5_000)}`, 'a']]],
    ['more than 16 KiB together', Array.from({ length: 5 }, (_value, index) => [`${NAME}.${index}`, 'a'.repeat(3_936)] as const)],
  ] as const)('is malformed: %s', (_title, pairs) => {
    expect(find(...pairs)).toMatchObject({ kind: 'malformed' })
  })

  it('of several families is the first that is present', () => {
    const families = [twinsOf(NAME), twinsOf('next-auth.session-token')]
    expect(firstCookieOf(of(['next-auth.session-token', 'old']), families)).toMatchObject({ value: 'old' })
    expect(firstCookieOf(of(['next-auth.session-token', 'old'], [NAME, 'new']), families)).toMatchObject({ value: 'new' })
  })
})
