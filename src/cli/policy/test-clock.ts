import type { EpochMs } from '../../base/time.ts'

/** The time of a run, which only moves when it is told to. */
export interface TestClock {
  readonly now: () => EpochMs
  readonly set: (at: EpochMs) => void
}

export function createTestClock(start: EpochMs): TestClock {
  let at = start
  return {
    now: () => at,
    set: (next) => {
      at = next
    },
  }
}
