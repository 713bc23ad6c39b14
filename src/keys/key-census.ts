import type { Clock, DurationMs } from '../base/time.ts'
import type { Observer } from '../model/event.ts'
import { endOf, stateOf, type KeyRecord, type KeyState } from './key-record.ts'
import type { KeyStore } from './key-store.ts'
import { rfc3339 } from './scalars.ts'

/** How many keys there are of each state. `expiring` are counted as `active` too. */
export type KeyCounts = Readonly<Record<KeyState | 'expiring', number>>

/** Counts the keys of a store now and then, a page at a time, and warns of those that will soon end. */
export interface KeyCensus {
  /** As of the last whole count; undefined before the first. */
  readonly counts: () => KeyCounts | undefined
  /** Counts now; for tests. */
  readonly take: () => Promise<void>
  readonly close: () => void
}

export interface KeyCensusOptions {
  readonly store: KeyStore
  readonly clock: Clock
  readonly observer: Observer
  /** How long before its end a key is warned of. Default: 14 days. */
  readonly soonMs?: DurationMs
  /** Between two counts. Default: 5 minutes. */
  readonly everyMs?: DurationMs
  /** Between two pages, so that requests come first. Default: 20 ms. */
  readonly pauseMs?: DurationMs
}

const PAGE = 200

/** Warnings per count; a metric tells of the others. */
const MAX_WARNINGS = 50

/** Ends by itself within the time: a key that was replaced is meant to end. */
const endsSoon = (record: KeyRecord, now: number, soonMs: DurationMs): boolean =>
  record.replacedBy === undefined && stateOf(record, now) === 'active' && record.expiresAt !== undefined && record.expiresAt - now <= soonMs

export function createKeyCensus({ store, clock, observer, soonMs = 14 * 86_400_000, everyMs = 300_000, pauseMs = 20 }: KeyCensusOptions): KeyCensus {
  let last: KeyCounts | undefined
  let warned: ReadonlySet<string> = new Set()
  let timer: NodeJS.Timeout | undefined
  const closing = new AbortController()

  const warn = (expiring: readonly KeyRecord[]): void => {
    for (const record of expiring.filter(({ id }) => !warned.has(id)).slice(0, MAX_WARNINGS)) {
      observer.noticed('warn', 'key_expiring', 'a key is about to expire; rotate it', { key_id: record.id, owner: record.owner, expires_at: rfc3339(endOf(record) ?? 0) })
    }
    warned = new Set(expiring.map(({ id }) => id))
  }

  const take = async (): Promise<void> => {
    const counts = { active: 0, suspended: 0, revoked: 0, expired: 0, expiring: 0 }
    const expiring: KeyRecord[] = []
    let after: string | undefined
    do {
      const now = clock()
      const page = await store.list({ limit: PAGE, after })
      for (const record of page.items) {
        counts[stateOf(record, now)] += 1
        if (!endsSoon(record, now, soonMs)) continue
        counts.expiring += 1
        expiring.push(record)
      }
      after = page.next
      if (after !== undefined) await new Promise((resolve) => setTimeout(resolve, pauseMs).unref())
    } while (after !== undefined && !closing.signal.aborted)
    if (closing.signal.aborted) return
    last = counts
    warn(expiring)
  }

  const again = (ms: DurationMs): void => {
    if (closing.signal.aborted) return
    timer = setTimeout(() => {
      // A store that cannot be asked says so elsewhere.
      take().catch(() => undefined).finally(() => again(everyMs))
    }, ms).unref()
  }
  again(pauseMs * 100)

  return {
    counts: () => last,
    take,
    close: () => {
      closing.abort()
      clearTimeout(timer)
    },
  }
}
