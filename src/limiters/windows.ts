import type { DurationMs, EpochMs } from '../base/time.ts'
import type { QuotaPolicy, ServiceLimit } from '../model/quota.ts'

/**
 * One counter, whatever its algorithm; three whole numbers, so that memory and Redis can never round differently.
 * `startedAt`: when the window opened (gcra: when `used` was last true). `used`: units spent in it (gcra: backlog in units × window
 * milliseconds). `previous`: units of the window before (sliding), or windows in a row that were spent whole (fixed with back-off).
 */
export interface Counter {
  readonly startedAt: EpochMs
  readonly used: number
  readonly previous: number
}

/** What a charge would come to. Nothing is written until every charge of the call fits. */
export interface Trial {
  /** As the pipe reports it. */
  readonly limit: ServiceLimit
  /** The counter after spending. */
  readonly next: Counter
}

const NEW: Counter = { startedAt: 0, used: 0, previous: 0 }

/** 2^30 windows are longer than any back-off; more would only lose precision. */
const MAX_STRIKES = 30

/** How long a fixed window is after so many that were spent whole. */
const lengthOf = ({ windowMs, backoffMs = 0 }: QuotaPolicy, strikes: number): DurationMs => (backoffMs === 0 ? windowMs : Math.max(Math.min(windowMs * 2 ** strikes, backoffMs), windowMs))

/** A window that was spent whole is remembered for the length of the next one: who comes back within it waits twice as long. */
const strikeEndsAt = (policy: QuotaPolicy, { startedAt, previous }: Counter): EpochMs => startedAt + lengthOf(policy, previous) + lengthOf(policy, previous + 1)

/** The window that governs at `now`, opened or about to be. */
function windowAt(policy: QuotaPolicy, counter: Counter, now: EpochMs): Counter {
  if (policy.algorithm === 'calendar') {
    const aligned = now - (now % policy.windowMs)
    // A clock that went back must not open an earlier window anew.
    return counter.startedAt >= aligned ? counter : { startedAt: aligned, used: 0, previous: 0 }
  }
  if (counter.startedAt > 0 && now < counter.startedAt + lengthOf(policy, counter.previous)) return counter
  const struck = policy.backoffMs !== undefined && counter.used >= policy.quota && now < strikeEndsAt(policy, counter)
  return { startedAt: now, used: 0, previous: struck ? Math.min(counter.previous + 1, MAX_STRIKES) : 0 }
}

/** Fixed windows open with the first charge; calendar windows are aligned to the epoch. */
function tryWindow(policy: QuotaPolicy, counter: Counter, cost: number, now: EpochMs): Trial {
  const { quota } = policy
  const window = windowAt(policy, counter, now)
  const fits = window.used + Math.max(cost, 1) <= quota
  const resetsAt = window.startedAt + lengthOf(policy, window.previous)
  return {
    limit: { policy, remaining: Math.max(quota - window.used - (fits ? cost : 0), 0), resetsAt, exceeded: !fits, retryAt: resetsAt },
    next: { startedAt: window.startedAt, used: window.used + cost, previous: window.previous },
  }
}

/** The previous window counts by the share of it that still lies within one window's length; both are aligned to the epoch. */
function trySliding(policy: QuotaPolicy, counter: Counter, cost: number, now: EpochMs): Trial {
  const { quota, windowMs } = policy
  const startedAt = Math.max(now - (now % windowMs), counter.startedAt)
  const same = counter.startedAt === startedAt
  const used = same ? counter.used : 0
  const previous = same ? counter.previous : counter.startedAt === startedAt - windowMs ? counter.used : 0
  const elapsed = Math.max(now - startedAt, 0)
  const weighed = used + Math.ceil((previous * (windowMs - elapsed)) / windowMs)
  const wanted = Math.max(cost, 1)
  const fits = weighed + wanted <= quota
  return {
    limit: {
      policy,
      remaining: Math.max(quota - weighed - (fits ? cost : 0), 0),
      resetsAt: startedAt + windowMs,
      exceeded: !fits,
      retryAt: slidingRetryAt(policy, { startedAt, used, previous }, wanted),
    },
    next: { startedAt, used: used + cost, previous },
  }
}

/** The first moment when enough of the previous (or of the current, which then is the previous) window has passed. */
function slidingRetryAt({ quota, windowMs }: QuotaPolicy, { startedAt, used, previous }: Counter, wanted: number): EpochMs {
  const free = quota - wanted
  if (free < 0) return startedAt + 2 * windowMs
  if (used <= free) return previous === 0 ? startedAt : startedAt + windowMs - Math.floor(((free - used) * windowMs) / previous)
  return startedAt + 2 * windowMs - Math.floor((free * windowMs) / used)
}

/**
 * Generic cell rate, written as a bucket that leaks `quota` units per window and holds `burst`. The backlog is kept in units × window
 * milliseconds: everything stays a whole number, where a theoretical arrival time in fractions of a millisecond would be off by the
 * spacing of doubles near the epoch (0.24 µs) after each charge.
 */
function tryGcra(policy: QuotaPolicy, counter: Counter, cost: number, now: EpochMs): Trial {
  const { quota, windowMs, burst = policy.quota } = policy
  const at = Math.max(now, counter.startedAt)
  const backlog = Math.max(counter.used - quota * (at - counter.startedAt), 0)
  const room = burst * windowMs - backlog
  const wanted = Math.max(cost, 1) * windowMs
  const fits = wanted <= room
  const after = backlog + (fits ? cost * windowMs : 0)
  return {
    limit: {
      policy,
      remaining: Math.max(Math.floor((burst * windowMs - after) / windowMs), 0),
      resetsAt: at + Math.ceil(after / quota),
      exceeded: !fits,
      retryAt: at + Math.max(Math.ceil((wanted - room) / quota), 0),
    },
    next: { startedAt: at, used: backlog + cost * windowMs, previous: 0 },
  }
}

/** What spending `cost` would come to. A cost of 0 only looks: it fits while one unit is left. */
export function tryCharge(policy: QuotaPolicy, counter: Counter | undefined, cost: number, now: EpochMs): Trial {
  const known = counter ?? NEW
  if (policy.algorithm === 'gcra') return tryGcra(policy, known, cost, now)
  return policy.algorithm === 'sliding' ? trySliding(policy, known, cost, now) : tryWindow(policy, known, cost, now)
}

/** When the counter means nothing any more and may be forgotten. */
export function forgettableAt(policy: QuotaPolicy, counter: Counter): EpochMs {
  if (policy.algorithm === 'gcra') return counter.startedAt + Math.ceil(counter.used / policy.quota)
  if (policy.algorithm === 'sliding') return counter.startedAt + 2 * policy.windowMs
  return policy.backoffMs === undefined ? counter.startedAt + policy.windowMs : strikeEndsAt(policy, counter)
}

/** Units spent now, for an operator. */
export function usedNow(policy: QuotaPolicy, counter: Counter, now: EpochMs): number {
  if (policy.algorithm === 'gcra') return Math.ceil(Math.max(counter.used - policy.quota * Math.max(now - counter.startedAt, 0), 0) / policy.windowMs)
  return policy.algorithm === 'sliding' ? trySliding({ ...policy, quota: Number.MAX_SAFE_INTEGER }, counter, 0, now).next.used : windowAt(policy, counter, now).used
}
