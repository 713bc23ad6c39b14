import { describe, expect, it } from 'vitest'
import { withoutBlanks, withoutBlanksBehind } from './blanks.ts'

describe('blanks at the ends', () => {
  it.each([
    ['', '', ''],
    [' ', '', ''],
    ['\t \t', '', ''],
    ['a', 'a', 'a'],
    [' a b\t', 'a b', ' a b'],
    ['a\u00a0 ', 'a\u00a0', 'a\u00a0'],
    ['\u00a0a\n', '\u00a0a\n', '\u00a0a\n'],
    ['\ufeffa', '\ufeffa', '\ufeffa'],
  ])('of %j go, and nothing else', (text, both, behind) => {
    expect(withoutBlanks(text)).toBe(both)
    expect(withoutBlanksBehind(text)).toBe(behind)
  })

  it('are found in time that grows with the text and not with its square', () => {
    const startedAt = performance.now()
    for (let nth = 0; nth < 100; nth += 1) expect(withoutBlanks(`a${' '.repeat(60_000)}b`).length).toBe(60_002)
    expect(performance.now() - startedAt).toBeLessThan(1_000)
  })
})
