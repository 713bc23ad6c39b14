import type { DurationMs } from '../base/time.ts'
import type { KeyStore } from './key-store.ts'
import { createPostgresStore, migratePostgres } from './postgres-store.ts'
import { createRedisStore } from './redis-store.ts'
import { createSqliteStore } from './sqlite-store.ts'
import type { StoreKind, StoreLocation } from './store-location.ts'

/**
 * Opens the store at a location.
 *
 * @throws {KeyStoreUnavailable} when a file cannot be opened; a store on the network is asked with the first question only
 */
export function openKeyStore(location: StoreLocation, { busyTimeoutMs }: { readonly busyTimeoutMs?: DurationMs } = {}): KeyStore {
  switch (location.kind) {
    case 'redis':
      return createRedisStore(location)
    case 'postgresql':
      return createPostgresStore(location)
    case 'sqlite':
      return createSqliteStore({ path: location.path, ...(busyTimeoutMs !== undefined && { busyTimeoutMs }) })
  }
}

/**
 * Makes what the store needs and does not make by itself. Safe to run twice.
 *
 * @throws {KeyStoreUnavailable}
 */
export async function migrateKeyStore(location: StoreLocation): Promise<StoreKind> {
  if (location.kind === 'postgresql') await migratePostgres(location.url)
  else {
    const store = openKeyStore(location)
    try {
      await store.generation()
    } finally {
      await store.close()
    }
  }
  return location.kind
}
