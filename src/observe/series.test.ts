import { describe, expect, it } from 'vitest'
import { createSeries } from './series.ts'

describe('series', () => {
  it('give the same thing for the same values and another for others, whatever characters are in them', () => {
    const series = createSeries((values) => ({ values }))
    expect(series.of(['a', 'b'])).toBe(series.of(['a', 'b']))
    expect(series.of(['a', 'c'])).not.toBe(series.of(['a', 'b']))
    expect(series.of(['a\0b', ''])).not.toBe(series.of(['a', 'b']))
    expect(series.all().map(({ values }) => values)).toEqual([['a', 'b'], ['a', 'c'], ['a\0b', '']])
  })

  it('have one thing where there are no values', () => {
    const series = createSeries(() => ({ count: 0 }))
    series.of([]).count += 1
    expect(series.of([]).count).toBe(1)
  })
})
