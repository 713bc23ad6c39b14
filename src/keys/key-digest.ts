import { hmacSha256 } from '../base/bytes.ts'

/** A pepper shorter than this could be guessed from a stolen store and one known key. */
export const MIN_PEPPER_LENGTH = 16

/** A key's digest under one pepper: what is stored and looked up. */
export interface KeyDigest {
  /** Which pepper made it. */
  readonly pepperId: string
  /** HMAC-SHA-256 of the whole key, 64 lower-case hex digits. */
  readonly digest: string
}

/** Turns keys into digests. Holds the peppers; never gives one out. */
export interface KeyHasher {
  /** Under the current pepper: what new keys are stored as, and what caches are keyed by. */
  readonly digestOf: (key: string) => KeyDigest
  /** Under the previous peppers, newest first; empty when there are none. */
  readonly previousDigestsOf: (key: string) => readonly KeyDigest[]
  readonly pepperId: string
}

/** A pepper that cannot be used. The message does not contain it. */
export class PepperError extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'PepperError'
  }
}

/** Names a pepper without telling it: 32 bits, made with the pepper as the key, so that it is no easier to invert than any digest. */
export const pepperIdOf = (pepper: string): string => hmacSha256(pepper, 'postern pepper id').toString('hex').slice(0, 8)

/**
 * A keyed digest rather than a slow one: keys have 256 random bits, so stretching buys nothing and would let anybody burn our
 * CPU with guesses. The pepper lives outside the store, so a stolen store alone verifies no guess, not even at weak imported keys.
 *
 * @throws {PepperError} when a pepper has fewer than 16 characters
 */
export function createKeyHasher({ pepper, previous = [] }: { readonly pepper: string; readonly previous?: readonly string[] }): KeyHasher {
  for (const each of [pepper, ...previous]) {
    if (each.length < MIN_PEPPER_LENGTH) throw new PepperError(`a pepper needs at least ${MIN_PEPPER_LENGTH} characters, this one has ${each.length}`)
  }
  const underOne = (secret: string): ((key: string) => KeyDigest) => {
    const pepperId = pepperIdOf(secret)
    return (key) => ({ pepperId, digest: hmacSha256(secret, key).toString('hex') })
  }
  const older = previous.filter((each) => each !== pepper).map(underOne)
  return {
    digestOf: underOne(pepper),
    previousDigestsOf: (key) => older.map((digestOf) => digestOf(key)),
    pepperId: pepperIdOf(pepper),
  }
}
