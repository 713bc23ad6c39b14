import type { DurationMs, EpochMs, MaybePromise } from '../base/time.ts'
import type { Observer } from '../model/event.ts'
import type { KeyStore } from './key-store.ts'
import { settle } from './settle.ts'

/** What is known of the store at one instant. */
export type StoreSight =
  | { readonly kind: 'current' }
  /** It could not be asked since `since`; what was known then is what is known now. */
  | { readonly kind: 'lost'; readonly since: EpochMs; readonly cause: string }

/** Asks the store whether anything was written, at most every `maxAgeMs`, and only when somebody wants to know. */
export interface StoreWatch {
  /** Calls `onChange` first when something was written since the last look. */
  readonly look: (now: EpochMs) => MaybePromise<StoreSight>
  /** The generation of the last look that succeeded. What was read under another one is not kept. */
  readonly generation: () => string | undefined
}

export interface StoreWatchOptions {
  readonly store: KeyStore
  /** A revocation is seen at most this long, and one question, after it was committed. */
  readonly maxAgeMs: DurationMs
  readonly onChange: () => void
  readonly observer: Observer
}

const CURRENT: StoreSight = { kind: 'current' }

const reasonOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))

/** Checked on use rather than by a timer: nothing is asked while nobody calls, and no accepted use can be older than the last look. */
export function createStoreWatch({ store, maxAgeMs, onChange, observer }: StoreWatchOptions): StoreWatch {
  let generation: string | undefined
  let sight: StoreSight = CURRENT
  let lookedAt: EpochMs | undefined
  let goodAt: EpochMs | undefined
  let underWay: Promise<StoreSight> | undefined

  const seen = (found: string, now: EpochMs): StoreSight => {
    if (sight.kind === 'lost') observer.noticed('info', 'key_store_back', 'the key store can be asked again')
    lookedAt = goodAt = now
    sight = CURRENT
    if (found !== generation) {
      generation = found
      onChange()
    }
    return sight
  }

  const missed = (error: unknown, now: EpochMs): StoreSight => {
    if (sight.kind === 'current') observer.noticed('error', 'key_store_unavailable', 'the key store cannot be asked', { cause: reasonOf(error) })
    lookedAt = now
    sight = { kind: 'lost', since: goodAt ?? -Infinity, cause: reasonOf(error) }
    return sight
  }

  store.onHint?.(() => {
    lookedAt = undefined
  })

  const ask = (now: EpochMs): MaybePromise<StoreSight> => settle(() => store.generation(), (found) => seen(found, now), (error) => missed(error, now))

  return {
    look: (now) => {
      // A clock that was set back says nothing about how old the last look is.
      if (lookedAt !== undefined && now >= lookedAt && now - lookedAt < maxAgeMs) return sight
      if (!underWay) {
        const answer = ask(now)
        if (!(answer instanceof Promise)) return answer
        underWay = answer.finally(() => {
          underWay = undefined
        })
      }
      // While it is lost nobody waits for it: what is known is served at once, and the answer counts for whoever comes next.
      return sight.kind === 'lost' ? sight : underWay
    },
    generation: () => generation,
  }
}
