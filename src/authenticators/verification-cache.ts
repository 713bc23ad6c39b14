import { LRUCache } from 'lru-cache'
import type { DurationMs, EpochMs } from '../base/time.ts'
import type { Credential } from '../model/credential.ts'
import type { IdentifiedPrincipal } from '../model/principal.ts'
import { digestOf } from './credential-digest.ts'

/** A token that was verified, and for how long that may be believed without looking again. */
export interface VerifiedToken {
  readonly principal: IdentifiedPrincipal
  /** Never past the token's expiry. */
  readonly until: EpochMs
}

/** Remembers verified tokens; never a refusal. */
export interface VerificationCache<T extends VerifiedToken> {
  /** What was verified, unless its time is over at `now`. */
  readonly get: (credential: Credential, now: EpochMs) => T | undefined
  /** Keeps it until `min(entry.until, now + ttl)`. */
  readonly set: (credential: Credential, entry: T, now: EpochMs) => void
  readonly delete: (credential: Credential) => void
  readonly clear: () => void
  readonly size: () => number
}

export interface VerificationCacheSettings {
  /** Whose verifications these are: what another authenticator believes is not kept (T39). */
  readonly authenticatorId: string
  /** The delay of a revocation; 0 remembers nothing. */
  readonly ttlMs: DurationMs
  readonly maxEntries: number
}

/** Characters of tokens that are remembered, all together; what a token is worth in memory goes with its length. */
const MAX_CHARACTERS = 33_554_432

/**
 * Bounded by entries and by size. Keyed by the SHA-256 of the whole token, so that no secret is a map key. The key does not say whose
 * belief an entry is: each authenticator has a cache of its own, and the entry itself says it.
 */
export function createVerificationCache<T extends VerifiedToken>({ authenticatorId, ttlMs, maxEntries }: VerificationCacheSettings): VerificationCache<T> {
  const entries = new LRUCache<string, { readonly entry: T; readonly until: EpochMs }>({ max: maxEntries, maxSize: MAX_CHARACTERS })
  return {
    get: (credential, now) => {
      if (ttlMs === 0) return undefined
      const key = digestOf(credential)
      const kept = entries.get(key)
      if (!kept) return undefined
      if (kept.until > now) return kept.entry
      entries.delete(key)
      return undefined
    },
    set: (credential, entry, now) => {
      const until = Math.min(entry.until, now + ttlMs)
      if (until > now && entry.principal.authenticatorId === authenticatorId) entries.set(digestOf(credential), { entry, until }, { size: credential.value.length })
    },
    delete: (credential) => {
      entries.delete(digestOf(credential))
    },
    clear: () => entries.clear(),
    size: () => entries.size,
  }
}
