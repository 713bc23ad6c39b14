import { describe, expect, it } from 'vitest'
import { parseDuration, parseExpiry, parseInstant, rfc3339 } from './scalars.ts'

const NOW = Date.UTC(2026, 0, 1)

describe('a duration', () => {
  it.each([['0', 0], ['1s', 1_000], ['6s', 6_000], ['15m', 900_000], ['24h', 86_400_000], ['90d', 7_776_000_000]])('%s is %d ms', (text, ms) => {
    expect(parseDuration(text)).toBe(ms)
  })
  it.each(['', '1', 's', '-1s', '1.5h', '1 h', '1w', '1H', '99999999d'])('%j is none', (text) => expect(parseDuration(text)).toBeUndefined())
})

describe('an instant', () => {
  it.each([
    ['2026-06-01', '2026-06-01T00:00:00Z'],
    ['2026-06-01T12:00:00Z', '2026-06-01T12:00:00Z'],
    ['2026-06-01t12:00:00z', '2026-06-01T12:00:00Z'],
    ['2026-06-01T12:00:00.999+02:00', '2026-06-01T10:00:00Z'],
    ['2028-02-29', '2028-02-29T00:00:00Z'],
  ])('%s is %s', (text, expected) => expect(rfc3339(parseInstant(text) ?? 0)).toBe(expected))

  it.each(['', '2026', '2026-02-30', '2026-13-01', '2026-06-01T12:00:00', '2026-06-01 12:00:00Z', '2026-06-01T25:00:00Z', 'tomorrow', '06/01/2026'])('%j is none', (text) => {
    expect(parseInstant(text)).toBeUndefined()
  })
})

describe('an expiry', () => {
  it('is a length from now or an instant to come', () => {
    expect(parseExpiry('1s', NOW)).toBe(NOW + 1_000)
    expect(parseExpiry('2026-06-01', NOW)).toBe(Date.UTC(2026, 5, 1))
  })
  it.each(['0', '2025-12-31', '2026-01-01', '9999999d', 'soon'])('%j is refused', (text) => expect(parseExpiry(text, NOW)).toBeUndefined())
})
