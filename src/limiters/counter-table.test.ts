import { array, assert, constantFrom, integer, oneof, property, record } from 'fast-check'
import { describe, expect, it } from 'vitest'
import { policy } from '../../test/support/described.ts'
import { createCounterTable } from './counter-table.ts'

const LASTING = 1_000_000_000
const MAX = 4

const ids = ['a', 'ab', 'abc'] as const
const partitions = ['p', 'q', 'bp', 'r'] as const
const keep = record({ act: constantFrom('keep' as const), id: constantFrom(...ids), partition: constantFrom(...partitions), used: integer({ min: 1, max: 9 }) })
const forget = record({ act: constantFrom('forget' as const), id: constantFrom(...ids, undefined), partition: constantFrom(...partitions) })

describe('a table of counters', () => {
  it('keeps those that were written last, whatever is written and forgotten in between', () => {
    assert(
      property(array(oneof({ weight: 6, arbitrary: keep }, { weight: 1, arbitrary: forget }), { maxLength: 60 }), (acts) => {
        const table = createCounterTable(MAX)
        let model: { id: string; partition: string; used: number }[] = []
        for (const one of acts) {
          if (one.act === 'keep') {
            table.keep(policy({ id: one.id, windowMs: LASTING }), one.partition, { startedAt: 1, used: one.used, previous: 0 }, 2)
            model = [...model.filter(({ id, partition }) => id !== one.id || partition !== one.partition), one].slice(-MAX)
          } else {
            const gone = model.filter(({ id, partition }) => partition === one.partition && (one.id === undefined || id === one.id))
            expect(table.forget(one.partition, one.id === undefined ? undefined : [one.id])).toBe(gone.length)
            model = model.filter((each) => !gone.includes(each))
          }
          expect(table.size()).toBe(model.length)
          for (const id of ids) for (const partition of partitions) expect(table.find(id, partition)?.used).toBe(model.find((each) => each.id === id && each.partition === partition)?.used)
        }
      }),
      { numRuns: 300 },
    )
  })

  it('meets every counter that is over within as many writes as there are counters', () => {
    const table = createCounterTable(1_000)
    const minute = policy({ windowMs: 60_000 })
    for (let n = 0; n < 500; n += 1) table.keep(n % 2 === 0 ? minute : policy({ id: 'long', windowMs: LASTING }), String(n), { startedAt: 1, used: 1, previous: 0 }, 2)
    for (let n = 0; n < 500; n += 1) table.keep(minute, 'busy', { startedAt: 100_000, used: n, previous: 0 }, 100_000)
    expect(table.size()).toBe(251)
  })

  it('forgets the one that it would have looked at next, once', () => {
    const minute = policy({ windowMs: 60_000 })
    for (const written of [0, 1, 2, 3, 4]) {
      for (const partition of ['0', '1', '2', '3', '4']) {
        const table = createCounterTable(1_000)
        for (let n = 0; n < 5; n += 1) table.keep(minute, String(n), { startedAt: 1, used: 1, previous: 0 }, 2)
        for (let n = 0; n < written; n += 1) table.keep(minute, '4', { startedAt: 1, used: 1, previous: 0 }, 2)
        expect(table.forget(partition)).toBe(1)
        for (let n = 0; n < 5; n += 1) table.keep(minute, 'busy', { startedAt: 100_000, used: 1, previous: 0 }, 100_000)
        expect([written, partition, table.size()]).toEqual([written, partition, 1])
      }
    }
  })
})
