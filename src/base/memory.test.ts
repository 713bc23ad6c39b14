import { describe, expect, it } from 'vitest'
import { type Memory, recall, remember } from './memory.ts'

describe('the memory of a connection', () => {
  it('holds what was found out last by each', () => {
    const memory: Memory = new Map()
    const [one, other] = [{}, {}]
    remember(memory, one, { answer: 1 })
    remember(memory, other, { answer: 2 })
    remember(memory, one, { answer: 3 })
    expect([recall(memory, one), recall(memory, other), recall(memory, {})]).toEqual([{ answer: 3 }, { answer: 2 }, undefined])
  })

  it('holds little, and forgets nothing of it for what is known anew', () => {
    const memory: Memory = new Map()
    const known = Array.from({ length: 32 }, () => ({}))
    for (const whose of known) remember(memory, whose, { first: true })
    for (const whose of known) remember(memory, whose, { first: false })
    expect(known.map((whose) => recall(memory, whose))).toEqual(known.map(() => ({ first: false })))
    for (let n = 0; n < 10_000; n += 1) remember(memory, {}, { n })
    expect(memory.size).toBeLessThanOrEqual(32)
  })

  it('is none where there is none', () => {
    remember(undefined, {}, {})
    expect(recall(undefined, {})).toBeUndefined()
  })
})
