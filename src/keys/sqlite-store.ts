import type { DatabaseSync, StatementSync } from 'node:sqlite'
import type { DurationMs } from '../base/time.ts'
import type { CommitOutcome, DenyEntry, KeyChange, KeyPage, KeyQuery, KeyStore, KeyUse, OwnerRoom } from './key-store.ts'
import { KeyStoreUnavailable } from './key-store.ts'
import { denyEntryOf } from './deny-rows.ts'
import { identityOf, openSqliteFile } from './sqlite-file.ts'
import { openSqliteFileToLook } from './sqlite-looking.ts'
import type { SqliteFile } from './sqlite-file.ts'
import { COLUMNS, recordOf, UPDATED, valuesOf } from './record-rows.ts'

/** A day, for the clocks that differ. */
const FORGOTTEN_AFTER_MS: DurationMs = 86_400_000

/** SQLITE_CONSTRAINT, whatever the extended code. */
const isConstraint = (error: unknown): boolean => error instanceof Error && 'errcode' in error && (Number(error.errcode) & 0xff) === 19

interface Statements {
  readonly byDigest: StatementSync
  readonly byId: StatementSync
  readonly page: StatementSync
  readonly ownerPage: StatementSync
  readonly bcrypt: StatementSync
  readonly working: StatementSync
  readonly insert: StatementSync
  readonly update: StatementSync
  readonly touch: StatementSync
  readonly deny: StatementSync
  readonly forget: StatementSync
  readonly denied: StatementSync
  readonly bump: StatementSync
  readonly generation: StatementSync
  readonly dataVersion: StatementSync
}

function prepare(db: DatabaseSync): Statements {
  const after = '(SELECT coalesce(max(seq), 9e18) FROM keys WHERE id = $after)'
  return {
    byDigest: db.prepare("SELECT * FROM keys WHERE digest = ? AND alg = 'hmac-sha256'"),
    byId: db.prepare('SELECT * FROM keys WHERE id = ?'),
    page: db.prepare(`SELECT * FROM keys WHERE $after IS NULL OR seq > ${after} ORDER BY seq LIMIT $limit`),
    ownerPage: db.prepare(`SELECT * FROM keys WHERE owner = $owner AND ($after IS NULL OR seq > ${after}) ORDER BY seq LIMIT $limit`),
    bcrypt: db.prepare("SELECT * FROM keys WHERE alg = 'bcrypt' AND revoked_at IS NULL ORDER BY seq LIMIT ?"),
    working: db.prepare('SELECT count(*) AS working FROM keys WHERE owner = $owner AND revoked_at IS NULL AND coalesce(overlap_ends_at, 9e18) > $now AND coalesce(expires_at, 9e18) > $now'),
    insert: db.prepare(`INSERT INTO keys (${COLUMNS.join(', ')}) VALUES (${COLUMNS.map((column) => `$${column}`).join(', ')})`),
    update: db.prepare(`UPDATE keys SET ${UPDATED.map((column) => `${column} = $${column}`).join(', ')}, version = version + 1 WHERE id = $id AND version = $version`),
    touch: db.prepare('UPDATE keys SET last_used_at = max(coalesce(last_used_at, 0), $at), uses = uses + $count WHERE id = $id'),
    deny: db.prepare('INSERT OR REPLACE INTO denials (authenticator, kind, value, until, issued_before) VALUES ($authenticator, $kind, $value, $until, $issuedBefore)'),
    forget: db.prepare('DELETE FROM denials WHERE until < ?'),
    denied: db.prepare('SELECT * FROM denials WHERE until > ?'),
    bump: db.prepare('UPDATE key_generation SET generation = generation + 1'),
    generation: db.prepare('SELECT generation FROM key_generation'),
    dataVersion: db.prepare('PRAGMA data_version'),
  }
}

interface Handle extends SqliteFile { readonly run: Statements; dataVersion: unknown; generation: string | undefined }

interface Opening { readonly path: string; readonly busyTimeoutMs: DurationMs; readonly readOnly: boolean }

function openHandle({ path, busyTimeoutMs, readOnly }: Opening): Handle {
  const file = readOnly ? openSqliteFileToLook(path, busyTimeoutMs) : openSqliteFile(path, busyTimeoutMs)
  try {
    return { ...file, run: prepare(file.db), dataVersion: undefined, generation: undefined }
  } catch (error) {
    file.db.close()
    // Who may not write cannot bring it to the layout of today either.
    throw new KeyStoreUnavailable(`the key store has another layout${readOnly ? '; the next start, or "postern keys migrate", renews it' : ''}`, { cause: error })
  }
}

/** Runs `work` as one transaction; false means that it shall leave nothing behind. */
function inTransaction(db: DatabaseSync, work: () => boolean): boolean {
  db.exec('BEGIN IMMEDIATE')
  try {
    const whole = work()
    db.exec(whole ? 'COMMIT' : 'ROLLBACK')
    return whole
  } catch (error) {
    if (db.isTransaction) db.exec('ROLLBACK')
    if (isConstraint(error)) return false
    throw error
  }
}

function apply(run: Statements, { kind, record }: KeyChange): boolean {
  const values = valuesOf(record)
  if (kind === 'insert') {
    run.insert.run({ ...values, version: 1 })
    return true
  }
  const { last_used_at: _last, uses: _uses, ...written } = values
  return run.update.run(written).changes === 1
}

