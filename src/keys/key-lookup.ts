import { LRUCache } from 'lru-cache'
import { digestsEqual } from '../base/bytes.ts'
import type { DurationMs, EpochMs, MaybePromise } from '../base/time.ts'
import type { Observer } from '../model/event.ts'
import { BcryptBusy } from './bcrypt-verifier.ts'
import { createHeldKeys } from './held-keys.ts'
import type { ImportedKeys } from './imported-keys.ts'
import type { KeyDigest, KeyHasher } from './key-digest.ts'
import { MAX_KEY_LENGTH, parseKey } from './key-format.ts'
import { stateOf } from './key-record.ts'
import type { KeyRecord } from './key-record.ts'
import type { KeyStore } from './key-store.ts'
import type { LastUses } from './last-uses.ts'
import { settle } from './settle.ts'
import { createStoreWatch } from './store-watch.ts'

/** What a presented key turned out to be. */
export type KeyAnswer =
  | { readonly kind: 'active' | 'suspended' | 'revoked' | 'expired'; readonly record: KeyRecord }
  | { readonly kind: 'unknown' }
  /** Not a key by its shape: wrong checksum, or too long. Nothing was asked. */
  | { readonly kind: 'malformed' }
  /** Could not be checked. Never a statement about the key. */
  | { readonly kind: 'unavailable'; readonly cause: string; readonly retryAfterMs?: DurationMs }

/** From a presented key to its record. */
export interface KeyLookup {
  /** Answers at once when the store does. Never rejects. */
  readonly find: (key: string, now: EpochMs) => MaybePromise<KeyAnswer>
  /** Whether a key that was found once is no longer good for anything. What cannot be asked, or is kept elsewhere, has not ended. */
  readonly ended: (keyId: string, now: EpochMs) => MaybePromise<boolean>
  readonly close: () => Promise<void>
}

export interface KeyLookupLimits {
  /** Keys that are remembered. */
  readonly maxEntries: number
  /** Longest time without asking the store for changes. */
  readonly maxAgeMs: DurationMs
  /** How long remembered keys go on working while the store cannot be asked. */
  readonly graceMs: DurationMs
}

/** A change is seen within a quarter of a second; an outage is bridged for five minutes, during which no revocation can arrive. */
export const KEY_LOOKUP_LIMITS: KeyLookupLimits = { maxEntries: 10_000, maxAgeMs: 250, graceMs: 300_000 }

export interface KeyLookupOptions {
  readonly store: KeyStore
  readonly hasher: KeyHasher
  /** `crc32`: only keys with a fitting checksum. `none`: any text, such as keys that another system made. */
  readonly checksum: 'crc32' | 'none'
  /** Imported bcrypt rows, where there may be any. */
  readonly imported?: ImportedKeys | undefined
  readonly lastUses: LastUses
  readonly observer: Observer
  readonly limits?: KeyLookupLimits | undefined
}

const UNKNOWN: KeyAnswer = { kind: 'unknown' }
const MALFORMED: KeyAnswer = { kind: 'malformed' }

function unavailable(error: unknown): KeyAnswer {
  const cause = error instanceof Error ? error.message : String(error)
  return error instanceof BcryptBusy ? { kind: 'unavailable', cause, retryAfterMs: error.retryAfterMs } : { kind: 'unavailable', cause }
}

const equal = (a: string, b: string): boolean => digestsEqual(Buffer.from(a), Buffer.from(b))

/**
 * The index of a store is searched by digest, so no comparison ever sees the presented key; the digest that came back is
 * compared once more in constant time, whatever the index did (T47).
 */
function confirmed(record: KeyRecord | undefined, digests: readonly KeyDigest[]): KeyRecord | undefined {
  return record && digests.some(({ digest }) => equal(digest, record.digest)) ? record : undefined
}

/** A cache of verified keys in front of the store. What it holds is never older than the last look at the store's generation. */
export function createKeyLookup(options: KeyLookupOptions): KeyLookup {
  const { store, hasher, checksum, imported, lastUses, observer, limits = KEY_LOOKUP_LIMITS } = options
  const cache = new LRUCache<string, KeyRecord>({ max: limits.maxEntries })
  const watch = createStoreWatch({
    store, observer, maxAgeMs: limits.maxAgeMs,
    onChange: () => {
      cache.clear()
      imported?.forget()
    },
  })

  const answerOf = (record: KeyRecord, now: EpochMs): KeyAnswer => {
    const kind = stateOf(record, now)
    if (kind === 'active') lastUses.note(record.id, now)
    return { kind, record }
  }

  /** Unless something was written while it was being read. */
  const remember = (digest: string, record: KeyRecord, generation: string | undefined): void => {
    if (generation === watch.generation()) cache.set(digest, record)
  }

  /** A key stored under a previous pepper is stored anew under the current one, after the answer; when that fails, the next use tries again. */
  const renew = (record: KeyRecord, digest: KeyDigest): void => {
    if (record.digest === digest.digest) return
    const write = (): MaybePromise<unknown> => store.commit([{ kind: 'update', record: { ...record, ...digest } }])
    setImmediate(() => void settle(write, () => undefined, () => undefined))
  }

  const findImported = async (key: string, digest: KeyDigest, now: EpochMs): Promise<KeyAnswer> => {
    const record = await imported?.find(key, digest, now)
    return record ? answerOf(record, now) : UNKNOWN
  }

  const load = (key: string, digest: KeyDigest, now: EpochMs): MaybePromise<KeyAnswer> => {
    const generation = watch.generation()
    const digests = [digest, ...hasher.previousDigestsOf(key)]
    return settle(
      () => store.byDigest(digests.map((each) => each.digest)),
      (found) => {
        const record = confirmed(found, digests)
        if (!record) return imported ? findImported(key, digest, now).catch(unavailable) : UNKNOWN
        remember(digest.digest, record, generation)
        renew(record, digest)
        return answerOf(record, now)
      },
      unavailable,
    )
  }

  const find = (key: string, now: EpochMs): MaybePromise<KeyAnswer> => {
    if (key.length > MAX_KEY_LENGTH || (checksum === 'crc32' && !parseKey(key))) return MALFORMED
    const digest = hasher.digestOf(key)
    return settle(
      () => watch.look(now),
      (sight) => {
        const record = cache.get(digest.digest)
        observer.cached('key', record ? (sight.kind === 'lost' ? 'stale' : 'hit') : 'miss')
        if (sight.kind === 'current') return record ? answerOf(record, now) : load(key, digest, now)
        return record && now - sight.since <= limits.graceMs ? answerOf(record, now) : unavailable(new Error(sight.cause))
      },
      unavailable,
    )
  }

  const ended = createHeldKeys({ store, watch, maxEntries: limits.maxEntries })

  return { find, ended, close: () => lastUses.close() }
}
