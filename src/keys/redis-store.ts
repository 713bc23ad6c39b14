import { createHash, randomUUID } from 'node:crypto'
import type { RedisClient } from '../redis/create-redis.ts'
import { denyEntryOf } from './deny-rows.ts'
import type { KeyRecord } from './key-record.ts'
import { KeyStoreUnavailable, type CommitOutcome, type DenyEntry, type KeyChange, type KeyPage, type KeyQuery, type KeyStore, type KeyUse, type OwnerRoom } from './key-store.ts'
import { recordOf, valuesOf, type Row } from './record-rows.ts'
import { COMMIT_SCRIPT, DENY_SCRIPT, FIND_SCRIPT, TOUCH_SCRIPT } from './redis-commit.ts'
import { createRedisConnection } from './redis-connection.ts'
import { ofStore, STORE_DEADLINES, type StoreDeadlines } from './remote-store.ts'
import type { StoreLocation } from './store-location.ts'

const FORGOTTEN_AFTER_MS = 86_400_000

/** Changes per script call, so that no other client of the server waits long. */
const BATCH = 2_000

/** Names of everything that one store keeps. One hash tag: a cluster has them all on one server. */
const namesFor = (namespace: string) => {
  const of = (what: string): string => `{${namespace}:keys}:${what}`
  return {
    rows: of('rows'), digests: of('digests'), order: of('order'), bcrypt: of('bcrypt'), generation: of('generation'), ownerPrefix: of('owner:'),
    lastUses: of('last-uses'), counts: of('uses'), denials: of('denials'), denialEnds: of('denial-ends'), channel: of('changed'),
  }
}

type Names = ReturnType<typeof namesFor>

interface Script { readonly lua: string; readonly sha1: string }

const scriptOf = (lua: string): Script => ({ lua, sha1: createHash('sha1').update(lua).digest('hex') })

const SCRIPTS = { commit: scriptOf(COMMIT_SCRIPT), touch: scriptOf(TOUCH_SCRIPT), deny: scriptOf(DENY_SCRIPT), find: scriptOf(FIND_SCRIPT) }

async function runScript(redis: RedisClient, { lua, sha1 }: Script, keys: readonly string[], args: readonly (string | number)[]): Promise<unknown> {
  try {
    return await redis.evalsha(sha1, keys.length, ...keys, ...args)
  } catch (error) {
    if (!(error instanceof Error && error.message.startsWith('NOSCRIPT'))) throw error
    return redis.eval(lua, keys.length, ...keys, ...args)
  }
}

function rowOf(text: string): Row {
  const value: unknown = JSON.parse(text)
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new KeyStoreUnavailable('the key store has an unreadable row')
  // An object with whatever members; `recordOf` looks at each.
  return value as Row
}

function recordIn(row: unknown, lastUse: unknown, uses: unknown): KeyRecord | undefined {
  if (typeof row !== 'string') return undefined
  const record = recordOf(rowOf(row))
  return { ...record, lastUsedAt: typeof lastUse === 'string' ? Number(lastUse) : record.lastUsedAt, uses: record.uses + (typeof uses === 'string' ? Number(uses) : 0) }
}

/** What a commit writes: the version that the record will have, and no uses, which are counted beside it. */
function argumentsOf({ kind, record }: KeyChange, before: KeyRecord | undefined): readonly (string | number)[] {
  const counted = kind === 'insert' ? { version: 1 } : { version: record.version + 1, uses: before?.uses ?? 0, lastUsedAt: before?.lastUsedAt }
  const row = JSON.stringify(valuesOf({ ...record, ...counted }))
  return [kind, record.id, record.version, record.digest, record.alg, record.revokedAt === undefined ? 0 : 1, record.owner, row]
}

async function recordsOf(redis: RedisClient, names: Names, ids: readonly string[]): Promise<readonly KeyRecord[]> {
  if (ids.length === 0) return []
  const [rows, lastUses, uses] = await Promise.all([names.rows, names.lastUses, names.counts].map((name) => redis.hmget(name, ...ids)))
  return ids.map((_id, at) => recordIn(rows?.[at], lastUses?.[at], uses?.[at])).filter((record) => record !== undefined)
}

/** The stored rows as they are, without what was counted beside them. */
async function storedRows(redis: RedisClient, names: Names, changes: readonly KeyChange[]): Promise<ReadonlyMap<string, KeyRecord>> {
  const ids = changes.filter(({ kind }) => kind === 'update').map(({ record }) => record.id)
  if (ids.length === 0) return new Map()
  const rows = await redis.hmget(names.rows, ...ids)
  return new Map(rows.flatMap((row) => (row === null ? [] : [recordOf(rowOf(row))])).map((record) => [record.id, record]))
}

