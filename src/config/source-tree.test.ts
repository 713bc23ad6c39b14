import { describe, expect, it } from 'vitest'
import { readSourceTree } from './source-tree.ts'

/** `line:column path: message` of every mistake. */
const mistakesIn = (text: string): string[] => readSourceTree(text).mistakes.map(({ place, path, message }) => `${place.line}:${place.column} ${path.join('.')}: ${message}`)

describe('readSourceTree', () => {
  it('reads YAML, JSON, anchors and aliases into plain values', () => {
    expect(readSourceTree('a: 1\nb: [x, "2", true, null]\n').value).toEqual({ a: 1, b: ['x', '2', true, null] })
    expect(readSourceTree('{\n\t"a": {"b": [1.5]}\n}').value).toEqual({ a: { b: [1.5] } })
    expect(readSourceTree('a: &x {n: 1}\nb: *x\nc: &x {n: 2}\nd: [*x]\n').value).toEqual({ a: { n: 1 }, b: { n: 1 }, c: { n: 2 }, d: [{ n: 2 }] })
    expect(readSourceTree('codes:\n  401: x\n').value).toEqual({ codes: { 401: 'x' } })
  })

  it('knows where every key and value stands, in the text and behind an alias', () => {
    const { find } = readSourceTree('a: &x\n  n: 1\nb:\n  - *x\n')
    expect(find(['a', 'n'], 'key')).toEqual({ line: 2, column: 3 })
    expect(find(['a', 'n'], 'value')).toEqual({ line: 2, column: 6 })
    expect(find(['b', 0, 'n'], 'value')).toEqual({ line: 2, column: 6 })
    expect(find(['b', 1], 'value')).toBeUndefined()
  })

  it.each([
    ['mode: 0777', '1:7 mode: 0777 is read by YAML as the number 777; write 777, or "0777" in quotes if text is meant'],
    ['a:\n  - 08', '2:5 a.0: 08 is read by YAML as the number 8; write 8, or "08" in quotes if text is meant'],
    ['a: 1.10', '1:4 a: 1.10 is read by YAML as the number 1.1; write 1.1, or "1.10" in quotes if text is meant'],
    ['a: 0x1F', '1:4 a: 0x1F is read by YAML as the number 31; write 31, or "0x1F" in quotes if text is meant'],
    ['a: 12345678901234567890', '1:4 a: 12345678901234567890 is read by YAML as the number 12345678901234567000; write 12345678901234567000, or "12345678901234567890" in quotes if text is meant'],
    ['a: 1\nb: 2\na: 3', '3:1 a: this key stands twice in one map; keep one'],
    ['a: &x {b: 1}\nc:\n  <<: *x', '3:3 c.<<: merge keys are not part of YAML 1.2; repeat the keys, or use an alias for the whole value'],
    ['? [a]\n: 1', '1:3 : a key must be text'],
    ['__proto__: {x: 1}', '1:1 __proto__: unknown key'],
    ['', '1:1 : the file is empty; the shortest config is "version: 1", an upstream and auth'],
    ['# only a comment\n', '1:1 : the file is empty; the shortest config is "version: 1", an upstream and auth'],
    ['%YAML 1.1\n---\na: yes', '1:1 : a %YAML directive changes what words mean; remove it, the config is YAML 1.2'],
  ])('refuses %j', (text, mistake) => {
    expect(mistakesIn(text)).toEqual([mistake])
  })

  it.each(['a: !!js/function x', 'a: [1, 2', 'a: *nowhere', 'a: "x', 'a: 1\n---\nb: 2', 'a:\n\t- 1'])('says that %j is not valid YAML', (text) => {
    expect(mistakesIn(text)[0]).toMatch(/^\d+:\d+ \w*: not valid YAML: /)
  })

  it('tells somebody who forgot the quotes around a reference inside braces', () => {
    expect(mistakesIn('api: {url: ${UPSTREAM}, x: 1}')[0]).toContain('a reference must be quoted')
  })

  it('refuses a text whose aliases multiply, and one that contains itself', () => {
    const levels = ['a0: &a0 [x, x, x, x, x, x, x, x, x, x]', ...Array.from({ length: 8 }, (_, n) => `a${n + 1}: &a${n + 1} [${Array.from({ length: 10 }, () => `*a${n}`).join(', ')}]`)]
    expect(mistakesIn(levels.join('\n'))).toHaveLength(1)
    expect(mistakesIn(levels.join('\n'))[0]).toContain('too large')
    expect(mistakesIn('a: &a\n  b: *a')[0]).toContain('too large')
    expect(mistakesIn('x'.repeat(2_000_000))[0]).toContain('too large')
  })

  it('takes words as words: yes, no, on and off are text', () => {
    expect(readSourceTree('a: [yes, no, on, off, ~, NULL]').value).toEqual({ a: ['yes', 'no', 'on', 'off', null, null] })
  })
})
