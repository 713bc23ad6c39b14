import { existsSync, statSync } from 'node:fs'
import type { DatabaseSync } from 'node:sqlite'
import { pathToFileURL } from 'node:url'
import type { DurationMs } from '../base/time.ts'
import { KeyStoreUnavailable } from './key-store.ts'
import { identityOf, type SqliteFile } from './sqlite-file.ts'

/** Whether a process has written to the log beside the file and not yet brought it in. */
const hasLog = (path: string): boolean => (statSync(`${path}-wal`, { throwIfNoEntry: false })?.size ?? 0) > 0

/**
 * Where to read without leaving anything behind. Even a reader makes `-wal` and `-shm` files where there are none; told that the file
 * does not change, it makes none, but would not see what is in a log.
 */
function locationOf(path: string): URL {
  const url = pathToFileURL(path)
  if (!hasLog(path) && !existsSync(`${path}-shm`)) url.searchParams.set('immutable', '1')
  return url
}

/**
 * Opens a key store file that exists, for reading alone: no byte of it, and no file beside it, is written.
 *
 * @throws {KeyStoreUnavailable} when it cannot be opened or is not a key store
 */
export function openSqliteFileToLook(path: string, busyTimeoutMs: DurationMs): SqliteFile {
  let db: DatabaseSync | undefined
  try {
    const { DatabaseSync: Database } = process.getBuiltinModule('node:sqlite')
    db = new Database(locationOf(path), { readOnly: true, timeout: busyTimeoutMs })
    db.exec('PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON')
    if (!db.prepare("SELECT 1 FROM sqlite_master WHERE name = 'postern_schema'").get()) throw new KeyStoreUnavailable('the file is not a key store')
    return { db, identity: identityOf(path) ?? '' }
  } catch (error) {
    db?.close()
    if (error instanceof KeyStoreUnavailable) throw error
    throw new KeyStoreUnavailable(`the key store cannot be opened: ${error instanceof Error ? error.message : String(error)}`, { cause: error })
  }
}
