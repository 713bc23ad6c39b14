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
