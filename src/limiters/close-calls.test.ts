import { describe, expect, it } from 'vitest'
import type { Limiter } from '../model/ports.ts'
import type { Charge, QuotaPolicy } from '../model/quota.ts'
import { createCloseCalls } from './close-calls.ts'
import { createMemoryLimiter } from './memory.ts'

const policy = (id: string, quota: number, more: Partial<QuotaPolicy> = {}): QuotaPolicy => ({ id, name: id, quota, windowMs: 60_000, algorithm: 'fixed', onUnavailable: 'local', shadow: false, reported: false, ...more })
const charge = (partition: string, of = policy('minute', 10), cost = 1): Charge => ({ policy: of, partition, cost })

/** A limiter that answers at once, and one that answers later. */
const LIMITERS: readonly (readonly [string, () => Limiter])[] = [
  ['at once', createMemoryLimiter],
  ['later', () => {
    const limiter = createMemoryLimiter()
    return { consume: async (charges, now) => limiter.consume(charges, now) }
  }],
]

describe.each(LIMITERS)('who is near or over a limit, asked of a limiter that answers %s', (_when, make) => {
  it('is remembered, refused ones first, and forgotten when the window ends', async () => {
    const calls = createCloseCalls()
    const limiter = calls.watch(make())
    for (let n = 0; n < 8; n += 1) await limiter.consume([charge('ip:near')], 1_000)
    for (let n = 0; n < 11; n += 1) await limiter.consume([charge('ip:over')], 2_000)
    for (let n = 0; n < 7; n += 1) await limiter.consume([charge('ip:far')], 1_000)
    expect(calls.list(3_000)).toEqual([
      { partition: 'ip:over', policyId: 'minute', exceeded: true, remaining: 0, quota: 10, at: 2_000, resetsAt: 62_000 },
      { partition: 'ip:near', policyId: 'minute', exceeded: false, remaining: 2, quota: 10, at: 1_000, resetsAt: 61_000 },
    ])
    expect(calls.list(61_000).map(({ partition }) => partition)).toEqual(['ip:over'])
    calls.forget('ip:over')
    expect(calls.list(61_000)).toEqual([])
  })

  it('changes nothing about the answers', async () => {
    const [plain, watched] = [make(), createCloseCalls().watch(make())]
    for (let n = 0; n < 3; n += 1) expect(await watched.consume([charge('a', policy('p', 2))], 5)).toEqual(await plain.consume([charge('a', policy('p', 2))], 5))
  })

  it('is so many and no more: those that were counted longest ago go first', async () => {
    const calls = createCloseCalls()
    const limiter = calls.watch(make())
    for (let n = 0; n < 501; n += 1) await limiter.consume([charge(`ip:${n}`, policy('one', 1))], 1_000 + n)
    const kept = calls.list(2_000).map(({ partition }) => partition)
    expect(kept).toHaveLength(500)
    expect(kept).not.toContain('ip:0')
  })
})
