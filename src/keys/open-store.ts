import type { DurationMs } from '../base/time.ts'
import { KeyStoreUnavailable, type KeyStore } from './key-store.ts'
import { createPostgresStore, migratePostgres } from './postgres-store.ts'
import { redisOptionsOf } from './redis-connection.ts'
import { createRedisStore } from './redis-store.ts'
import { createSqliteStore } from './sqlite-store.ts'

/** What a store's location names. */
export type StoreKind = 'sqlite' | 'redis' | 'postgresql'

/** Which kind of store a location names; undefined for a URL of something else. */
export function storeKindOf(location: string): StoreKind | undefined {
  if (/^rediss?:\/\//i.test(location)) return 'redis'
  if (/^postgres(?:ql)?:\/\//i.test(location)) return 'postgresql'
  return /^[a-z][a-z0-9+.-]*:\/\//i.test(location) ? undefined : 'sqlite'
}

/**
 * Opens the store at a path or URL.
 *
 * @throws {KeyStoreUnavailable} when a file cannot be opened; a store on the network is asked with the first question only
 */
export function openKeyStore(location: string, { busyTimeoutMs }: { readonly busyTimeoutMs?: DurationMs } = {}): KeyStore {
  switch (storeKindOf(location)) {
    case 'redis':
      return createRedisStore({ url: location })
    case 'postgresql':
      return createPostgresStore({ url: location })
    case 'sqlite':
      return createSqliteStore({ path: location, ...(busyTimeoutMs !== undefined && { busyTimeoutMs }) })
    case undefined:
      throw new KeyStoreUnavailable('there is no key store of this kind')
  }
}

/**
 * Makes what the store needs and does not make by itself. Safe to run twice.
 *
 * @throws {KeyStoreUnavailable}
 */
export async function migrateKeyStore(location: string): Promise<StoreKind> {
  const kind = storeKindOf(location)
  if (kind === undefined) throw new KeyStoreUnavailable('there is no key store of this kind')
  if (kind === 'postgresql') await migratePostgres(location)
  else {
    const store = openKeyStore(location)
    try {
      await store.generation()
    } finally {
      await store.close()
    }
  }
  return kind
}

/** Why a location cannot be one, or undefined. Never quotes it: a URL may hold a password. */
export function locationMistake(location: string): string | undefined {
  const kind = storeKindOf(location)
  if (kind === undefined) return 'expected the path of a file, or a URL such as "redis://host:6379" or "postgres://user@host/database"'
  if (kind === 'sqlite') return undefined
  if (!URL.canParse(location)) return 'this is not a URL that can be read'
  const database = kind === 'redis' ? redisOptionsOf(location).db : 0
  return Number.isInteger(database ?? 0) ? undefined : 'the database of a Redis URL is a number: "redis://host:6379/0"'
}
