import type { DurationMs } from '../../base/time.ts'

/** Patience for one thing that may happen again and again on a connection. */
export interface Wait {
  /** Waits from now on, also when it was waiting already. */
  readonly begin: () => void
  readonly end: () => void
  /** The connection is over: nothing is left behind. */
  readonly close: () => void
}

/**
 * Calls `late` when a wait lasts for `ms`. One timer for the life of a connection: nearly every wait ends early, and moving a timer
 * costs less than making one. It keeps no process alive.
 */
export function createWait(ms: DurationMs, late: () => void): Wait {
  let timer: NodeJS.Timeout | undefined
  let waiting = false
  const ring = (): void => {
    if (!waiting) return
    waiting = false
    late()
  }
  return {
    begin: () => {
      waiting = true
      if (timer) timer.refresh()
      else timer = setTimeout(ring, ms).unref()
    },
    end: () => {
      waiting = false
    },
    close: () => {
      waiting = false
      clearTimeout(timer)
      timer = undefined
    },
  }
}
