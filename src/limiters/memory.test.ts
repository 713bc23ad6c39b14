import { assert, property } from 'fast-check'
import { describe, expect, it } from 'vitest'
import { policy } from '../../test/support/described.ts'
import { scenario } from '../../test/support/limit-arbitraries.ts'
import { createLimitModel } from '../../test/support/limit-model.ts'
import { limiterContract } from './limiter.contract.ts'
import { createMemoryLimiter } from './memory.ts'

limiterContract('the memory limiter', () => createMemoryLimiter())

describe('the memory limiter', () => {
  it('keeps at most so many counters and forgets expired ones in passing', () => {
    const limiter = createMemoryLimiter({ maxCounters: 100 })
    const minute = policy({ quota: 1 })
    for (let n = 0; n < 1_000; n += 1) void limiter.consume([{ policy: minute, partition: String(n), cost: 1 }], 1_000_000)
    expect(limiter.size()).toBeLessThanOrEqual(100)
    for (let n = 0; n < 100; n += 1) void limiter.consume([{ policy: minute, partition: 'one', cost: 1 }], 2_000_000 + n * 60_000)
    expect(limiter.size()).toBeLessThanOrEqual(2)
  })

  it('forgets those that nobody uses when there are too many, not the one in use', () => {
    const limiter = createMemoryLimiter({ maxCounters: 100 })
    const minute = policy({ quota: 200 })
    for (let n = 0; n < 150; n += 1) {
      limiter.consume([{ policy: minute, partition: 'busy', cost: 1 }], 1_000_000)
      for (let other = 0; other < 10; other += 1) limiter.consume([{ policy: minute, partition: `${n} ${other}`, cost: 1 }], 1_000_000)
    }
    expect(limiter.consume([{ policy: minute, partition: 'busy', cost: 0 }], 1_000_000)[0]?.remaining).toBe(50)
  })

  it('shows and resets the counters of one partition', async () => {
    const limiter = createMemoryLimiter({ clock: () => 1_010 })
    const [minute, hour] = [policy({ id: 'minute', quota: 5 }), policy({ id: 'hour', quota: 9, windowMs: 3_600_000 })]
    limiter.consume([minute, hour].map((one) => ({ policy: one, partition: 'a', cost: 2 })), 1_000)
    limiter.consume([{ policy: minute, partition: 'b', cost: 5 }], 1_000)
    expect(await limiter.showLimits('a', [minute, hour])).toEqual([
      { policyId: 'minute', algorithm: 'fixed', windowMs: 60_000, used: 2, quota: 5, remaining: 3, resetsAt: 61_000 },
      { policyId: 'hour', algorithm: 'fixed', windowMs: 3_600_000, used: 2, quota: 9, remaining: 7, resetsAt: 3_601_000 },
    ])
    expect(await limiter.resetLimits('a', ['hour'])).toBe(1)
    expect(await limiter.resetLimits('a')).toBe(1)
    expect(await limiter.showLimits('a', [minute, hour])).toEqual([])
    expect(limiter.consume([{ policy: minute, partition: 'b', cost: 1 }], 1_000)[0]?.exceeded).toBe(true)
  })

  it('answers what would happen without spending', () => {
    const limiter = createMemoryLimiter()
    const charge = { policy: policy({ quota: 1 }), partition: 'a', cost: 1 }
    expect(limiter.look([charge], 1_000)[0]).toMatchObject({ exceeded: false, remaining: 0 })
    expect(limiter.look([charge], 1_000)[0]).toMatchObject({ exceeded: false, remaining: 0 })
  })
})

describe('decision by decision', () => {
  it('the memory limiter agrees with a simple model, whatever the windows, bursts, costs and times', () => {
    assert(
      property(scenario, ({ steps }) => {
        const limiter = createMemoryLimiter()
        const model = createLimitModel()
        let now = 1_700_000_000_000
        for (const { afterMs, charges } of steps) {
          now += afterMs
          expect(limiter.consume(charges, now).map(({ exceeded }) => exceeded)).toEqual(model.judge(charges, now))
        }
      }),
      { numRuns: 500 },
    )
  })
})
