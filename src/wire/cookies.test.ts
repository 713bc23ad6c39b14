import { describe, expect, it } from 'vitest'
import { withoutCookies } from './cookies.ts'

describe('withoutCookies', () => {
  it.each([
    ['a=1; s=2; b=3', ['s'], 'a=1; b=3'],
    ['s=2; a=1', ['s'], 'a=1'],
    ['a=1; s=2', ['s'], 'a=1'],
    ['s=2', ['s'], undefined],
    ['s=2;', ['s'], undefined],
    ['a=1; s.0=x; s.1=y; b=3', ['s.0', 's.1'], 'a=1; b=3'],
    ['a=1;s=2;b=3', ['s'], 'a=1;b=3'],
    ['a=1;  b = "x y" ;s=2', ['s'], 'a=1;  b = "x y"'],
    ['s=1; s=2; a=s=3', ['s'], 'a=s=3'],
    [' s =2; a=1', ['s'], 'a=1'],
    ['s; a=1', ['s'], 'a=1'],
    ['a="x; s=2"', ['s'], 'a="x'],
    ['S=1; ss=2; s.0=3', ['s'], 'S=1; ss=2; s.0=3'],
    ['a=1; ;b=2 ', ['s'], 'a=1; ;b=2 '],
    // UTF-8, one character a byte: the last byte of `à` is 0xA0.
    ['a=\u00c3\u00a0; s=2', ['s'], 'a=\u00c3\u00a0'],
    ['a=1', [], 'a=1'],
    ['__proto__=1; a=1', ['__proto__'], 'a=1'],
  ])('%j without %j is %j', (line, names, rest) => {
    expect(withoutCookies(line, names)).toBe(rest)
  })
})
