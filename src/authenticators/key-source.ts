import type { Clock, DurationMs, EpochMs, MaybePromise } from '../base/time.ts'
import type { Observer } from '../model/event.ts'
import { createKeyFetch, type KeyLocation } from './key-fetch.ts'
import { removedKids, type KeySet } from './key-set.ts'
import { systemSchedule, type Schedule } from './schedule.ts'
import { fetchJson, type FetchJson } from './side-call.ts'

/** There is no set to check with. Never a reason to refuse a token: the answer is 503. */
export interface KeysUnavailable {
  readonly kind: 'unavailable'
  readonly dependency: string
  readonly cause: string
  readonly retryAfterMs: DurationMs
}

/** For `/readyz?verbose` and metrics. */
export interface KeySourceState {
  readonly keys: number
  readonly lastSuccessAt?: EpochMs
  readonly ageMs?: DurationMs
  /** Only while the last attempt failed. */
  readonly lastError?: string
}

/** Where the keys of one issuer come from. */
export interface KeySource {
  readonly id: string
  /** The set in use, if there is one that may still be used. Cheap. */
  readonly current: (now: EpochMs) => KeySet | undefined
  /** The same, waiting for a first one if need be, never longer than one fetch. */
  readonly keys: (now: EpochMs) => MaybePromise<KeySet | KeysUnavailable>
  /** The newest set there is, for a `kid` that the current one lacks: asks again, except within the cooldown. */
  readonly refetched: (now: EpochMs) => MaybePromise<KeySet | KeysUnavailable>
  /** Resolves when it has been tried once, with or without success. Never rejects. */
  readonly ready: () => Promise<void>
  readonly state: () => KeySourceState
  readonly close: () => void
}

export interface KeySourceSettings extends KeyLocation {
  /** Age at which a set is fetched again in the background. */
  readonly maxAgeMs: DurationMs
  /** At most one refetch for an unknown `kid` within this time, counted from the last fetch of any kind. */
  readonly cooldownMs: DurationMs
  /** How long beyond `maxAgeMs` the last good set is used while the issuer cannot be asked. */
  readonly staleIfErrorMs: DurationMs
}

/** The last good set of a place. It may outlive a source: settings of time can change while the issuer is down. */
export interface KeyMemory { good?: { readonly set: KeySet; readonly at: EpochMs } }

export interface KeySourceDeps {
  readonly clock: Clock
  /** Of the same issuers and the same URL. Default: one of its own. */
  readonly memory?: KeyMemory
  readonly observer: Observer
  readonly schedule?: Schedule
  readonly fetch?: FetchJson
  /** 0 to 1, for jitter. */
  readonly random?: () => number
}

const FIRST_RETRY_MS = 1_000
const LAST_RETRY_MS = 30_000

/** How a finished fetch left things. */
interface Attempt { readonly at: EpochMs; readonly retryAt: EpochMs; readonly error?: string }

/** Tells the operator what a new set changed. */
function noticeChange({ noticed }: Observer, id: string, before: KeySet | undefined, after: KeySet): void {
  for (const { kid, why } of after.dropped) noticed('warn', 'jwks_key_dropped', `a key of ${id} is not used: ${why}`, { issuer: id, kid })
  const removed = removedKids(before, after)
  if (removed.length > 0) noticed('info', 'jwks_keys_removed', `${id} has withdrawn keys; tokens signed with them end now`, { issuer: id, kids: removed })
  if (after.size === 0) noticed('warn', 'jwks_empty', `${id} publishes no usable key`, { issuer: id })
}

/** The last good set, the last attempt, and how to make another. */
interface Refresh {
  readonly good: () => { readonly set: KeySet; readonly at: EpochMs } | undefined
  readonly last: () => Attempt | undefined
  readonly running: () => boolean
  /** One at a time: those who come meanwhile wait for the same. Schedules the next. Never rejects. */
  readonly attempt: () => Promise<void>
  readonly close: () => void
}

