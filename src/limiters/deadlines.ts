import type { DurationMs } from '../base/time.ts'

/** Calls that all have the same time to answer. */
export interface Deadlines {
  /** Starts the clock of one call. The function that comes back stops it; it says false when the time was up already. */
  readonly start: (expired: () => void) => () => boolean
  /** Ends every call that still waits, at once. */
  readonly expireAll: () => void
  /** Calls that wait. */
  readonly size: () => number
}

interface Waiting { readonly expiresAt: number; readonly expired: () => void; open: boolean }

/**
 * One timer for all: calls expire in the order they came. When it rings, sockets are read before anything is given up, since after a pause
 * of this very process the answers are there already and only the timer is early.
 */
export function createDeadlines(deadlineMs: DurationMs): Deadlines {
  let queue: Waiting[] = []
  let head = 0
  let size = 0
  let timer: NodeJS.Timeout | undefined

  const end = (call: Waiting): boolean => {
    if (!call.open) return false
    call.open = false
    size -= 1
    return true
  }

  const arm = (): void => {
    while (head < queue.length && !queue[head]?.open) head += 1
    const oldest = queue[head]
    if (!oldest) {
      queue = []
      head = 0
    } else if (!timer) {
      timer = setTimeout(ring, Math.max(oldest.expiresAt - performance.now(), 0))
    }
  }

  const sweep = (): void => {
    const now = performance.now()
    for (let call = queue[head]; call && (!call.open || call.expiresAt <= now); call = queue[head]) {
      head += 1
      if (end(call)) call.expired()
    }
    // What ended is behind us: the list follows the calls that wait.
    queue = queue.slice(head)
    head = 0
    arm()
  }

  function ring(): void {
    timer = undefined
    setImmediate(sweep)
  }

  return {
    start: (expired) => {
      const call: Waiting = { expiresAt: performance.now() + deadlineMs, expired, open: true }
      queue.push(call)
      size += 1
      arm()
      return () => end(call)
    },
    expireAll: () => {
      const waiting = queue.slice(head)
      queue = []
      head = 0
      clearTimeout(timer)
      timer = undefined
      for (const call of waiting) if (end(call)) call.expired()
    },
    size: () => size,
  }
}
