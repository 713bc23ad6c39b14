import type { DurationMs, EpochMs } from '../base/time.ts'

/** How a record's `digest` is made. `bcrypt` is only ever imported, and becomes `hmac-sha256` with the first use. */
export type KeyAlgorithm = 'hmac-sha256' | 'bcrypt'

/** So many requests per window, for one key alone. */
export interface KeyLimit {
  /** 1 or more. */
  readonly quota: number
  readonly windowMs: DurationMs
}

/** Everything that is known of one key. Holds no secret: neither the key nor anything that could be sent in its place. */
export interface KeyRecord {
  /** `key_` and base62 digits; public. */
  readonly id: string
  readonly alg: KeyAlgorithm
  /** 64 hex digits, or the bcrypt text of an imported row. */
  readonly digest: string
  /** Which pepper made the digest; empty for bcrypt. */
  readonly pepperId: string
  /** Label in front of the key, without its `_`; empty for imported keys. */
  readonly prefix: string
  /** Last four characters, to recognise a key by; may be empty. */
  readonly last4: string
  /** Who the key stands for: the subject of its principal. */
  readonly owner: string
  readonly email: string | undefined
  readonly tier: string | undefined
  readonly status: 'active' | 'suspended'
  readonly scopes: readonly string[]
  readonly roles: readonly string[]
  readonly name: string | undefined
  readonly notes: string | undefined
  readonly createdAt: EpochMs
  readonly expiresAt: EpochMs | undefined
  readonly revokedAt: EpochMs | undefined
  /** The key that this one was rotated into; it still works until `overlapEndsAt`. */
  readonly replacedBy: string | undefined
  /** The key that this one was made to replace. */
  readonly replaces: string | undefined
  readonly overlapEndsAt: EpochMs | undefined
  /** `live`, `test` or another word that stands in its prefix; undefined for keys without one. */
  readonly environment: string | undefined
  /** Networks that the key may be used from; empty: anywhere. */
  readonly allowedNetworks: readonly string[]
  /** Instead of the limits of its tier or route; empty: those apply. */
  readonly limits: readonly KeyLimit[]
  /** Written in batches, so up to some seconds late. */
  readonly lastUsedAt: EpochMs | undefined
  /** Requests that were let in with it, written with the last use; what was not yet written when a process is killed is lost. */
  readonly uses: number
  /** Counts the writes of this record, from 1; an update names the one it read. */
  readonly version: number
}

/** What a key is good for at one instant. */
export type KeyState = 'active' | 'suspended' | 'revoked' | 'expired'

/** A replaced key counts as revoked once its overlap has ended: somebody ended it, it did not age. */
export function stateOf(record: KeyRecord, now: EpochMs): KeyState {
  if (record.revokedAt !== undefined) return 'revoked'
  if (record.overlapEndsAt !== undefined && record.overlapEndsAt <= now) return 'revoked'
  if (record.expiresAt !== undefined && record.expiresAt <= now) return 'expired'
  return record.status
}

/** Whether it can be used, now or once it is resumed: what caps on keys count. */
export const isWorking = (record: KeyRecord, now: EpochMs): boolean => ['active', 'suspended'].includes(stateOf(record, now))

/** When the key stops working by itself, if ever. */
export function endOf(record: KeyRecord): EpochMs | undefined {
  const ends = [record.expiresAt, record.overlapEndsAt].filter((end) => end !== undefined)
  return ends.length === 0 ? undefined : Math.min(...ends)
}
