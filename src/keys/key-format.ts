import { randomBytes } from 'node:crypto'
import { crc32 } from 'node:zlib'

/**
 * What a key looks like: `<prefix>_<43 base62><6 base62>`. The 43 characters carry 256 random bits, the last six are the
 * CRC-32 of those 43, so that a typing error (or a scanner's false positive) is told from a key without asking any store.
 */

/** Digits in the order of their value. */
export const BASE62 = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'

/** 62^43 is just above 2^256. */
export const SECRET_LENGTH = 43

/** The largest CRC-32 is `4gfFC3`. */
export const CHECKSUM_LENGTH = 6

/** Longer values are not keys; they are refused before anything is computed over them. */
export const MAX_KEY_LENGTH = 512

/** Words of lower-case letters and digits joined by `_`, 1 to 32 characters: `acme_live`. */
export const PREFIX_PATTERN = /^(?=.{1,32}$)[a-z][a-z0-9]*(?:_[a-z0-9]+)*$/

/**
 * What secret scanners look for, for any prefix; portable to RE2 and Hyperscan. Narrow it to one's own prefix with
 * `scannerPattern`. The checksum then tells a key from other text.
 */
export const KEY_SCANNER_PATTERN = String.raw`\b[a-z][a-z0-9]*(?:_[a-z0-9]+)*_[0-9A-Za-z]{49}\b`

/** The pattern for keys of one prefix. */
export const scannerPattern = (prefix: string): string => String.raw`\b${prefix}_[0-9A-Za-z]{49}\b`

const KEY = /^([a-z][a-z0-9]*(?:_[a-z0-9]+)*)_([0-9A-Za-z]{43})([0-9A-Za-z]{6})$/

/** A key, taken apart. `secret` must never be stored, logged or shown. */
export interface KeyParts {
  readonly prefix: string
  readonly secret: string
  readonly checksum: string
}

/** Base62 digits that are all equally likely. Bytes from 248 up are thrown away: 256 is not a multiple of 62. */
export function randomBase62(length: number): string {
  let text = ''
  while (text.length < length) {
    for (const byte of randomBytes(length)) {
      if (byte < 248 && text.length < length) text += BASE62[byte % 62]
    }
  }
  return text
}

/** Any bytes as base62 text of exactly `length` characters, most significant digit first; surplus high digits are cut. */
export function base62Of(bytes: Uint8Array, length: number): string {
  let value = BigInt(`0x${Buffer.from(bytes).toString('hex') || '0'}`)
  let text = ''
  while (text.length < length) {
    text = `${BASE62[Number(value % 62n)]}${text}`
    value /= 62n
  }
  return text
}

/** The six digits behind a secret. */
export function checksumOf(secret: string): string {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(crc32(secret))
  return base62Of(bytes, CHECKSUM_LENGTH)
}

/** A new key. The one moment at which it exists in clear; whoever calls this shows it once and keeps its digest. */
export function generateKey(prefix: string): string {
  const secret = randomBase62(SECRET_LENGTH)
  return `${prefix}_${secret}${checksumOf(secret)}`
}

/** The parts of a key whose checksum fits, or undefined. */
export function parseKey(text: string): KeyParts | undefined {
  if (text.length > MAX_KEY_LENGTH) return undefined
  const [, prefix, secret, checksum] = KEY.exec(text) ?? []
  if (prefix === undefined || secret === undefined || checksum === undefined) return undefined
  return checksumOf(secret) === checksum ? { prefix, secret, checksum } : undefined
}

/** What may be stored and shown of a key, to recognise it by. A short key shows nothing of itself: four characters would be too many. */
export function labelOf(key: string): { readonly prefix: string; readonly last4: string } {
  return { prefix: parseKey(key)?.prefix ?? '', last4: key.length >= 24 ? key.slice(-4) : '' }
}

/** `acme_live_…9fQx`, or `…9fQx` for a key without a prefix. */
export const displayOf = ({ prefix, last4 }: { readonly prefix: string; readonly last4: string }): string =>
  `${prefix === '' ? '' : `${prefix}_`}…${last4}`

/** A key id: public, random, not derived from the key. 95 bits. */
export const newKeyId = (): string => `key_${randomBase62(16)}`
