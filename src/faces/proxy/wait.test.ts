import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { createWait } from './wait.ts'

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

describe('a wait', () => {
  it('is late once, when nobody ends it', () => {
    const late = vi.fn()
    createWait(100, late).begin()
    vi.advanceTimersByTime(99)
    expect(late).not.toHaveBeenCalled()
    vi.advanceTimersByTime(1_000)
    expect(late).toHaveBeenCalledTimes(1)
  })

  it('begins anew each time it is told to', () => {
    const late = vi.fn()
    const wait = createWait(100, late)
    wait.begin()
    vi.advanceTimersByTime(60)
    wait.begin()
    vi.advanceTimersByTime(99)
    expect(late).not.toHaveBeenCalled()
    vi.advanceTimersByTime(1)
    expect(late).toHaveBeenCalledTimes(1)
  })

  it('is never late when it was ended, and can be begun again', () => {
    const late = vi.fn()
    const wait = createWait(100, late)
    wait.begin()
    wait.end()
    vi.advanceTimersByTime(1_000)
    expect(late).not.toHaveBeenCalled()
    wait.begin()
    vi.advanceTimersByTime(100)
    expect(late).toHaveBeenCalledTimes(1)
  })

  it('leaves no timer behind when the connection is over', () => {
    const wait = createWait(100, () => undefined)
    wait.begin()
    expect(vi.getTimerCount()).toBe(1)
    wait.close()
    expect(vi.getTimerCount()).toBe(0)
  })
})
