import { createPublicKey } from 'node:crypto'
import type { JWK } from 'jose'
import { sha256Hex } from '../base/bytes.ts'

/** A public key that may verify signatures. */
export interface UsableKey {
  /** Public members only. */
  readonly jwk: JWK
  /** Digest of the key material: a key that changes under the same `kid` is another key. */
  readonly thumbprint: string
}

export interface DroppedKey {
  readonly kid: string
  readonly why: string
}

/** RFC 7518 and RFC 8037: which algorithms a type of key may be used with. `oct` is missing on purpose (T32). */
const ALGORITHMS: ReadonlyMap<unknown, RegExp> = new Map([['RSA', /^[RP]S(256|384|512)$/], ['EC', /^ES(256|384|512)$/], ['OKP', /^(EdDSA|Ed25519)$/]])
const CURVES: ReadonlyMap<unknown, readonly string[]> = new Map([['EC', ['P-256', 'P-384', 'P-521']], ['OKP', ['Ed25519']]])
const MATERIAL = ['kty', 'crv', 'x', 'y', 'n', 'e'] as const
const PRIVATE = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k']

const MIN_MODULUS_BITS = 2_048
/** Larger ones make every verification a small denial of service. */
const MAX_MODULUS_BITS = 8_192
const MAX_KID_LENGTH = 256

const ODD_PRIMES = [3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83, 89, 97, 101, 103, 107, 109, 113, 127, 131, 137, 139, 149, 151, 157, 163, 167]

/** Residues that powers of 65537 leave. */
function powersOf65537(prime: number): ReadonlySet<number> {
  const powers = new Set<number>()
  for (let power = 1; !powers.has(power); power = (power * 65_537) % prime) powers.add(power)
  return powers
}

/** Whether a modulus has the fingerprint of the broken generator of CVE-2017-15361 (ROCA); by chance about once in 2^27 keys. */
const isRoca = (modulus: bigint): boolean => ODD_PRIMES.every((prime) => powersOf65537(prime).has(Number(modulus % BigInt(prime))))

const integerOf = (text: unknown): bigint | undefined => (typeof text === 'string' && /^[A-Za-z0-9_-]+$/.test(text) ? BigInt(`0x${Buffer.from(text, 'base64url').toString('hex') || '0'}`) : undefined)

function rsaFault(jwk: JWK): string | undefined {
  const modulus = integerOf(jwk.n)
  const exponent = integerOf(jwk.e)
  if (modulus === undefined || exponent === undefined) return 'RSA key without n and e'
  const bits = modulus.toString(2).length
  if (bits < MIN_MODULUS_BITS || bits > MAX_MODULUS_BITS) return `RSA key of ${bits} bits`
  if (exponent < 3n || exponent % 2n === 0n || exponent > 0xffff_ffffn) return 'RSA key with a bad exponent'
  return isRoca(modulus) ? 'RSA key with the ROCA weakness (CVE-2017-15361)' : undefined
}

function useFault(jwk: JWK): string | undefined {
  if (jwk.use !== undefined && jwk.use !== 'sig') return 'use is not sig'
  if (jwk.key_ops !== undefined && !(Array.isArray(jwk.key_ops) && jwk.key_ops.includes('verify'))) return 'key_ops without verify'
  if (jwk.kid !== undefined && (typeof jwk.kid !== 'string' || jwk.kid.length > MAX_KID_LENGTH)) return 'kid is not a text of at most 256 characters'
  return undefined
}

function keyFault(jwk: JWK): string | undefined {
  const algorithms = ALGORITHMS.get(jwk.kty)
  if (!algorithms) return 'not a public signature key'
  if (PRIVATE.some((member) => Object.hasOwn(jwk, member))) return 'private members are published'
  if (jwk.alg !== undefined && !algorithms.test(String(jwk.alg))) return 'alg does not fit the key'
  const curves = CURVES.get(jwk.kty)
  if (curves && !curves.includes(String(jwk.crv))) return 'unsupported curve'
  return useFault(jwk) ?? (jwk.kty === 'RSA' ? rsaFault(jwk) : undefined)
}

function publicMembersOf(jwk: JWK): JWK {
  const wanted: ReadonlySet<string> = new Set([...MATERIAL, 'kid', 'alg', 'use', 'key_ops'])
  // What was picked out of a JWK is one.
  return Object.fromEntries(Object.entries(jwk).filter(([member]) => wanted.has(member))) as JWK
}

function usableKeyOf(value: unknown): UsableKey | DroppedKey {
  if (typeof value !== 'object' || value === null) return { kid: '', why: 'not an object' }
  // Untrusted JSON; every member is checked before it is used.
  const jwk = value as JWK
  const kid = typeof jwk.kid === 'string' ? jwk.kid.slice(0, MAX_KID_LENGTH) : ''
  const why = keyFault(jwk)
  if (why) return { kid, why }
  const members = publicMembersOf(jwk)
  try {
    // Refuses a point that is not on its curve, which jose would only notice on the first token.
    createPublicKey({ key: members, format: 'jwk' })
  } catch {
    return { kid, why: 'not a valid key' }
  }
  return { jwk: members, thumbprint: sha256Hex(JSON.stringify(MATERIAL.map((member) => members[member]))) }
}

/**
 * Which keys of a JWK set may be used (T42). Dropped: symmetric and private ones, RSA below 2048 bits or with a bad exponent, other
 * uses, and both of two keys with one `kid`, since nobody could say which is meant.
 */
export function usableKeysOf(keys: readonly unknown[]): { readonly usable: readonly UsableKey[]; readonly dropped: readonly DroppedKey[] } {
  const judged = keys.map(usableKeyOf)
  const all = judged.filter((key) => 'jwk' in key)
  const dropped = judged.filter((key) => 'why' in key)
  const counts = new Map<string | undefined, number>()
  for (const { jwk } of all) counts.set(jwk.kid, (counts.get(jwk.kid) ?? 0) + 1)
  const isSole = ({ jwk }: UsableKey): boolean => jwk.kid === undefined || counts.get(jwk.kid) === 1
  return { usable: all.filter(isSole), dropped: [...dropped, ...all.filter((key) => !isSole(key)).map(({ jwk }) => ({ kid: jwk.kid ?? '', why: 'kid stands twice' }))] }
}
