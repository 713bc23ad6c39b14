import { describe, expect, it } from 'vitest'
import { createRequestId, requestIdOf } from './request-id.ts'

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/

describe('a request id of ours', () => {
  const ids = Array.from({ length: 10_000 }, createRequestId)

  it('is a UUID of version 4, and none comes twice', () => {
    for (const id of ids) expect(id).toMatch(UUID)
    expect(new Set(ids).size).toBe(ids.length)
  })

  it('has every digit at every free place, about as often', () => {
    for (const place of [0, 7, 9, 15, 20, 35]) {
      const counts = new Map<string, number>()
      for (const id of ids) counts.set(id.charAt(place), (counts.get(id.charAt(place)) ?? 0) + 1)
      expect(counts.size).toBe(16)
      // 625 each; eight standard deviations.
      for (const count of counts.values()) expect(Math.abs(count - 625)).toBeLessThan(194)
    }
    expect(new Set(ids.map((id) => id.charAt(19)))).toEqual(new Set(['8', '9', 'a', 'b']))
  })
})

describe('the id of a request', () => {
  const headers = (...ids: string[]): Map<string, string[]> => new Map([['x-request-id', ids]])

  it('is that of a trusted proxy, when it is one, short and harmless', () => {
    expect(requestIdOf(headers('from-proxy.1_2'), true)).toBe('from-proxy.1_2')
    for (const bad of [headers(), headers('a', 'b'), headers(''), headers('a b'), headers('x'.repeat(129)), headers('a\r\nb')]) expect(requestIdOf(bad, true)).toMatch(UUID)
    expect(requestIdOf(headers('from-client'), false)).toMatch(UUID)
    expect(requestIdOf(new Map(), true)).toMatch(UUID)
  })
})
