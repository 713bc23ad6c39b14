import { LRUCache } from 'lru-cache'
import type { EpochMs } from '../base/time.ts'
import { createSingleFlight } from '../base/single-flight.ts'
import type { Observer } from '../model/event.ts'
import type { BcryptVerifier } from './bcrypt-verifier.ts'
import { BCRYPT_MAX_BYTES } from './bcrypt-verifier.ts'
import type { KeyDigest } from './key-digest.ts'
import { labelOf } from './key-format.ts'
import type { KeyRecord } from './key-record.ts'
import type { KeyStore } from './key-store.ts'

/** Rows that one guess is compared with: at 60 ms each the whole takes six seconds. Rows beyond that are not reached and are told of. */
export const MAX_CANDIDATES = 100

/** Wrong keys that are remembered. They get here at the pace of the verifier's budget, so nobody can flood this. */
const MAX_REMEMBERED = 10_000

/** Finds imported keys that nobody has used yet, of which the store holds bcrypt only. */
export interface ImportedKeys {
  /**
   * The record of a key, or undefined when none fits.
   *
   * @throws {Error} `BcryptBusy` or `KeyStoreUnavailable`: could not be checked
   */
  readonly find: (key: string, digest: KeyDigest, now: EpochMs) => Promise<KeyRecord | undefined>
  /** Records were written: the rows are to be read again. */
  readonly forget: () => void
}

export interface ImportedKeysOptions {
  readonly store: KeyStore
  readonly verifier: BcryptVerifier
  readonly observer: Observer
}

/** Stores the fast digest in place of bcrypt. When somebody changed the row meanwhile, the next use tries again. */
async function rehash({ store, observer }: ImportedKeysOptions, record: KeyRecord, key: string, digest: KeyDigest): Promise<KeyRecord> {
  const rehashed: KeyRecord = { ...record, ...digest, ...labelOf(key), alg: 'hmac-sha256' }
  if ((await store.commit([{ kind: 'update', record: rehashed }])) === 'conflict') {
    const current = await store.byId(record.id)
    return current ?? record
  }
  observer.noticed('info', 'key_rehashed', 'an imported key was used for the first time and is now stored as HMAC-SHA-256', { key_id: record.id })
  return rehashed
}

/**
 * Bounded in every direction, since anybody can send keys: candidates per guess, guesses that wait, comparisons per minute,
 * and one wrong key is compared once while the rows stay as they are.
 */
export function createImportedKeys(options: ImportedKeysOptions): ImportedKeys {
  const { store, verifier, observer } = options
  const flights = createSingleFlight<KeyRecord | undefined>()
  const wrong = new LRUCache<string, true>({ max: MAX_REMEMBERED })
  let rows: readonly KeyRecord[] | undefined
  let known = new Set<string>()
  let epoch = 0

  /** A key that was wrong stays wrong when rows leave; a new one may fit it. */
  const take = (found: readonly KeyRecord[]): readonly KeyRecord[] => {
    const digests = new Set(found.map(({ digest }) => digest))
    if (!digests.isSubsetOf(known)) wrong.clear()
    known = digests
    rows = found
    return found
  }

  const candidates = async (): Promise<readonly KeyRecord[]> => {
    if (rows) return rows
    const before = epoch
    const found = await store.bcryptRecords(MAX_CANDIDATES + 1)
    if (found.length > MAX_CANDIDATES) observer.noticed('warn', 'key_import_unreachable', `more than ${MAX_CANDIDATES} imported keys still have bcrypt digests; those beyond are not accepted until others have been used`)
    const bounded = found.slice(0, MAX_CANDIDATES)
    return before === epoch ? take(bounded) : bounded
  }

  const compare = async (among: readonly KeyRecord[], { key, digest, now }: { key: string; digest: KeyDigest; now: EpochMs }): Promise<KeyRecord | undefined> => {
    const before = epoch
    const match = among[await verifier.firstMatch(key, among.map((record) => record.digest), now)]
    if (match) return rehash(options, match, key, digest)
    if (before === epoch) wrong.set(digest.digest, true)
    return undefined
  }

  return {
    find: async (key, digest, now) => {
      if (Buffer.byteLength(key) > BCRYPT_MAX_BYTES) return undefined
      const among = await candidates()
      if (among.length === 0 || wrong.has(digest.digest)) return undefined
      return flights.run(digest.digest, () => compare(among, { key, digest, now }))
    },
    forget: () => {
      epoch += 1
      rows = undefined
    },
  }
}
