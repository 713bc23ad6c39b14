import { describe, expect, it } from 'vitest'
import { type Memory, remember } from './memory.ts'

describe('the memory of a connection', () => {
  it('holds what was found out last by each, and little', () => {
    const memory: Memory = new Map()
    const [one, other] = [{}, {}]
    remember(memory, one, { answer: 1 })
    remember(memory, other, { answer: 2 })
    remember(memory, one, { answer: 3 })
    expect([memory.get(one), memory.get(other)]).toEqual([{ answer: 3 }, { answer: 2 }])
    for (let n = 0; n < 10_000; n += 1) remember(memory, {}, { n })
    expect(memory.size).toBeLessThanOrEqual(32)
  })
})
