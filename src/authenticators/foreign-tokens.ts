import { LRUCache } from 'lru-cache'
import { sha256Hex } from '../base/bytes.ts'
import type { Verification } from '../model/ports.ts'

/** Remembers tokens that another issuer made, and what is said about them. */
export interface ForeignTokens {
  readonly get: (token: string) => Verification | undefined
  readonly set: (token: string, verification: Verification) => void
}

/** Enough for those that come again and again while several authenticators share a carrier. */
const MAX_ENTRIES = 1_000

/**
 * A token names its issuer in its own text, so one that is somebody else's stays that, and need not be taken apart each time it passes by on
 * the way to the authenticator that knows it. Keyed by SHA-256, so that no secret is a map key; strangers can only push out each other's.
 */
export function createForeignTokens(): ForeignTokens {
  const entries = new LRUCache<string, Verification>({ max: MAX_ENTRIES })
  return {
    get: (token) => entries.get(sha256Hex(token)),
    set: (token, verification) => void entries.set(sha256Hex(token), verification),
  }
}
