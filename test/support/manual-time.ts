import type { Schedule } from '../../src/authenticators/schedule.ts'

/** A clock and a scheduler that only move when a test says so. */
export interface ManualTime {
  readonly clock: () => number
  readonly schedule: Schedule
  /** Moves the clock and runs what became due, in order. */
  readonly advance: (ms: number) => void
  /** How far away the waiting runs are. */
  readonly waiting: () => readonly number[]
}

export function createManualTime(start = 1_700_000_000_000): ManualTime {
  let now = start
  const due = new Set<{ at: number; run: () => void }>()
  return {
    clock: () => now,
    schedule: (delayMs, run) => {
      const entry = { at: now + delayMs, run }
      due.add(entry)
      return () => due.delete(entry)
    },
    advance: (ms) => {
      now += ms
      for (const entry of [...due].toSorted((a, b) => a.at - b.at)) {
        if (entry.at > now || !due.delete(entry)) continue
        entry.run()
      }
    },
    waiting: () => [...due].map(({ at }) => at - now),
  }
}
