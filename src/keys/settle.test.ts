import { describe, expect, it } from 'vitest'
import { settle } from './settle.ts'

const fail = (): never => { throw new Error('no') }

describe('settling', () => {
  it('stays synchronous for a value and for a throw', () => {
    expect(settle(() => 1, (n) => n + 1, () => -1)).toBe(2)
    expect(settle(fail, () => 0, () => -1)).toBe(-1)
  })
  it('follows a promise and its rejection', async () => {
    expect(await settle(async () => 1, (n) => n + 1, () => -1)).toBe(2)
    expect(await settle(async () => fail(), () => 0, () => -1)).toBe(-1)
  })
  it('does not take a failure of what comes after for a failure of the start', () => {
    expect(() => settle(() => 1, fail, () => -1)).toThrow('no')
  })
})
