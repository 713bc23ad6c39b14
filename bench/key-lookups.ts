import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createKeyHasher } from '../src/keys/key-digest.ts'
import { generateKey, labelOf, newKeyId } from '../src/keys/key-format.ts'
import { createKeyLookup } from '../src/keys/key-lookup.ts'
import type { KeyRecord } from '../src/keys/key-record.ts'
import type { KeyStore } from '../src/keys/key-store.ts'
import { createLastUses } from '../src/keys/last-uses.ts'
import { createSqliteStore } from '../src/keys/sqlite-store.ts'
import { SILENT } from '../src/model/event.ts'
import { cpuPer } from './growth/dimension.ts'

const hasher = createKeyHasher({ pepper: 'pepper of the benchmark' })
/** Keys that are known by name afterwards, spread over all. */
const SAMPLE = 20_000
const COMMIT = 2_000
/** Lookups of one measurement; the cache of lookups holds fewer than SAMPLE and more than these. */
const LOOKUPS = 1_000

function recordOf(key: string): KeyRecord {
  return {
    ...labelOf(key), ...hasher.digestOf(key), id: newKeyId(), alg: 'hmac-sha256', owner: 'user_1', email: undefined, tier: 'pro', status: 'active', scopes: ['read'], roles: [],
    name: undefined, notes: undefined, createdAt: 1, expiresAt: undefined, revokedAt: undefined, replacedBy: undefined, replaces: undefined, overlapEndsAt: undefined,
    environment: 'live', allowedNetworks: [], limits: [], lastUsedAt: undefined, uses: 0, version: 1,
  }
}

/** Fills a store and gives every so-many-th key. */
async function fill(store: KeyStore, count: number): Promise<readonly string[]> {
  const sample: string[] = []
  const every = Math.max(1, Math.floor(count / SAMPLE))
  for (let at = 0; at < count; at += COMMIT) {
    const keys = Array.from({ length: Math.min(COMMIT, count - at) }, () => generateKey('ak_live'))
    for (const [index, key] of keys.entries()) if ((at + index) % every === 0) sample.push(key)
    await store.commit(keys.map((key) => ({ kind: 'insert', record: recordOf(key) })))
  }
  return sample
}

/** CPU time of one lookup, µs: SQLite works in this process. */
const timed = (keys: readonly string[], find: (key: string) => unknown): Promise<number> => cpuPer(keys.length, (n) => find(keys[n] ?? ''))

/** A SQLite store of so many keys, and what lookups in it cost, µs. */
export interface FilledStore {
  /** Until it answered, ms. */
  readonly openMs: number
  /** A thousand keys that were looked up before. */
  readonly remembered: () => Promise<number>
  /** Keys that were not looked up lately. */
  readonly fromStore: () => Promise<number>
  readonly unknown: () => Promise<number>
  readonly close: () => Promise<void>
}

/** Fills a store in a folder of its own, which for a million keys takes minutes, and opens it. */
export async function openFilled(count: number): Promise<FilledStore> {
  const folder = mkdtempSync(join(tmpdir(), 'postern-bench-keys-'))
  const path = join(folder, 'keys.db')
  const filling = createSqliteStore({ path })
  const sample = await fill(filling, count)
  await filling.close()
  const openedAt = performance.now()
  const store = createSqliteStore({ path })
  await store.generation()
  const openMs = performance.now() - openedAt
  const lookupIn = () => createKeyLookup({ store, hasher, checksum: 'crc32', observer: SILENT, lastUses: createLastUses({ store, everyMs: 3_600_000, observer: SILENT }) })
  const lookup = lookupIn()
  const now = Date.now()
  const warm = sample.slice(-LOOKUPS)
  let turn = 0
  return {
    openMs,
    remembered: async () => {
      await timed(warm, (key) => lookup.find(key, now))
      return timed(warm, (key) => lookup.find(key, now))
    },
    fromStore: async () => {
      // A lookup of its own has nothing in its cache.
      const cold = lookupIn()
      const at = (turn++ * LOOKUPS) % Math.max(1, sample.length - LOOKUPS)
      const cost = await timed(sample.slice(at, at + LOOKUPS), (key) => cold.find(key, now))
      await cold.close()
      return cost
    },
    unknown: () => timed(Array.from({ length: LOOKUPS }, () => generateKey('ak_live')), (key) => lookup.find(key, now)),
    close: async () => {
      await lookup.close()
      await store.close()
      rmSync(folder, { recursive: true })
    },
  }
}
