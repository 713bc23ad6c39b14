import { describe, expect, it } from 'vitest'
import { fieldLines, isWritableName } from './field-lines.ts'

describe('field lines', () => {
  it('are written as they are given, however often the same or another came before', () => {
    for (let time = 0; time < 3; time += 1) expect(fieldLines(['Server', 'x', 'X-Id', String(time), 'Server', 'y'])).toBe(`Server: x\r\nX-Id: ${time}\r\nServer: y\r\n`)
  })

  it('are kept apart by the spelling of their names', () => {
    expect(fieldLines(['x-case', '1', 'X-Case', '1'])).toBe('x-case: 1\r\nX-Case: 1\r\n')
    expect(fieldLines(['X-Case', '1', 'x-case', '1'])).toBe('X-Case: 1\r\nx-case: 1\r\n')
  })

  it.each([['a line break', 'a\r\nX-User-Id: root'], ['a line feed', 'a\nb'], ['a NUL', '\0'], ['a character that becomes a line feed in Latin-1', '\u010A'], ['DEL', '\x7F']])('are not written with %s, whatever was written before with that name', (_what, value) => {
    expect(fieldLines(['X-Foul', 'a'])).toBe('X-Foul: a\r\n')
    for (let time = 0; time < 3; time += 1) expect(() => fieldLines(['X-Foul', value])).toThrow(TypeError)
    expect(fieldLines(['X-Foul', 'a'])).toBe('X-Foul: a\r\n')
  })

  it.each(['', 'a b', 'a:', 'a\r\n', 'é'])('are not written under %j, which is no token', (name) => {
    expect(isWritableName(name)).toBe(false)
    for (let time = 0; time < 2; time += 1) expect(() => fieldLines([name, 'x'])).toThrow(TypeError)
  })

  it('stay right when a thousand values of one name were all different', () => {
    for (let value = 0; value < 1_000; value += 1) expect(fieldLines(['X-Many', String(value)])).toBe(`X-Many: ${value}\r\n`)
    expect(fieldLines(['X-Many', '999', 'X-Many', '5'])).toBe('X-Many: 999\r\nX-Many: 5\r\n')
  })

  it('stay right with more names than are remembered', () => {
    const names = Array.from({ length: 2_000 }, (_, index) => `X-${index}`)
    for (let time = 0; time < 2; time += 1) expect(fieldLines(names.flatMap((name) => [name, name]))).toBe(names.map((name) => `${name}: ${name}\r\n`).join(''))
  })
})
