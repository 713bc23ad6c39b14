import { afterEach, describe, expect, it, vi } from 'vitest'
import { route } from '../config/schema.ts'
import { observedText, remindHourly } from './observing.ts'

const named = (name: string, mode?: 'enforce' | 'observe') => route.parse({ name, ...(mode && { mode }) })

describe('where refusals are let pass', () => {
  it.each([
    ['nowhere, which is how it is without a word', undefined, { observe: false, routes: [named('a'), named('b', 'enforce')] }],
    ['on the routes that say so', 'a, b', { observe: false, routes: [named('a', 'observe'), named('b', 'observe'), named('c')] }],
    ['everywhere', 'everything', { observe: true, routes: [named('a'), named('b', 'observe')] }],
    ['everywhere without routes', 'everything', { observe: true }],
    ['everywhere but on those that enforce', 'everything but a', { observe: true, routes: [named('a', 'enforce'), named('b')] }],
  ])('is told: %s', (_title, expected, config) => {
    expect(observedText(config)).toBe(expected)
  })
})

describe('the reminder', () => {
  afterEach(() => void vi.useRealTimers())

  it('is written every hour, for as long as refusals are let pass', () => {
    vi.useFakeTimers()
    const lines: string[] = []
    let observe = true
    const stop = remindHourly(() => ({ observe }), { write: (level, code) => void lines.push(`${level} ${code}`) })
    vi.advanceTimersByTime(2 * 3_600_000)
    expect(lines).toEqual(['warn observe_mode', 'warn observe_mode'])
    observe = false
    vi.advanceTimersByTime(3_600_000)
    observe = true
    stop()
    vi.advanceTimersByTime(3_600_000)
    expect(lines).toHaveLength(2)
  })
})
