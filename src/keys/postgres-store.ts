import { randomUUID } from 'node:crypto'
import type { EpochMs } from '../base/time.ts'
import { denyEntryOf } from './deny-rows.ts'
import { KeyStoreUnavailable, type CommitOutcome, type DenyEntry, type KeyChange, type KeyPage, type KeyQuery, type KeyStore, type KeyUse, type OwnerRoom } from './key-store.ts'
import { createPostgresConnection, type PostgresSql } from './postgres-connection.ts'
import { POSTGRES_SCHEMA, POSTGRES_SCHEMA_VERSION } from './postgres-schema.ts'
import { COLUMNS, recordOf, UPDATED, valuesOf, type Row } from './record-rows.ts'
import { ofStore, STORE_DEADLINES } from './remote-store.ts'

const CHANNEL = 'postern_keys'

/** How long after a lost listener the next one is tried. Until then the generation alone tells of changes. */
const LISTEN_AGAIN_MS = 5_000

const FORGOTTEN_AFTER_MS = 86_400_000

/** Thrown inside a transaction to leave nothing behind. */
class Conflict extends Error {}
class Full extends Error {}

const isUniqueViolation = (error: unknown): boolean => error instanceof Error && 'code' in error && error.code === '23505'
const isMissingTable = (error: unknown): boolean => error instanceof Error && 'code' in error && error.code === '42P01'

/** Rows per statement: a statement takes 65,535 parameters. */
const BATCH = 1_000

/**
 * First of each transaction: writers wait for one another here, so numbers come in the order in which they are committed. With a new epoch
 * each: after a failover that lost a write, the next one would give the number that a replica has seen already.
 */
async function bump(sql: PostgresSql): Promise<void> {
  const { count } = await sql`UPDATE postern_generation SET generation = generation + 1, epoch = ${randomUUID()}`
  if (count !== 1) throw new KeyStoreUnavailable('the key store has no generation; run `postern keys migrate`')
  await sql`SELECT pg_notify(${CHANNEL}, '')`
}

async function apply(sql: PostgresSql, changes: readonly KeyChange[]): Promise<void> {
  const inserts = changes.filter(({ kind }) => kind === 'insert').map(({ record }) => ({ ...valuesOf(record), version: 1 }))
  for (let at = 0; at < inserts.length; at += BATCH) await sql`INSERT INTO postern_keys ${sql(inserts.slice(at, at + BATCH), ...COLUMNS)}`
  for (const { kind, record } of changes) {
    if (kind === 'insert') continue
    const { count } = await sql`UPDATE postern_keys SET ${sql(valuesOf(record), ...UPDATED)}, version = version + 1 WHERE id = ${record.id} AND version = ${record.version}`
    if (count !== 1) throw new Conflict()
  }
}

/** Behind {@link bump}, so everything that another replica committed is counted. */
async function requireRoom(sql: PostgresSql, { owner, max, now }: OwnerRoom): Promise<void> {
  const [row] = await sql<{ working: number }[]>`
    SELECT count(*)::int AS working FROM postern_keys
    WHERE owner = ${owner} AND revoked_at IS NULL AND coalesce(overlap_ends_at, 9223372036854775807) > ${now} AND coalesce(expires_at, 9223372036854775807) > ${now}`
  if (row === undefined || row.working >= max) throw new Full()
}

async function commit(sql: PostgresSql, changes: readonly KeyChange[], room: OwnerRoom | undefined): Promise<CommitOutcome> {
  try {
    await sql.begin('isolation level read committed', async (transaction) => {
      // The library types a transaction as less than it is.
      const inside = transaction as unknown as PostgresSql
      await bump(inside)
      if (room) await requireRoom(inside, room)
      await apply(inside, changes)
    })
    return 'committed'
  } catch (error) {
    if (error instanceof Full) return 'full'
    if (error instanceof Conflict || isUniqueViolation(error)) return 'conflict'
    throw error
  }
}

async function page(sql: PostgresSql, { after, limit, owner }: KeyQuery): Promise<KeyPage> {
  const rows = await sql<Row[]>`
    SELECT * FROM postern_keys
    WHERE ${owner === undefined ? sql`true` : sql`owner = ${owner}`}
    AND ${after === undefined ? sql`true` : sql`seq > (SELECT coalesce(max(seq), 9223372036854775807) FROM postern_keys WHERE id = ${after})`}
    ORDER BY seq LIMIT ${limit + 1}`
  const items = rows.slice(0, limit).map(recordOf)
  return { items, next: rows.length > limit ? items.at(-1)?.id : undefined }
}

async function touch(sql: PostgresSql, uses: ReadonlyMap<string, KeyUse>): Promise<void> {
  const rows = [...uses].map(([id, { at, count }]) => ({ id, at, count }))
  // Always in the same order: two replicas that touch the same rows must not wait for each other in a circle.
  rows.sort((a, b) => (a.id < b.id ? -1 : 1))
  if (rows.length === 0) return
  await sql`
    UPDATE postern_keys AS k SET last_used_at = greatest(coalesce(k.last_used_at, 0), u.at), uses = k.uses + u.count
    FROM (SELECT * FROM json_to_recordset(${JSON.stringify(rows)}::text::json) AS r(id text, at bigint, count bigint)) AS u WHERE k.id = u.id`
}

