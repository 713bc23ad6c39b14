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
 * Calls `late` when a wait lasts for `ms`. One timer at most, and it is not moved: nearly every wait ends early, so a begin only writes
 * down when it was, and the timer looks whether that is long ago. It keeps no process alive.
 */
export function createWait(ms: DurationMs, late: () => void): Wait {
  let timer: NodeJS.Timeout | undefined
  /** When the wait began, by the monotonic clock; undefined without one. */
  let since: number | undefined
  const ring = (): void => {
    timer = undefined
    if (since === undefined) return
    const left = since + ms - performance.now()
    // Timers count whole milliseconds, and may ring a part of one too early.
    if (left >= 1) {
      timer = setTimeout(ring, left).unref()
      return
    }
    since = undefined
    late()
  }
  return {
    begin: () => {
      since = performance.now()
      timer ??= setTimeout(ring, ms).unref()
    },
    end: () => {
      since = undefined
    },
    close: () => {
      since = undefined
      clearTimeout(timer)
      timer = undefined
    },
  }
}
