import { describe, expect, it } from 'vitest'
import { remembering } from './remembering.ts'

function counted(): { readonly of: (text: string) => string | undefined; readonly asked: string[] } {
  const asked: string[] = []
  const of = (text: string): string | undefined => {
    asked.push(text)
    return text === 'bad' ? undefined : text.toUpperCase()
  }
  return { asked, of: remembering(of, 100) }
}

describe('remembering', () => {
  it('asks once for each text, and again for what was nothing', () => {
    const { of, asked } = counted()
    expect(['a', 'b', 'a', 'bad', 'bad'].map(of)).toEqual(['A', 'B', 'A', undefined, undefined])
    expect(asked).toEqual(['a', 'b', 'bad', 'bad'])
  })

  it('keeps no long text', () => {
    const { of, asked } = counted()
    const long = 'x'.repeat(65)
    expect([of(long), of(long)]).toEqual([long.toUpperCase(), long.toUpperCase()])
    expect(asked).toHaveLength(2)
  })

  it('forgets when strangers send ever new ones', () => {
    const { of, asked } = counted()
    for (let n = 0; n <= 100; n += 1) of(String(n))
    of('0')
    expect(asked).toHaveLength(102)
  })
})
