import { describe, expect, it } from 'vitest'
import { createBounded, createKnown, createTexts } from './known.ts'

describe('what is made of a value', () => {
  it('is made once', () => {
    const known = createKnown((value: string) => ({ value }))
    expect(known('a')).toBe(known('a'))
    expect(known('b')).toEqual({ value: 'b' })
  })

  it('is one and the same for all values after the first few, where those are not bounded', () => {
    const bounded = createBounded(2, (label) => ({ label }))
    expect(['a', 'b', 'c', 'd', 'a'].map((value) => bounded(value).label)).toEqual(['a', 'b', '_OTHER', '_OTHER', 'a'])
    expect(bounded('c')).toBe(bounded('e'))
  })

  it('is the same text after too many others have been made', () => {
    let made = 0
    const texts = createTexts((name) => `${(made += 1, name)}!`)
    expect([texts('a'), texts('a'), made]).toEqual(['a!', 'a!', 1])
    for (let count = 0; count < 2_000; count += 1) expect(texts(`n${count}`)).toBe(`n${count}!`)
    expect(texts('a')).toBe('a!')
  })
})
