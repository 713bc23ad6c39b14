import { chmodSync, closeSync, openSync, statSync } from 'node:fs'
import type { DatabaseSync } from 'node:sqlite'
import type { DurationMs } from '../base/time.ts'
import { KeyStoreUnavailable } from './key-store.ts'

/** The layout that this code reads and writes. */
const SCHEMA_VERSION = 2

const SCHEMA = `
  CREATE TABLE IF NOT EXISTS postern_schema (version INTEGER NOT NULL) STRICT;
  CREATE TABLE IF NOT EXISTS key_generation (generation INTEGER NOT NULL) STRICT;
  CREATE TABLE IF NOT EXISTS keys (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE, alg TEXT NOT NULL, digest TEXT NOT NULL UNIQUE, pepper_id TEXT NOT NULL,
    prefix TEXT NOT NULL, last4 TEXT NOT NULL, owner TEXT NOT NULL, email TEXT, tier TEXT, status TEXT NOT NULL,
    scopes TEXT NOT NULL, roles TEXT NOT NULL, name TEXT, notes TEXT,
    created_at INTEGER NOT NULL, expires_at INTEGER, revoked_at INTEGER,
    replaced_by TEXT, replaces TEXT, overlap_ends_at INTEGER, last_used_at INTEGER, version INTEGER NOT NULL,
    environment TEXT, allowed_networks TEXT NOT NULL DEFAULT '[]', limits TEXT NOT NULL DEFAULT '[]', uses INTEGER NOT NULL DEFAULT 0
  ) STRICT;
  CREATE TABLE IF NOT EXISTS denials (
    authenticator TEXT NOT NULL, kind TEXT NOT NULL, value TEXT NOT NULL, until INTEGER NOT NULL, issued_before INTEGER,
    PRIMARY KEY (authenticator, kind, value)
  ) STRICT;
  CREATE INDEX IF NOT EXISTS keys_by_owner ON keys (owner, seq);
  CREATE INDEX IF NOT EXISTS keys_bcrypt ON keys (seq) WHERE alg = 'bcrypt' AND revoked_at IS NULL;
  INSERT INTO postern_schema SELECT ${SCHEMA_VERSION} WHERE NOT EXISTS (SELECT 1 FROM postern_schema);
  INSERT INTO key_generation SELECT 0 WHERE NOT EXISTS (SELECT 1 FROM key_generation);
`

/** From each older layout to the next one; what a new file has from the start. */
const STEPS: Readonly<Record<number, string>> = {
  1: `
    ALTER TABLE keys ADD COLUMN environment TEXT;
    ALTER TABLE keys ADD COLUMN allowed_networks TEXT NOT NULL DEFAULT '[]';
    ALTER TABLE keys ADD COLUMN limits TEXT NOT NULL DEFAULT '[]';
    ALTER TABLE keys ADD COLUMN uses INTEGER NOT NULL DEFAULT 0;
    UPDATE postern_schema SET version = 2;`,
}

/** An open store file, and which file it is: a path may come to name another one. */
export interface SqliteFile {
  readonly db: DatabaseSync
  /** Device and inode. */
  readonly identity: string
}

/** Device and inode of the file at a path, or undefined when there is none. */
export function identityOf(path: string): string | undefined {
  const stat = statSync(path, { throwIfNoEntry: false })
  return stat ? `${stat.dev}:${stat.ino}` : undefined
}

/**
 * Makes the file before SQLite does, so that it is private from its first byte. SQLite gives `-wal` and `-shm` the mode of the
 * file they belong to; those that an earlier run left behind are narrowed here.
 */
function makePrivate(path: string): void {
  closeSync(openSync(path, 'a', 0o600))
  for (const each of [path, `${path}-wal`, `${path}-shm`]) {
    const stat = statSync(each, { throwIfNoEntry: false })
    if (stat && (stat.mode & 0o077) !== 0) chmodSync(each, 0o600)
  }
}

const isBusy = (error: unknown): boolean => error instanceof Error && 'errcode' in error && (Number(error.errcode) & 0xff) === 5

/** Switching to WAL does not wait for the busy timeout when two processes open a new file at the same moment: ask again. */
function enterWal(db: DatabaseSync): void {
  for (let attempt = 0; ; attempt += 1) {
    try {
      const mode = db.prepare('PRAGMA journal_mode = WAL').get()?.['journal_mode']
      if (mode === 'wal') return
      throw new KeyStoreUnavailable('the key store\'s file system does not support write-ahead logging')
    } catch (error) {
      if (!isBusy(error) || attempt === 50) throw error
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 20)
    }
  }
}

function migrate(db: DatabaseSync): void {
  db.exec('BEGIN IMMEDIATE')
  try {
    db.exec(SCHEMA)
    const layout = (): unknown => db.prepare('SELECT max(version) AS version FROM postern_schema').get()?.['version']
    for (let step = STEPS[Number(layout())]; step !== undefined; step = STEPS[Number(layout())]) db.exec(step)
    const version = layout()
    if (version !== SCHEMA_VERSION) throw new KeyStoreUnavailable(`the key store has layout ${String(version)}, this version of Postern knows ${SCHEMA_VERSION}`)
    db.exec('COMMIT')
  } catch (error) {
    db.exec('ROLLBACK')
    throw error
  }
}

/**
 * Opens the file, made when it is absent. Its directory must exist: a mistyped path must not come up as an empty store somewhere.
 *
 * @throws {KeyStoreUnavailable} when it cannot be opened, is not a key store, or is from a newer version
 */
export function openSqliteFile(path: string, busyTimeoutMs: DurationMs): SqliteFile {
  let db: DatabaseSync | undefined
  try {
    makePrivate(path)
    // Not imported: only who keeps keys in a file loads it, and this cannot wait.
    const { DatabaseSync: Database } = process.getBuiltinModule('node:sqlite')
    db = new Database(path, { timeout: busyTimeoutMs })
    enterWal(db)
    // FULL: a key that was shown is on the disk, whatever happens to the machine.
    db.exec('PRAGMA synchronous = FULL; PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON')
    migrate(db)
    return { db, identity: identityOf(path) ?? '' }
  } catch (error) {
    db?.close()
    if (error instanceof KeyStoreUnavailable) throw error
    throw new KeyStoreUnavailable(`the key store cannot be opened: ${error instanceof Error ? error.message : String(error)}`, { cause: error })
  }
}
