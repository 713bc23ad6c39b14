import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { MaybePromise } from '../../base/time.ts'
import type { Allow } from '../../model/decision.ts'
import { SILENT } from '../../model/event.ts'
import { createVigil, type Vigil } from './vigil.ts'

const decisionOf = (ended: (() => MaybePromise<boolean>) | undefined, observe = false): Allow => {
  const principal = { kind: 'identified', subject: 'alice' }
  const uses = [{ authenticator: { id: 'jwt', ...(ended && { ended }) } }]
  return { route: { authentication: { mode: 'any', uses }, observe }, principals: { primary: principal, byAuthenticator: new Map([['jwt', principal]]) } } as unknown as Allow
}

describe('the vigil', () => {
  let vigil: Vigil
  beforeEach(() => {
    vi.useFakeTimers()
    vigil = createVigil({ clock: Date.now, observer: SILENT })
  })
  afterEach(() => {
    vigil.close()
    vi.useRealTimers()
  })

  it('does not watch proofs that only expire', () => {
    expect(vigil.watch(decisionOf(undefined), () => undefined)).toBeUndefined()
  })

  it('does not watch where refusals are let pass', () => {
    expect(vigil.watch(decisionOf(() => true, true), () => undefined)).toBeUndefined()
  })

  it.each([['at once', (over: boolean) => over], ['later', (over: boolean) => Promise.resolve(over)]])('ends once what is answered %s to have ended', async (_when, answer) => {
    let over = false
    const end = vi.fn()
    vigil.watch(decisionOf(() => answer(over)), end)
    await vi.advanceTimersByTimeAsync(1_000)
    expect(end).not.toHaveBeenCalled()
    over = true
    await vi.advanceTimersByTimeAsync(250)
    await vi.advanceTimersByTimeAsync(1_000)
    expect(end).toHaveBeenCalledTimes(1)
  })

  it('ends once when the time of the proof has come, also while an answer is waited for', async () => {
    const ends = [vi.fn(), vi.fn()]
    vigil.watch(decisionOf(undefined), ends[0]!, Date.now() + 1_000)
    vigil.watch(decisionOf(() => new Promise<boolean>(() => undefined)), ends[1]!, Date.now() + 1_000)
    await vi.advanceTimersByTimeAsync(999)
    for (const end of ends) expect(end).not.toHaveBeenCalled()
    await vi.advanceTimersByTimeAsync(1_000)
    for (const end of ends) expect(end.mock.calls).toEqual([['expired']])
  })

  it('does not ask again while it waits for an answer, nor after it was told to stop', async () => {
    const ask = vi.fn(() => new Promise<boolean>(() => undefined))
    const stop = vigil.watch(decisionOf(ask), () => undefined)
    await vi.advanceTimersByTimeAsync(1_000)
    expect(ask).toHaveBeenCalledTimes(1)
    stop?.()
    const quick = vi.fn(() => false)
    vigil.watch(decisionOf(quick), () => undefined)?.()
    await vi.advanceTimersByTimeAsync(1_000)
    expect(quick).not.toHaveBeenCalled()
  })
})
