import { describe, expect, it } from 'vitest'
import { policy } from '../../test/support/described.ts'
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
