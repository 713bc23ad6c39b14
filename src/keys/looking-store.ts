import { accessSync, constants, statSync } from 'node:fs'
import { dirname } from 'node:path'
import type { DurationMs } from '../base/time.ts'
import { KeyStoreUnavailable, type KeyStore } from './key-store.ts'
import { createMemoryStore } from './memory-store.ts'
import { openKeyStore } from './open-store.ts'
import { createSqliteStore } from './sqlite-store.ts'
import type { StoreLocation } from './store-location.ts'

/** Whether the first start would make the store that a location names. Stores on the network are never looked for. */
export const isAbsentStore = (location: StoreLocation): boolean =>
  location.kind === 'sqlite' && (statSync(location.path, { throwIfNoEntry: false })?.size ?? 0) === 0

/** What a start would do with it, short of doing it. */
function emptyStore(path: string): KeyStore {
  const folder = dirname(path)
  try {
    accessSync(folder, constants.W_OK | constants.X_OK)
  } catch (error) {
    const absent = error instanceof Error && 'code' in error && error.code === 'ENOENT'
    throw new KeyStoreUnavailable(`the key store cannot be opened: its folder ${absent ? 'does not exist' : 'may not be written by this account'}`)
  }
  return createMemoryStore()
}

/** Reads and nothing else: a write is lost as if another process had been faster, and a use is not counted. */
const readingOnly = (store: KeyStore): KeyStore => ({ ...store, commit: () => 'conflict', touch: () => undefined, deny: () => undefined })

/**
 * The store at a location, for a command that only looks: nothing is made, migrated or written there. A file that does not exist yet
 * is an empty store in memory, which may be written to, since nobody else sees it.
 *
 * @throws {KeyStoreUnavailable} when it exists and cannot be read, or when the first start could not make it
 */
export function openStoreToLook(location: StoreLocation, { busyTimeoutMs = 1_000 }: { readonly busyTimeoutMs?: DurationMs } = {}): KeyStore {
  if (location.kind !== 'sqlite') return readingOnly(openKeyStore(location))
  return isAbsentStore(location) ? emptyStore(location.path) : readingOnly(createSqliteStore({ path: location.path, busyTimeoutMs, readOnly: true }))
}