async function deny(sql: PostgresSql, entries: readonly DenyEntry[]): Promise<void> {
  await sql.begin(async (transaction) => {
    const inside = transaction as unknown as PostgresSql
    await bump(inside)
    await inside`DELETE FROM postern_denials WHERE until < ${Date.now() - FORGOTTEN_AFTER_MS}`
    for (const { authenticator, kind, value, until, issuedBefore } of entries) {
      await inside`INSERT INTO postern_denials VALUES (${authenticator}, ${kind}, ${value}, ${until}, ${issuedBefore ?? null})
        ON CONFLICT (authenticator, kind, value) DO UPDATE SET until = excluded.until, issued_before = excluded.issued_before`
    }
  })
}

async function generation(sql: PostgresSql): Promise<string> {
  const [row] = await sql<{ epoch: string; generation: number; layout: number }[]>`SELECT epoch, generation, layout FROM postern_generation`
  if (!row) throw new KeyStoreUnavailable('the key store has no generation; run `postern keys migrate`')
  if (row.layout !== POSTGRES_SCHEMA_VERSION) throw new KeyStoreUnavailable(`the key store has layout ${row.layout}, this version of Postern knows ${POSTGRES_SCHEMA_VERSION}`)
  return `${row.epoch}/${row.generation}`
}

/** Creates the tables where they are missing. Needs a role that may; Postern itself does not. @throws {KeyStoreUnavailable} */
export async function migratePostgres(url: string): Promise<void> {
  const connection = createPostgresConnection(url)
  try {
    await ofStore(30_000, async () => {
      const sql = await connection.sql()
      await sql.begin(async (transaction) => {
        for (const statement of POSTGRES_SCHEMA) await transaction.unsafe(statement)
      })
      await generation(sql)
    }, connection.drop)
  } finally {
    await connection.close()
  }
}

/**
 * Keys in PostgreSQL, for several machines. The tables are made by `migratePostgres`. Nothing is connected before the first question, and
 * a server that cannot be asked is {@link KeyStoreUnavailable} each time, never an answer.
 */
export function createPostgresStore({ url, deadlines = STORE_DEADLINES }: { readonly url: string; readonly deadlines?: typeof STORE_DEADLINES }): KeyStore {
  const connection = createPostgresConnection(url)
  const hearers = new Set<() => void>()
  let timer: NodeJS.Timeout | undefined
  let closed = false

  const run = <T>(ms: number, work: (sql: PostgresSql) => Promise<T>): Promise<T> =>
    ofStore(ms, async () => {
      try {
        return await work(await connection.sql())
      } catch (error) {
        throw isMissingTable(error) ? new KeyStoreUnavailable('the key store has no tables; run `postern keys migrate`') : error
      }
    }, connection.drop)
  const read = <T>(work: (sql: PostgresSql) => Promise<T>): Promise<T> => run(deadlines.readMs, work)
  const write = <T>(work: (sql: PostgresSql) => Promise<T>): Promise<T> => run(deadlines.writeMs, work)

  /** The library listens again by itself when the connection is lost; not when there never was one, or when it was dropped here. */
  const listen = async (heard: () => void): Promise<void> => {
    let listening: PostgresSql | undefined
    const attempt = async (): Promise<void> => {
      try {
        const sql = await connection.sql()
        if (sql !== listening) await sql.listen(CHANNEL, heard, heard)
        listening = sql
      } catch {
        listening = undefined
      }
      if (!closed) timer = setTimeout(() => void attempt(), LISTEN_AGAIN_MS).unref()
    }
    await attempt()
  }

  return {
    kind: 'postgresql',
    byDigest: async (digests) => {
      if (digests.length === 0) return undefined
      const rows = await read((sql) => sql<Row[]>`SELECT * FROM postern_keys WHERE digest IN ${sql(digests)} AND alg = 'hmac-sha256'`)
      const row = digests.map((digest) => rows.find((each) => each['digest'] === digest)).find((found) => found !== undefined)
      return row && recordOf(row)
    },
    byId: async (id) => {
      const [row] = await read((sql) => sql<Row[]>`SELECT * FROM postern_keys WHERE id = ${id}`)
      return row && recordOf(row)
    },
    list: (query) => write((sql) => page(sql, query)),
    bcryptRecords: async (limit) => (await read((sql) => sql<Row[]>`SELECT * FROM postern_keys WHERE alg = 'bcrypt' AND revoked_at IS NULL ORDER BY seq LIMIT ${limit}`)).map(recordOf),
    commit: (changes, room) => write((sql) => commit(sql, changes, room)),
    touch: (uses) => write((sql) => touch(sql, uses)),
    deny: (entries) => write((sql) => deny(sql, entries)),
    denied: async (now: EpochMs) => (await read((sql) => sql<Row[]>`SELECT * FROM postern_denials WHERE until > ${now}`)).map(denyEntryOf),
    generation: () => read(generation),
    onHint: (heard) => {
      hearers.add(heard)
      if (hearers.size === 1) void listen(() => hearers.forEach((each) => each()))
    },
    close: () => {
      closed = true
      clearTimeout(timer)
      return connection.close()
    },
  }
}
