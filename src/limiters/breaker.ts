/** `down`: nobody asks the store. `recovering`: some do, more with each answer. `serving`: everybody does. */
export type StoreStatus = 'down' | 'recovering' | 'serving'

/** Decides who may ask the store. Pure but for what it was told; time and timers are with the link. */
export interface Breaker {
  readonly status: () => StoreStatus
  /** Whether one more call may be made while so many wait. */
  readonly permits: (waiting: number) => boolean
  /** A call was answered. */
  readonly succeeded: () => void
  /** A call was not answered. */
  readonly failed: (how: 'timeout' | 'error') => void
  /** A probe found the store fit to take writes. */
  readonly probed: () => void
}

/** So many calls in a row without an answer mean that the store is gone; fewer may be one slow moment. */
const TIMEOUTS_TO_OPEN = 5

/** After a probe so many may ask at once; each answer admits one more, so a store that just came back is not trampled. */
const FIRST_PERMITS = 4
const PERMITS_TO_SERVE = 64

/** Most calls that wait at once when all is well. More would only wait for each other. */
const MAX_WAITING = 1_000

export interface BreakerSettings {
  /** Many servers behind one name: an error of one says little of the others, so it weighs no more than a late answer. */
  readonly many: boolean
}

export function createBreaker({ many }: BreakerSettings): Breaker {
  let status: StoreStatus = 'down'
  let timeouts = 0
  let permits = FIRST_PERMITS
  let served = false
  return {
    status: () => status,
    permits: (waiting) => status !== 'down' && waiting < (status === 'serving' ? MAX_WAITING : permits),
    succeeded: () => {
      timeouts = 0
      if (status !== 'recovering') return
      permits += 1
      if (permits >= PERMITS_TO_SERVE) status = 'serving'
    },
    failed: (how) => {
      timeouts += 1
      const final = !many && (how === 'error' || status === 'recovering')
      if (final || timeouts >= TIMEOUTS_TO_OPEN) status = 'down'
    },
    probed: () => {
      if (status !== 'down') return
      timeouts = 0
      permits = FIRST_PERMITS
      // At the start nobody has been waiting, and what is decided without the store is less exact.
      status = served ? 'recovering' : 'serving'
      served = true
    },
  }
}
