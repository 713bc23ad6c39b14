import { describe, expect, it } from 'vitest'
import { TARGETS } from './targets.ts'

/** A part of one batch; `npm run fuzz` is the long run. */
const PART = 50
const SEED = 2_026

describe('a few cases of every target, always the same ones', () => {
  it.each(TARGETS.map((target) => [target.name, target] as const))('%s', { timeout: 60_000 }, async (_name, target) => {
    const { cases, verdicts, failure } = await target.run(SEED, Math.ceil(target.batch / PART))
    expect(failure && `${failure.counterexample}\n${failure.error}`).toBeUndefined()
    expect(cases).toBeGreaterThan(20)
    // Otherwise the oracle has nothing to compare.
    expect(Object.keys(verdicts).length).toBeGreaterThan(1)
  })
})
