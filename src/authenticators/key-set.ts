import { createLocalJWKSet, type JWTVerifyGetKey } from 'jose'
import { sha256Hex } from '../base/bytes.ts'
import { usableKeysOf, type DroppedKey } from './key-quality.ts'

/** An immutable snapshot of an issuer's public keys; a refresh replaces it whole. */
export interface KeySet {
  /** Chooses by `kid`, type, curve, `use` and `alg`; never an HMAC key. */
  readonly resolve: JWTVerifyGetKey
  /** How many usable keys there are. */
  readonly size: number
  /** Keys by `kid`: digest of the key material. Keys without a `kid` are not in here. */
  readonly thumbprints: ReadonlyMap<string, string>
  /** Digest over all keys: equal digests, equal sets. */
  readonly revision: string
  readonly dropped: readonly DroppedKey[]
}

/** A document that is no usable answer. It never replaces a good set. */
export class KeySetError extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'KeySetError'
  }
}

const MAX_KEYS = 50

/**
 * Reads a JWK set (RFC 7517 section 5). An empty one is valid: the issuer has withdrawn all its keys, or signs with none.
 *
 * @throws {KeySetError} when it is not a JWK set, or has more than 50 keys
 */
export function readKeySet(document: unknown): KeySet {
  if (typeof document !== 'object' || document === null || !('keys' in document) || !Array.isArray(document.keys)) throw new KeySetError('not a JWK set: no "keys" array')
  if (document.keys.length > MAX_KEYS) throw new KeySetError(`a JWK set of ${document.keys.length} keys, at most ${MAX_KEYS} are taken`)
  const { usable, dropped } = usableKeysOf(document.keys)
  return {
    resolve: createLocalJWKSet({ keys: usable.map(({ jwk }) => jwk) }),
    size: usable.length,
    thumbprints: new Map(usable.flatMap(({ jwk, thumbprint }) => (jwk.kid === undefined ? [] : [[jwk.kid, thumbprint] as const]))),
    revision: sha256Hex(usable.map(({ jwk }) => JSON.stringify(jwk)).sort().join('\n')),
    dropped,
  }
}

/** Ids of keys that were in the old set and are not in the new one, or are another key now. */
export const removedKids = (before: KeySet | undefined, after: KeySet): readonly string[] =>
  [...(before?.thumbprints ?? [])].filter(([kid, thumbprint]) => after.thumbprints.get(kid) !== thumbprint).map(([kid]) => kid)
