import { describe, expect, it } from 'vitest'
import { createTraceId, traceIdOf, traceparentOf } from './trace.ts'

const ID = '4bf92f3577b34da6a3ce929d0e0e4736'
const SPAN = '00f067aa0ba902b7'

describe('traceIdOf', () => {
  it.each([`00-${ID}-${SPAN}-01`, `00-${ID}-${SPAN}-00`, `01-${ID}-${SPAN}-01`, `cc-${ID}-${SPAN}-01-what-comes-later`])('takes %s', (value) => {
    expect(traceIdOf(value)).toBe(ID)
  })

  it.each([
    undefined, '', ID, `ff-${ID}-${SPAN}-01`, `00-${'0'.repeat(32)}-${SPAN}-01`, `00-${ID}-${'0'.repeat(16)}-01`, `00-${ID.toUpperCase()}-${SPAN}-01`, `00-${ID}-${SPAN}-01-x`, `00-${ID}-${SPAN}-1`, `00-${ID}-${SPAN}`,
    ` 00-${ID}-${SPAN}-01`, `00-${ID}-${SPAN}-01 `, `00_${ID}_${SPAN}_01`, `01-${ID}-${SPAN}-01.x`, `01-${ID}-${SPAN}-01-${'x'.repeat(600)}`,
  ])('refuses %j', (value) => {
    expect(traceIdOf(value)).toBeUndefined()
  })
})

describe('traceparentOf', () => {
  it('makes a valid value with another span each time', () => {
    const values = new Set(Array.from({ length: 100 }, () => traceparentOf(ID)))
    expect(values.size).toBe(100)
    for (const value of values) expect(traceIdOf(value)).toBe(ID)
    expect(traceIdOf(traceparentOf(createTraceId()))).toBeDefined()
  })
})
