import { DeadlineExceeded, withDeadline } from '../base/deadline.ts'
import type { DurationMs } from '../base/time.ts'
import { KeyStoreUnavailable } from './key-store.ts'

/** How long somebody waits for a store on the network. */
export interface StoreDeadlines {
  /** A request waits for this. */
  readonly readMs: DurationMs
  /** An act of administration waits for this. */
  readonly writeMs: DurationMs
}

export const STORE_DEADLINES: StoreDeadlines = { readMs: 1_000, writeMs: 5_000 }

/** Messages of client libraries may quote what they were sent; a code never does. */
function causeOf(error: unknown): string {
  if (error instanceof DeadlineExceeded) return error.message
  if (error instanceof Error && 'code' in error && typeof error.code === 'string') return error.code
  // Names of classes are shortened in the bundle.
  return 'no connection'
}

/**
 * Runs `work` on a store on the network, in time or not at all: whatever goes wrong is {@link KeyStoreUnavailable}. `onLate` drops the
 * connection, so that what was given up does not hold up what comes after it.
 */
export async function ofStore<T>(ms: DurationMs, work: () => Promise<T>, onLate: () => void): Promise<T> {
  try {
    return await withDeadline(ms, work)
  } catch (error) {
    if (error instanceof KeyStoreUnavailable) throw error
    if (error instanceof DeadlineExceeded) onLate()
    throw new KeyStoreUnavailable(`the key store cannot be used: ${causeOf(error)}`, { cause: error })
  }
}
