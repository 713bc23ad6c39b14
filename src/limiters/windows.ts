import type { EpochMs } from '../base/time.ts'
import type { QuotaPolicy, ServiceLimit } from '../model/quota.ts'

/**
 * One counter, whatever its algorithm. `startedAt`: when the window opened (gcra: unused). `used`: units spent in it.
 * `previous`: units of the window before (sliding only). `fullAt`: gcra's theoretical arrival time.
 */
export interface Counter {
  readonly startedAt: EpochMs
  readonly used: number
  readonly previous: number
  readonly fullAt: EpochMs
}

/** What a charge would come to. Nothing is written until every charge of the call fits. */
export interface Trial {
  /** The counter after spending. */
  readonly next: Counter
  readonly fits: boolean
  readonly remaining: number
  readonly resetsAt: EpochMs
  readonly retryAt: EpochMs
}

const NEW: Counter = { startedAt: 0, used: 0, previous: 0, fullAt: 0 }

/** Fixed windows open with the first charge; calendar windows are aligned to the epoch. */
function tryWindow(policy: QuotaPolicy, counter: Counter, cost: number, now: EpochMs): Trial {
  const { quota, windowMs } = policy
  const aligned = now - (now % windowMs)
  const open = policy.algorithm === 'calendar' ? counter.startedAt === aligned : counter.startedAt > 0 && now < counter.startedAt + windowMs
  const startedAt = open ? counter.startedAt : policy.algorithm === 'calendar' ? aligned : now
  const used = open ? counter.used : 0
  const fits = used + Math.max(cost, 1) <= quota
  const resetsAt = startedAt + windowMs
  return { next: { ...NEW, startedAt, used: used + cost }, fits, remaining: Math.max(quota - used - (fits ? cost : 0), 0), resetsAt, retryAt: resetsAt }
}

/** The previous window counts by the share of it that still lies within one window's length; both are aligned to the epoch. */
function trySliding(policy: QuotaPolicy, counter: Counter, cost: number, now: EpochMs): Trial {
  const { quota, windowMs } = policy
  const startedAt = now - (now % windowMs)
  const same = counter.startedAt === startedAt
  const used = same ? counter.used : 0
  const previous = same ? counter.previous : counter.startedAt === startedAt - windowMs ? counter.used : 0
  const elapsed = now - startedAt
  const weighed = used + Math.ceil((previous * (windowMs - elapsed)) / windowMs)
  const wanted = Math.max(cost, 1)
  const fits = weighed + wanted <= quota
  return {
    next: { ...NEW, startedAt, used: used + cost, previous },
    fits,
    remaining: Math.max(quota - weighed - (fits ? cost : 0), 0),
    resetsAt: startedAt + windowMs,
    retryAt: slidingRetryAt(policy, { startedAt, used, previous, fullAt: 0 }, wanted),
  }
}

/** The first moment when enough of the previous (or of the current, which then is the previous) window has passed. */
function slidingRetryAt({ quota, windowMs }: QuotaPolicy, { startedAt, used, previous }: Counter, wanted: number): EpochMs {
  const free = quota - wanted
  if (free < 0) return startedAt + 2 * windowMs
  if (used <= free) return previous === 0 ? startedAt : startedAt + windowMs - Math.floor(((free - used) * windowMs) / previous)
  return startedAt + 2 * windowMs - Math.floor((free * windowMs) / used)
}

/** Generic cell rate: one unit refills every `window / quota`, and at most `burst` may be spent at once. */
function tryGcra(policy: QuotaPolicy, counter: Counter, cost: number, now: EpochMs): Trial {
  const { quota, windowMs } = policy
  const burst = policy.burst ?? quota
  const interval = windowMs / quota
  const tolerance = interval * burst
  const from = Math.max(counter.fullAt, now)
  const fullAt = from + interval * cost
  const wanted = from + interval * Math.max(cost, 1)
  const fits = wanted - now <= tolerance + 1e-6
  const after = fits ? fullAt : from
  return {
    next: { ...NEW, fullAt },
    fits,
    remaining: Math.max(Math.floor((tolerance - (after - now)) / interval + 1e-6), 0),
    resetsAt: Math.ceil(after),
    retryAt: Math.ceil(wanted - tolerance),
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
  if (policy.algorithm === 'gcra') return counter.fullAt
  return counter.startedAt + policy.windowMs * (policy.algorithm === 'sliding' ? 2 : 1)
}

/** A trial as the pipe reports it. */
export const serviceLimitOf = (policy: QuotaPolicy, { fits, remaining, resetsAt, retryAt }: Trial): ServiceLimit => ({ policy, remaining, resetsAt, exceeded: !fits, retryAt })
