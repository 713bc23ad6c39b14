import { createHash, createHmac, hash, timingSafeEqual } from 'node:crypto'

/** SHA-256 of text as lower-case hex. What caches are keyed by, so that no secret is a map key. */
export const sha256Hex = (text: string): string => hash('sha256', text, 'hex')

export const sha256 = (data: string | Uint8Array): Buffer => createHash('sha256').update(data).digest()

export const hmacSha256 = (key: string | Uint8Array, data: string): Buffer => createHmac('sha256', key).update(data).digest()

/** Whether two digests of the same algorithm are equal, in constant time. Different lengths are simply different. */
export const digestsEqual = (a: Uint8Array, b: Uint8Array): boolean => a.length === b.length && timingSafeEqual(a, b)
