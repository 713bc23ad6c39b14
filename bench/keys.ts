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

/**
 * What a lookup costs with a thousand keys and with a million, in the SQLite store: remembered, not remembered, and unknown; how long the store
 * takes to open; what the memory of a process grows by. Run with `node bench/keys.ts`; takes some minutes for the million.
 */
const hasher = createKeyHasher({ pepper: 'pepper of the benchmark' })
const LOOKUPS = 20_000
const COMMIT = 2_000

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
  const every = Math.max(1, Math.floor(count / LOOKUPS))
  for (let at = 0; at < count; at += COMMIT) {
    const keys = Array.from({ length: Math.min(COMMIT, count - at) }, () => generateKey('ak_live'))
    for (const [index, key] of keys.entries()) if ((at + index) % every === 0) sample.push(key)
    await store.commit(keys.map((key) => ({ kind: 'insert', record: recordOf(key) })))
  }
  return sample
}

/** Microseconds per lookup. */
async function timed(keys: readonly string[], find: (key: string) => unknown): Promise<number> {
  const startedAt = performance.now()
  for (const key of keys) await find(key)
  return ((performance.now() - startedAt) * 1_000) / keys.length
}

async function measure(count: number): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'postern-bench-keys-'))
  const path = join(folder, 'keys.db')
  try {
    const filling = createSqliteStore({ path })
    const sample = await fill(filling, count)
    await filling.close()
    const before = process.memoryUsage.rss()
    const openedAt = performance.now()
    const store = createSqliteStore({ path })
    await store.generation()
    const openMs = performance.now() - openedAt
    const now = Date.now()
    const lookup = createKeyLookup({ store, hasher, checksum: 'crc32', observer: SILENT, lastUses: createLastUses({ store, everyMs: 3_600_000, observer: SILENT }) })
    const find = (key: string): unknown => lookup.find(key, now)
    const cold = await timed(sample.slice(0, LOOKUPS), find)
    const warmKeys = sample.slice(-1_000)
    await timed(warmKeys, find)
    const warm = await timed(Array.from({ length: 20 }, () => warmKeys).flat(), find)
    const unknown = await timed(Array.from({ length: LOOKUPS }, () => generateKey('ak_live')), find)
    const grown = (process.memoryUsage.rss() - before) / 2 ** 20
    process.stdout.write(`${String(count).padStart(9)} keys: open ${openMs.toFixed(1)} ms; lookup remembered ${warm.toFixed(1)} µs, from the store ${cold.toFixed(1)} µs, unknown ${unknown.toFixed(1)} µs; memory +${grown.toFixed(0)} MiB\n`)
    await lookup.close()
    await store.close()
  } finally {
    rmSync(folder, { recursive: true })
  }
}

for (const count of (process.argv.slice(2).map(Number).length > 0 ? process.argv.slice(2).map(Number) : [1_000, 1_000_000])) await measure(count)