function createRefresh({ id, maxAgeMs }: KeySourceSettings, load: () => Promise<KeySet>, deps: KeySourceDeps): Refresh {
  const { clock, observer, memory = {}, schedule = systemSchedule, random = Math.random } = deps
  let last: Attempt | undefined
  let failures = 0
  let flight: Promise<void> | undefined
  let cancel = (): void => undefined
  let closed = false

  const took = (set: KeySet): DurationMs => {
    const before = memory.good?.set
    const same = before?.revision === set.revision
    if (!same) noticeChange(observer, id, before, set)
    const at = clock()
    // An unchanged set stays the same object: its keys are imported already.
    memory.good = { set: same && before ? before : set, at }
    failures = 0
    last = { at, retryAt: at }
    // Always before `maxAgeMs`, and not all replicas at once.
    return maxAgeMs * (0.8 + 0.15 * random())
  }

  const failed = (error: unknown): DurationMs => {
    const delay = Math.min(LAST_RETRY_MS, FIRST_RETRY_MS * 2 ** failures) * (0.75 + 0.25 * random())
    failures += 1
    const message = error instanceof Error ? error.message : 'failed'
    last = { at: clock(), retryAt: clock() + delay, error: message }
    observer.noticed('warn', 'jwks_unavailable', `the keys of ${id} could not be fetched: ${message}`, { issuer: id, failures })
    return delay
  }

  const attempt = (): Promise<void> => {
    flight ??= load().then(took, failed).then((delay) => {
      flight = undefined
      cancel()
      if (!closed) cancel = schedule(delay, () => void attempt())
    })
    return flight
  }

  const close = (): void => {
    closed = true
    cancel()
  }
  return { good: () => memory.good, last: () => last, running: () => flight !== undefined, attempt, close }
}

/**
 * Keeps the keys of one issuer: one fetch at a time, refreshed in the background before they are too old, asked again for an unknown
 * `kid` at most once per cooldown, and served from memory while the issuer is down (T41). Only a valid key set replaces another.
 *
 * Fetches nothing until `ready` or the first token asks, so that compiling a config touches nobody. After a failure it tries again
 * by itself, after 1 s, then twice as long each time, up to 30 s; requests in between are answered at once.
 */
export function createKeySource(settings: KeySourceSettings, deps: KeySourceDeps): KeySource {
  const { id, maxAgeMs, cooldownMs, staleIfErrorMs } = settings
  const { clock, observer, fetch = fetchJson } = deps
  const { good, last, running, attempt, close } = createRefresh(settings, createKeyFetch(settings, { fetch, observer }), deps)

  const current = (now: EpochMs): KeySet | undefined => {
    const kept = good()
    return kept && now - kept.at <= maxAgeMs + staleIfErrorMs ? kept.set : undefined
  }
  const unavailable = (): KeysUnavailable => ({ kind: 'unavailable', dependency: id, cause: last()?.error ?? 'no keys yet', retryAfterMs: Math.max(0, (last()?.retryAt ?? 0) - clock()) })
  const newest = (): KeySet | KeysUnavailable => (last()?.error === undefined ? good()?.set : undefined) ?? unavailable()

  return {
    id,
    current,
    keys: (now) => {
      const set = current(now)
      if (set) return set
      const before = last()
      if (!running() && before?.error !== undefined && now < before.retryAt) return unavailable()
      return attempt().then(() => current(clock()) ?? unavailable())
    },
    refetched: (now) => {
      const before = last()
      return !running() && before && now - before.at < cooldownMs ? newest() : attempt().then(newest)
    },
    ready: async () => {
      if (!last()) await attempt()
    },
    state: () => {
      const [kept, error] = [good(), last()?.error]
      return { keys: kept?.set.size ?? 0, ...(kept && { lastSuccessAt: kept.at, ageMs: clock() - kept.at }), ...(error !== undefined && { lastError: error }) }
    },
    close,
  }
}
