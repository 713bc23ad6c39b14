import { beforeAll, describe, expect, it } from 'vitest'
import { runSoak, type SoakResult } from '../../bench/soak/run.ts'

describe('half a minute of everything at once', () => {
  let result: SoakResult
  beforeAll(async () => {
    // Reloads end early enough that what the last of them left behind is swept before the end.
    result = await runSoak({ seconds: 12, rate: 60, sampleEveryMs: 4_000, faultEveryMs: 3_200, reloadEveryMs: 1_500, reloadUntil: 0.3 })
  }, 120_000)

  it('comes to nothing but what it may come to', () => {
    expect(result.surprises).toEqual([])
    expect(result.requests).toBeGreaterThan(200)
    expect(result.faults).toBeGreaterThanOrEqual(3)
  })

  it('lets nobody in who may not', () => {
    expect(result.letIn).toEqual([])
    expect(Object.keys(result.outcomes)).toEqual(expect.arrayContaining(['forgedSignature', 'missing', 'check', 'socket', 'key']))
  })

  it('takes the reloads, and tells of no bug', () => {
    // Two writes within a moment are one reload.
    expect(result.reloadsTaken).toBeGreaterThanOrEqual(result.reloads - 1)
    expect(result.complaints).toEqual([])
  })

  it('leaves no descriptor and no handle behind', () => {
    expect(result.restedAfterMs, JSON.stringify({ before: result.before, after: result.after })).toBeDefined()
    expect(result.exitCode).toBe(0)
  })
})
