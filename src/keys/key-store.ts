import type { EpochMs, MaybePromise } from '../base/time.ts'
import type { KeyRecord } from './key-record.ts'

/** One write. `update` carries the version that was read; the store writes the next one. */
export type KeyChange =
  | { readonly kind: 'insert'; readonly record: KeyRecord }
  | { readonly kind: 'update'; readonly record: KeyRecord }

/** How many keys that work somebody may have before one more is made. */
export interface OwnerRoom {
  readonly owner: string
  /** 1 or more. Suspended keys count, since they can be resumed. */
  readonly max: number
  /** When "works" is judged. */
  readonly now: EpochMs
}

/** `full`: the owner has as many working keys as they may have. */
export type CommitOutcome = 'committed' | 'conflict' | 'full'

/** A page of records in the order of their creation. */
export interface KeyPage {
  readonly items: readonly KeyRecord[]
  /** Id to go on after; undefined on the last page. */
  readonly next: string | undefined
}

export interface KeyQuery {
  /** Id of the last record of the page before. An id that does not exist gives an empty page. */
  readonly after?: string | undefined
  /** 1 to 1000. */
  readonly limit: number
  readonly owner?: string | undefined
}

/** Uses of one key since the last batch. */
export interface KeyUse {
  readonly at: EpochMs
  /** 1 or more. */
  readonly count: number
}

/**
 * Proofs that are valid by themselves and were ended all the same: one token (`jti`), all of somebody (`sub`), or a session (`sid`).
 * Entries that agree in `authenticator`, `kind` and `value` are one: the last one written stands.
 */
export interface DenyEntry {
  readonly kind: 'jti' | 'sub' | 'sid'
  readonly value: string
  /** The authenticator that it speaks of; `*` for all. The same `sub` is somebody else at another issuer. */
  readonly authenticator: string
  /** Until when it is denied; the proof should have expired by then. */
  readonly until: EpochMs
  /** Only proofs that were issued before: who logs in again is welcome. Undefined: all. */
  readonly issuedBefore: EpochMs | undefined
}

/**
 * Where records live. Every implementation passes `key-store.contract.ts`; a local one may answer at once.
 *
 * Records are never deleted, so an id means the same key for ever and a page can be continued.
 */
export interface KeyStore {
  /** What it is called in logs and in `unavailable`: `sqlite`, `memory`. Never a path or an address. */
  readonly kind: string
  /** The record with one of these digests, the earlier digest first; one round trip. Only digests of `hmac-sha256` match. */
  readonly byDigest: (digests: readonly string[]) => MaybePromise<KeyRecord | undefined>
  readonly byId: (id: string) => MaybePromise<KeyRecord | undefined>
  readonly list: (query: KeyQuery) => MaybePromise<KeyPage>
  /** Records whose digest is still bcrypt and that are not revoked, oldest first, at most `limit`. */
  readonly bcryptRecords: (limit: number) => MaybePromise<readonly KeyRecord[]>
  /**
   * Writes all changes or none, durably: when it has answered, a crash loses nothing. `conflict`: an id or a digest exists, or a
   * record's version is not the one that was read. With `room` the owner's working keys are counted in the same transaction, so that two
   * replicas at once never both find room for the last one.
   */
  readonly commit: (changes: readonly KeyChange[], room?: OwnerRoom) => MaybePromise<CommitOutcome>
  /** Adds uses; never moves a last use back, counts as no change and may be lost in a crash. Unknown ids are ignored. */
  readonly touch: (uses: ReadonlyMap<string, KeyUse>) => MaybePromise<void>
  /** Adds or replaces entries of the deny list, durably; moves the generation. */
  readonly deny: (entries: readonly DenyEntry[]) => MaybePromise<void>
  /** Entries that still count at `now`. They are few: each ends by itself. */
  readonly denied: (now: EpochMs) => MaybePromise<readonly DenyEntry[]>
  /** Calls whenever another process says that it wrote something: a hint to ask for the generation now. Absent where nobody says so. */
  readonly onHint?: (heard: () => void) => void
  /** Differs from an earlier answer if, and only if, records were committed since, by whichever process. Cheap enough to ask several times a second. */
  readonly generation: () => MaybePromise<string>
  readonly close: () => MaybePromise<void>
}

/** The store could not be read or written. Says nothing about any key. */
export class KeyStoreUnavailable extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'KeyStoreUnavailable'
  }
}
