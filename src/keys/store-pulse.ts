import type { Clock, DurationMs, EpochMs } from '../base/time.ts'
import type { KeyStore } from './key-store.ts'
import { settle } from './settle.ts'

/** What is known of whether a store answers. */
export interface PulseState {
  /** When it last did; undefined: never yet. */
  readonly answeredAt: EpochMs | undefined
  /** Why the last question had no answer; undefined when it had one, or when none was asked. Never a secret. */
  readonly error: string | undefined
}

/** Whether a store answers: seen on whatever questions are asked, and asked for when nobody asks. */
export interface StorePulse {
  /** The store, on whose questions it is seen. */
  readonly store: KeyStore
  /** As known now. Asks in the background when what is known is older than `everyMs`, for whoever looks next. */
  readonly state: () => PulseState
  /** Resolves with the first answer, or with its failure. */
  readonly tried: () => Promise<void>
}

const reasonOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))

/** Probes come every few seconds, from several sides: not each of them is a question. */
export function createStorePulse({ store, clock, everyMs = 2_000 }: { readonly store: KeyStore; readonly clock: Clock; readonly everyMs?: DurationMs }): StorePulse {
  let answeredAt: EpochMs | undefined
  let error: string | undefined
  let settledAt: EpochMs | undefined
  let asking: Promise<void> | undefined

  const seen = (why: string | undefined): void => {
    settledAt = clock()
    error = why
    if (why === undefined) answeredAt = settledAt
  }

  const watched: KeyStore = {
    ...store,
    generation: () => settle(() => store.generation(), (found) => {
      seen(undefined)
      return found
    }, (reason) => {
      seen(reasonOf(reason))
      throw reason
    }),
  }

  const ask = (): Promise<void> => {
    asking ??= (async () => {
      try {
        await watched.generation()
      } catch {
        // Seen already.
      } finally {
        asking = undefined
      }
    })()
    return asking
  }

  return {
    store: watched,
    state: () => {
      // A clock that was set back says nothing about how old it is.
      if (settledAt === undefined || clock() < settledAt || clock() - settledAt >= everyMs) void ask()
      return { answeredAt, error }
    },
    tried: () => (settledAt === undefined ? ask() : Promise.resolve()),
  }
}
