import type { KeyObject } from 'node:crypto'
import { errors, jwtVerify, type CryptoKey, type JWTVerifyOptions } from 'jose'
import type { EpochMs } from '../base/time.ts'
import type { RejectionReason } from '../model/reason.ts'
import type { KeySet } from './key-set.ts'
import type { KeySource, KeysUnavailable } from './key-source.ts'
import type { JsonObject } from './token-shape.ts'

/** What an issuer's tokens are checked with: published keys, or shared secrets, and never both (T32). */
export type SigningKeys =
  | { readonly kind: 'source'; readonly source: KeySource }
  | { readonly kind: 'secrets'; /** newest first */ readonly secrets: readonly KeyObject[] }

/** Which key said yes, so that a remembered yes ends with it. */
export type Pin = { readonly kind: 'secret' } | { readonly kind: 'key'; readonly set: KeySet; readonly kid: string | undefined }

export type SignatureOutcome =
  | { readonly kind: 'verified'; readonly pin: Pin; /** jose's own look at the claims found a fault */ readonly claimsFault: boolean }
  | { readonly kind: 'rejected'; readonly reason: RejectionReason }
  | KeysUnavailable

export interface SignedToken {
  readonly text: string
  /** Not verified; `alg` is in the allow-list already. */
  readonly header: JsonObject
  /** `algorithms` at least. */
  readonly options: JWTVerifyOptions
}

/** Most keys that are tried for a token that names none. */
const MAX_TRIALS = 8

type Judged = 'good' | 'claims' | 'bad' | 'no_key'
const rejected = (reason: RejectionReason): SignatureOutcome => ({ kind: 'rejected', reason })

/**
 * What jose's refusal says. Whatever is not clearly the token's fault is thrown on, to become "could not check".
 *
 * @throws the error itself when it says nothing about the token
 */
function judgedBy(error: unknown): Judged {
  if (error instanceof errors.JWTExpired || error instanceof errors.JWTClaimValidationFailed) return 'claims'
  if (error instanceof errors.JWSSignatureVerificationFailed || error instanceof errors.JWSInvalid || error instanceof errors.JWTInvalid) return 'bad'
  if (error instanceof errors.JWKSNoMatchingKey) return 'no_key'
  throw error
}

async function judgedWith(token: SignedToken, key: CryptoKey | KeyObject): Promise<Judged> {
  try {
    await jwtVerify(token.text, key, token.options)
    return 'good'
  } catch (error) {
    return judgedBy(error)
  }
}

async function judgedWithSecrets(token: SignedToken, secrets: readonly KeyObject[]): Promise<Judged> {
  for (const secret of secrets) {
    const judged = await judgedWith(token, secret)
    if (judged !== 'bad') return judged
  }
  return 'bad'
}

/** A token without a `kid` may be any key's; only so many are tried. */
async function judgedWithEach(token: SignedToken, keys: errors.JWKSMultipleMatchingKeys): Promise<Judged | 'ambiguous'> {
  let trials = 0
  for await (const key of keys) {
    trials += 1
    if (trials > MAX_TRIALS) return 'ambiguous'
    const judged = await judgedWith(token, key)
    if (judged !== 'bad') return judged
  }
  return 'bad'
}

async function judgedWithSet(token: SignedToken, set: KeySet): Promise<Judged | 'ambiguous'> {
  try {
    await jwtVerify(token.text, set.resolve, token.options)
    return 'good'
  } catch (error) {
    return error instanceof errors.JWKSMultipleMatchingKeys ? judgedWithEach(token, error) : judgedBy(error)
  }
}

function outcomeOf(judged: Judged | 'ambiguous', pin: Pin): SignatureOutcome {
  if (judged === 'ambiguous') return rejected('jwt_key_ambiguous')
  if (judged === 'no_key') return rejected('jwt_unknown_kid')
  return judged === 'bad' ? rejected('jwt_signature_invalid') : { kind: 'verified', pin, claimsFault: judged === 'claims' }
}

async function verifiedBySource(token: SignedToken, source: KeySource, now: EpochMs): Promise<SignatureOutcome> {
  const kid = typeof token.header['kid'] === 'string' ? token.header['kid'] : undefined
  const set = await source.keys(now)
  if ('kind' in set) return set
  const first = await judgedWithSet(token, set)
  if (first !== 'no_key') return outcomeOf(first, { kind: 'key', set, kid })
  // The key is there and of another type or for another algorithm: no newer set will change that.
  if (kid !== undefined && set.thumbprints.has(kid)) return rejected('jwt_alg_not_allowed')
  const newer = await source.refetched(now)
  if ('kind' in newer) return newer
  return outcomeOf(newer === set ? first : await judgedWithSet(token, newer), { kind: 'key', set: newer, kid })
}

/**
 * Checks who signed a token. An unknown `kid` is worth one more look at the issuer's keys, within its cooldown.
 *
 * @throws when jose fails for a reason that is not the token's
 */
export async function verifySignature(token: SignedToken, keys: SigningKeys, now: EpochMs): Promise<SignatureOutcome> {
  if (keys.kind === 'source') return verifiedBySource(token, keys.source, now)
  return outcomeOf(await judgedWithSecrets(token, keys.secrets), { kind: 'secret' })
}

/** Whether the key behind an earlier yes is still published, as the same key. */
export function isHeld(pin: Pin, keys: SigningKeys, now: EpochMs): boolean {
  if (pin.kind === 'secret' || keys.kind === 'secrets') return true
  const set = keys.source.current(now)
  if (!set || set === pin.set) return set !== undefined
  // A token that names no key was anybody's: any change of the set ends it.
  return pin.kid !== undefined && set.thumbprints.has(pin.kid) && set.thumbprints.get(pin.kid) === pin.set.thumbprints.get(pin.kid)
}
