import { describe, expect, it } from 'vitest'
import { policy } from '../../test/support/described.ts'
import type { Charge, ServiceLimit } from '../model/quota.ts'
import { createDenyCache } from './deny-cache.ts'

const NOW = 1_000_000
const minute = policy({ id: 'minute', quota: 5 })
const day = policy({ id: 'day', quota: 50, windowMs: 86_400_000 })
const charge = (of = minute, partition = 'a', cost = 1): Charge => ({ policy: of, partition, cost })
const limit = (of = minute, exceeded = true): ServiceLimit => ({ policy: of, remaining: exceeded ? 0 : 7, resetsAt: NOW + 60_000, exceeded, retryAt: NOW + 30_000 })
const create = (more = {}) => createDenyCache({ keyOf: (partition) => partition, ...more })

describe('partitions that are known to be blocked', () => {
  it('are refused until the moment that the store named, and not longer', () => {
    const cache = create()
    cache.learn([charge()], [limit()], NOW)
    expect(cache.look([charge()], NOW + 29_999)?.[0]).toMatchObject({ exceeded: true, remaining: 0 })
    expect(cache.look([charge()], NOW + 30_000)).toBeUndefined()
    expect(cache.size()).toBe(0)
  })

  it('refuse a call that holds one of them, and tell the other windows as last seen', () => {
    const cache = create()
    cache.learn([charge(), charge(day)], [limit(), limit(day, false)], NOW)
    expect(cache.look([charge(day), charge()], NOW)?.map(({ policy: { id }, exceeded, remaining }) => [id, exceeded, remaining])).toEqual([['day', false, 7], ['minute', true, 0]])
  })

  it('tell a window that they have not seen as empty, never as more than there is', () => {
    const cache = create()
    cache.learn([charge()], [limit()], NOW)
    expect(cache.look([charge(), charge(day)], NOW)?.[1]).toMatchObject({ exceeded: false, remaining: 0 })
  })

  it.each<[string, Charge]>([
    ['another partition', charge(minute, 'b')],
    ['another policy', charge(day)],
    ['a smaller cost', charge(minute, 'a', 1)],
    ['the policy after a reload that raised it', charge({ ...minute, quota: 6 })],
    ['a policy that only counts', charge({ ...minute, shadow: true })],
  ])('say nothing of %s', (_what, other) => {
    const cache = create()
    cache.learn([charge(minute, 'a', 2)], [limit()], NOW)
    expect(cache.look([other], NOW)).toBeUndefined()
  })

  it('are believed for a while only where units may be given back', () => {
    const cache = create({ maxMs: 1_000 })
    cache.learn([charge()], [limit()], NOW)
    expect(cache.look([charge()], NOW + 999)).toBeDefined()
    expect(cache.look([charge()], NOW + 1_000)).toBeUndefined()
  })

  it('are not learnt from charges that share a counter, from what fits, or from what the store did not say', () => {
    const cache = create()
    cache.learn([charge(minute, 'a', 3), charge(minute, 'a', 3)], [limit(minute, false), limit()], NOW)
    cache.learn([charge(day)], [limit(day, false)], NOW)
    cache.learn([charge(day, 'b')], [undefined], NOW)
    expect(cache.size()).toBe(0)
  })

  it('are a bounded number, whatever an attacker sends', () => {
    const cache = create({ max: 100 })
    for (let n = 0; n < 10_000; n += 1) cache.learn([charge(minute, String(n))], [limit()], NOW)
    expect(cache.size()).toBe(100)
  })
})