async function commit(redis: RedisClient, names: Names, changes: readonly KeyChange[], room: OwnerRoom | undefined): Promise<CommitOutcome> {
  // A row's own `uses` and `last_used_at` are those it came with and never change, so reading them before is no race.
  const before = await storedRows(redis, names, changes)
  const keys = [names.rows, names.digests, names.order, names.bcrypt, names.generation]
  const outcome = await runScript(redis, SCRIPTS.commit, keys, [names.ownerPrefix, names.channel, room?.owner ?? '', room?.max ?? 0, room?.now ?? 0, randomUUID(), ...changes.flatMap((change) => argumentsOf(change, before.get(change.record.id)))])
  return outcome === 'committed' || outcome === 'full' ? outcome : 'conflict'
}

async function page(redis: RedisClient, names: Names, { after, limit, owner }: KeyQuery): Promise<KeyPage> {
  const list = owner === undefined ? names.order : `${names.ownerPrefix}${owner}`
  const score = after === undefined ? '0' : await redis.zscore(names.order, after)
  if (score === null) return { items: [], next: undefined }
  const ids = await redis.zrange(list, `(${score}`, '+inf', 'BYSCORE', 'LIMIT', 0, limit + 1)
  const items = await recordsOf(redis, names, ids.slice(0, limit))
  return { items, next: ids.length > limit ? items.at(-1)?.id : undefined }
}

async function deny(redis: RedisClient, names: Names, entries: readonly DenyEntry[]): Promise<void> {
  const args = entries.flatMap((entry) => {
    const { authenticator, kind, value, until, issuedBefore } = entry
    return [JSON.stringify([authenticator, kind, value]), until, JSON.stringify({ authenticator, kind, value, until, issued_before: issuedBefore ?? null })]
  })
  await runScript(redis, SCRIPTS.deny, [names.denials, names.denialEnds, names.generation], [Date.now() - FORGOTTEN_AFTER_MS, names.channel, randomUUID(), ...args])
}

async function denied(redis: RedisClient, names: Names, now: number): Promise<readonly DenyEntry[]> {
  const all = await redis.zrange(names.denialEnds, `(${now}`, '+inf', 'BYSCORE')
  if (all.length === 0) return []
  return (await redis.hmget(names.denials, ...all)).flatMap((entry) => (entry === null ? [] : [denyEntryOf(rowOf(entry))]))
}

/**
 * Keys in Redis 6.2 or newer, or Valkey, for several machines. The server must write what it is given to its disk (`appendonly yes`) and must
 * not evict (`maxmemory-policy noeviction`): what it loses is lost, with every key that was shown.
 *
 * @throws {KeyStoreUnavailable} from every method when the server cannot be asked, in time
 */
export function createRedisStore({ redis: settings, namespace, deadlines = STORE_DEADLINES }: Omit<Extract<StoreLocation, { kind: 'redis' }>, 'kind'> & { readonly deadlines?: StoreDeadlines }): KeyStore {
  const names = namesFor(namespace)
  const connection = createRedisConnection(settings)
  let known: string | undefined

  const run = <T>(ms: number, work: (redis: RedisClient) => Promise<T>): Promise<T> => ofStore(ms, async () => work(await connection.redis()), connection.drop)
  const read = <T>(work: (redis: RedisClient) => Promise<T>): Promise<T> => run(deadlines.readMs, work)
  const write = <T>(work: (redis: RedisClient) => Promise<T>): Promise<T> => run(deadlines.writeMs, work)

  /** A server that was emptied is not an empty store: every key would be unknown instead of unchecked. */
  const checkGeneration = (found: string | null): string => {
    if (found === null && known !== undefined) throw new KeyStoreUnavailable('the key store was emptied')
    if (found !== null) known = found
    return found ?? '0'
  }

  return {
    kind: 'redis',
    byDigest: async (digests) => {
      if (digests.length === 0) return undefined
      const found = await read((redis) => runScript(redis, SCRIPTS.find, [names.rows, names.digests, names.lastUses, names.counts], digests))
      return Array.isArray(found) ? recordIn(found[0], found[1], found[2]) : undefined
    },
    byId: async (id) => (await read((redis) => recordsOf(redis, names, [id])))[0],
    list: (query) => write((redis) => page(redis, names, query)),
    bcryptRecords: (limit) => read(async (redis) => recordsOf(redis, names, await redis.zrange(names.bcrypt, '0', String(limit - 1)))),
    commit: (changes, room) => {
      if (changes.length > BATCH) throw new RangeError(`at most ${BATCH} changes in one commit`)
      return write((redis) => commit(redis, names, changes, room))
    },
    touch: async (uses: ReadonlyMap<string, KeyUse>) => {
      if (uses.size > 0) await write((redis) => runScript(redis, SCRIPTS.touch, [names.rows, names.lastUses, names.counts], [...uses].flatMap(([id, { at, count }]) => [id, at, count])))
    },
    deny: (entries) => write((redis) => deny(redis, names, entries)),
    denied: (now) => read((redis) => denied(redis, names, now)),
    generation: async () => checkGeneration(await read((redis) => redis.get(names.generation))),
    onHint: (heard) => connection.subscribe(names.channel, heard),
    close: () => connection.close(),
  }
}