function pageOf(run: Statements, { after, limit, owner }: KeyQuery): KeyPage {
  const bounds = { after: after ?? null, limit: limit + 1 }
  const rows = owner === undefined ? run.page.all(bounds) : run.ownerPage.all({ ...bounds, owner })
  const items = rows.slice(0, limit).map(recordOf)
  return { items, next: rows.length > limit ? items.at(-1)?.id : undefined }
}

/** `data_version` moves with every commit of another connection; the counter row tells records from last uses. */
function generationOf(handle: Handle): string {
  const dataVersion = handle.run.dataVersion.get()?.['data_version']
  if (handle.generation === undefined || dataVersion !== handle.dataVersion) {
    handle.dataVersion = dataVersion
    handle.generation = `${handle.identity}/${String(handle.run.generation.get()?.['generation'])}`
  }
  return handle.generation
}

const isFull = ({ working }: Statements, { owner, max, now }: OwnerRoom): boolean => Number(working.get({ owner, now })?.['working']) >= max

function commitTo(handle: Handle, changes: readonly KeyChange[], room: OwnerRoom | undefined): CommitOutcome {
  let full = false
  const whole = inTransaction(handle.db, () => {
    full = room !== undefined && isFull(handle.run, room)
    return !full && changes.every((change) => apply(handle.run, change)) && handle.run.bump.run().changes === 1
  })
  // data_version does not move for one's own commits.
  handle.generation = undefined
  return whole ? 'committed' : full ? 'full' : 'conflict'
}

/** Last uses may be lost in a crash, so they need not wait for the disk. */
function touchIn(handle: Handle, uses: ReadonlyMap<string, KeyUse>): void {
  handle.db.exec('PRAGMA synchronous = NORMAL')
  try {
    inTransaction(handle.db, () => [...uses].every(([id, { at, count }]) => handle.run.touch.run({ id, at, count }).changes <= 1))
  } finally {
    handle.db.exec('PRAGMA synchronous = FULL')
  }
}

/** Entries that ended long ago go with the next write, so that the list stays as long as what it denies. */
function denyIn(handle: Handle, entries: readonly DenyEntry[]): void {
  const { run } = handle
  inTransaction(handle.db, () => {
    run.forget.run(Date.now() - FORGOTTEN_AFTER_MS)
    for (const entry of entries) run.deny.run({ ...entry, issuedBefore: entry.issuedBefore ?? null })
    return run.bump.run().changes === 1
  })
  handle.generation = undefined
}

/**
 * The embedded store: one SQLite file (WAL, mode 0600) that several processes of one machine may share. Must lie on a local
 * file system. Answers at once; a write waits at most `busyTimeoutMs` for another process's. `readOnly`: the file must exist, and every
 * write fails.
 *
 * @throws {KeyStoreUnavailable} here when the file cannot be opened, and from every method when it cannot be read or written
 */
export function createSqliteStore({ path, busyTimeoutMs = 1_000, readOnly = false }: Pick<Opening, 'path'> & Partial<Opening>): KeyStore {
  const opening: Opening = { path, busyTimeoutMs, readOnly }
  let handle: Handle | undefined = openHandle(opening)
  let closed = false

  const close = (): void => {
    handle?.db.close()
    handle = undefined
  }

  /** A file that went away is not made anew: every key would be unknown instead of unchecked. */
  const reopen = (): Handle => {
    if (identityOf(path) === undefined) throw new KeyStoreUnavailable('the key store\'s file is gone')
    return openHandle(opening)
  }

  const withHandle = <T>(work: (open: Handle) => T): T => {
    if (closed) throw new KeyStoreUnavailable('the key store is closed')
    try {
      handle ??= reopen()
      return work(handle)
    } catch (error) {
      if (error instanceof KeyStoreUnavailable) throw error
      throw new KeyStoreUnavailable(`the key store cannot be used: ${error instanceof Error ? error.message : String(error)}`, { cause: error })
    }
  }

  /** A restored backup is another file under the same name. The old one is still open here, and no revocation would ever reach it. */
  const followPath = (): void => {
    if (handle && identityOf(path) !== handle.identity) close()
  }

  return {
    kind: 'sqlite',
    byDigest: (digests) => withHandle(({ run }) => {
      const row = digests.map((digest) => run.byDigest.get(digest)).find((found) => found !== undefined)
      return row && recordOf(row)
    }),
    byId: (id) => withHandle(({ run }) => {
      const row = run.byId.get(id)
      return row && recordOf(row)
    }),
    list: (query) => withHandle(({ run }) => pageOf(run, query)),
    bcryptRecords: (limit) => withHandle(({ run }) => run.bcrypt.all(limit).map(recordOf)),
    commit: (changes, room) => withHandle((open) => commitTo(open, changes, room)),
    touch: (uses) => withHandle((open) => touchIn(open, uses)),
    deny: (entries) => withHandle((open) => denyIn(open, entries)),
    denied: (now) => withHandle(({ run }) => run.denied.all(now).map(denyEntryOf)),
    generation: () => {
      if (!closed) followPath()
      return withHandle(generationOf)
    },
    close: () => {
      closed = true
      close()
    },
  }
}
