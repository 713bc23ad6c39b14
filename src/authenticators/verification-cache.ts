import { LRUCache } from 'lru-cache'
import { sha256Hex } from '../base/bytes.ts'
import type { DurationMs, EpochMs } from '../base/time.ts'
import type { Credential } from '../model/credential.ts'
import type { IdentifiedPrincipal } from '../model/principal.ts'

/** A token that was verified, and for how long that may be believed without looking again. */
export interface VerifiedToken {
  readonly principal: IdentifiedPrincipal
  /** Never past the token's expiry. */
  readonly until: EpochMs
}

/** Remembers verified tokens; never a refusal. */
export interface VerificationCache<T extends VerifiedToken> {
  /** What was verified, unless its time is over at `now`. */
  readonly get: (token: string, now: EpochMs, credential?: Pick<Credential, 'digest'>) => T | undefined
  /** Keeps it until `min(entry.until, now + ttl)`. */
  readonly set: (token: string, entry: T, now: EpochMs) => void
  readonly delete: (token: string) => void
  readonly clear: () => void
  readonly size: () => number
}

export interface VerificationCacheSettings {
  /** Whose verifications these are. Part of the key: what one authenticator believes, another must not (T39). */
  readonly authenticatorId: string
  /** The delay of a revocation; 0 remembers nothing. */
  readonly ttlMs: DurationMs
  readonly maxEntries: number
}

/** Characters of tokens that are remembered, all together; what a token is worth in memory goes with its length. */
const MAX_CHARACTERS = 33_554_432

/** Bounded by entries and by size. Keyed by the SHA-256 of the authenticator and the whole token, so that no secret is a map key. */
export function createVerificationCache<T extends VerifiedToken>({ authenticatorId, ttlMs, maxEntries }: VerificationCacheSettings): VerificationCache<T> {
  const entries = new LRUCache<string, { readonly entry: T; readonly until: EpochMs }>({ max: maxEntries, maxSize: MAX_CHARACTERS })
  // The length in front makes the pair unambiguous (CVE-2026-16158: concatenation without a delimiter).
  const scope = `${authenticatorId.length}:${authenticatorId}:`
  const keyOf = (token: string): string => sha256Hex(scope + token)
  return {
    get: (token, now, credential) => {
      if (ttlMs === 0) return undefined
      const known = credential?.digest
      const key = known?.scope === scope ? known.key : keyOf(token)
      if (credential && known?.key !== key) credential.digest = { scope, key }
      const kept = entries.get(key)
      if (!kept) return undefined
      if (kept.until > now) return kept.entry
      entries.delete(key)
      return undefined
    },
    set: (token, entry, now) => {
      const until = Math.min(entry.until, now + ttlMs)
      if (until > now) entries.set(keyOf(token), { entry, until }, { size: token.length })
    },
    delete: (token) => {
      entries.delete(keyOf(token))
    },
    clear: () => entries.clear(),
    size: () => entries.size,
  }
}
