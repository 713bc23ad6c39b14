import { describe, expect, test } from 'vitest'
import type { QuotaPolicy, ServiceLimit } from '../model/quota.ts'
import { rateLimitFields } from './rate-limit-fields.ts'

const NOW = 1_700_000_000_250

interface Shape { readonly name: string; readonly quota: number; readonly windowMs: number; readonly remaining: number; readonly resetsIn: number; readonly retryIn?: number; readonly exceeded?: boolean; readonly reported?: boolean }

function limit({ name, quota, windowMs, remaining, resetsIn, retryIn, exceeded = false, reported = false }: Shape): ServiceLimit {
  const policy: QuotaPolicy = { id: name, name, quota, windowMs, algorithm: 'fixed', onUnavailable: 'local', shadow: false, reported }
  return { policy, remaining, resetsAt: NOW + resetsIn, exceeded, retryAt: NOW + (retryIn ?? 0) }
}

const minute = limit({ name: 'minute', quota: 60, windowMs: 60_000, remaining: 45, resetsIn: 11_200, reported: true })
const hour = limit({ name: 'hour', quota: 1_000, windowMs: 3_600_000, remaining: 985, resetsIn: 3_012_000 })

const fields = (limits: readonly ServiceLimit[], over = {}): Readonly<Record<string, string>> =>
  Object.fromEntries(rateLimitFields(limits, { ietf: true, legacy: true, reset: 'epoch', ...over }, NOW))

describe('the fields of the draft', () => {
  test('every window is listed, in order, with its seconds rounded up', () => {
    const { 'RateLimit-Policy': policy, RateLimit: left } = fields([minute, hour])
    expect(policy).toBe('"minute";q=60;w=60, "hour";q=1000;w=3600')
    expect(left).toBe('"minute";r=45;t=12, "hour";r=985;t=3012')
  })

  test.each([
    ['never longer than the window, whatever the clocks say', { resetsIn: 60_900 }, 'r=5;t=60'],
    ['never negative', { resetsIn: -900 }, 'r=5;t=0'],
    ['at most one second too long', { resetsIn: 1_001 }, 'r=5;t=2'],
    ['a refusal counts to the retry, so Retry-After is never earlier', { resetsIn: 59_000, exceeded: true, retryIn: 900, remaining: 0 }, 'r=0;t=1'],
    ['units are whole', { remaining: 4.7, resetsIn: 1_000 }, 'r=4;t=1'],
    ['units are not negative', { remaining: -3, resetsIn: 1_000 }, 'r=0;t=1'],
  ])('%s', (_title, over, expected) => {
    const base: Shape = { name: 'm', quota: 60, windowMs: 60_000, remaining: 5, resetsIn: 0 }
    expect(fields([limit({ ...base, ...over })]).RateLimit).toBe(`"m";${expected}`)
  })

  test('a window shorter than a second is a second, since w is a positive integer', () => {
    expect(fields([limit({ name: 'fast', quota: 5, windowMs: 200, remaining: 5, resetsIn: 200 })])['RateLimit-Policy']).toBe('"fast";q=5;w=1')
  })

  test('names are escaped as structured field strings', () => {
    expect(fields([limit({ name: 'per "user"\r\n', quota: 5, windowMs: 1_000, remaining: 5, resetsIn: 0 })])['RateLimit-Policy']).toBe(String.raw`"per \"user\"%0D%0A";q=5;w=1`)
  })

  test('a name that was counted twice is shown once, with the tighter count', () => {
    const { RateLimit: left } = fields([minute, { ...minute, remaining: 3 }])
    expect(left).toBe('"minute";r=3;t=12')
  })
})

describe('X-RateLimit-*', () => {
  const legacy = (limits: readonly ServiceLimit[], over = {}): readonly (string | undefined)[] => {
    const all = fields(limits, over)
    return [all['X-RateLimit-Limit'], all['X-RateLimit-Remaining'], all['X-RateLimit-Reset']]
  }

  test('show the policy that is marked for them, even when another is tighter', () => {
    expect(legacy([{ ...hour, remaining: 1 }, minute])).toEqual(['60', '45', '1700000011'])
  })

  test('show the tightest when none is marked', () => {
    expect(legacy([hour, { ...minute, policy: { ...minute.policy, reported: false } }])[0]).toBe('60')
  })

  test('a refusing policy is tighter than any other', () => {
    const spent = limit({ name: 'bulk', quota: 1_000, windowMs: 60_000, remaining: 400, resetsIn: 60_000, exceeded: true, retryIn: 1_000 })
    expect(legacy([limit({ name: 'empty', quota: 5, windowMs: 1_000, remaining: 0, resetsIn: 500 }), spent])[0]).toBe('1000')
  })

  test('an epoch reset lies after now and not beyond the window', () => {
    for (const resetsIn of [1, 200, 749, 750, 30_000, 59_999, 60_000]) {
      const reset = Number(legacy([{ ...minute, resetsAt: NOW + resetsIn }])[2])
      expect(reset).toBeGreaterThan(Math.floor(NOW / 1_000))
      expect(reset).toBeLessThanOrEqual(NOW / 1_000 + 60)
    }
  })

  test('a delta reset is the t of the draft', () => {
    expect(legacy([minute], { reset: 'delta' })[2]).toBe('12')
  })
})

test.each([
  ['nothing was counted', [], { ietf: true, legacy: true }, []],
  ['both are off', [minute], { ietf: false, legacy: false }, []],
  ['only the draft is on', [minute], { ietf: true, legacy: false }, ['RateLimit-Policy', 'RateLimit']],
  ['only the old ones are on', [minute], { ietf: false, legacy: true }, ['X-RateLimit-Limit', 'X-RateLimit-Remaining', 'X-RateLimit-Reset']],
])('which fields there are when %s', (_title, limits, over, expected) => {
  expect(Object.keys(fields(limits, over))).toEqual(expected)
})
