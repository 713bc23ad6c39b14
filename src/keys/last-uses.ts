import type { DurationMs, EpochMs } from '../base/time.ts'
import type { Observer } from '../model/event.ts'
import type { KeyStore, KeyUse } from './key-store.ts'

/** Keys per write, so that a flush holds an embedded store's thread for some milliseconds only. */
const BATCH = 500

/** Remembers when and how often keys were used and writes it down now and then, never while a request waits. */
export interface LastUses {
  readonly note: (keyId: string, now: EpochMs) => void
  readonly flush: () => Promise<void>
  /** Stops the timer and writes what is left. */
  readonly close: () => Promise<void>
}

export function createLastUses({ store, everyMs, observer }: { readonly store: KeyStore; readonly everyMs: DurationMs; readonly observer: Observer }): LastUses {
  let uses = new Map<string, KeyUse>()

  const flush = async (): Promise<void> => {
    const batch = [...uses]
    uses = new Map()
    try {
      for (let at = 0; at < batch.length; at += BATCH) await store.touch(new Map(batch.slice(at, at + BATCH)))
    } catch (error) {
      // Nothing depends on a last use; the next one is written with the next batch.
      observer.noticed('debug', 'key_last_use_lost', 'last uses of keys could not be written', { cause: error instanceof Error ? error.message : String(error) })
    }
  }

  const timer = setInterval(() => void flush(), everyMs)
  timer.unref()
  return {
    note: (keyId, now) => {
      uses.set(keyId, { at: now, count: (uses.get(keyId)?.count ?? 0) + 1 })
    },
    flush,
    close: async () => {
      clearInterval(timer)
      await flush()
    },
  }
}
