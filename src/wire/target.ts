import type { Denial } from '../model/denial.ts'
import type { Target } from '../model/request.ts'
import { hostOf } from './host.ts'
import { ambiguous } from './refusal.ts'

/** Bytes of a whole request target; longer ones are 414 (RFC 9112 section 3). */
export const MAX_TARGET_LENGTH = 8_192

const refuse = (detail: string): Denial => ambiguous('target', detail)

const PERCENT = 0x25, DOT = 0x2e, SLASH = 0x2f

/** Blank, `#`, `;` and `?`: at one of these, encoded, a reader that decodes first ends the segment that stands before it. */
const ENDS_SEGMENT: ReadonlySet<number> = new Set([0x20, 0x23, 0x3b, 0x3f])

/** Value of a hexadecimal digit, or -1. */
function digitOf(code: number): number {
  if (code >= 0x30 && code <= 0x39) return code - 0x30
  const lower = code | 0x20
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1
}

/** The byte that the triplet at `index` stands for, or -1 when it is malformed. */
function byteAt(path: string, index: number): number {
  if (path.charCodeAt(index) !== PERCENT) return -1
  const high = digitOf(path.charCodeAt(index + 1))
  const low = digitOf(path.charCodeAt(index + 2))
  return high < 0 || low < 0 ? -1 : high * 16 + low
}

const isUnreserved = (byte: number): boolean =>
  (byte >= 0x30 && byte <= 0x39) || ((byte | 0x20) >= 0x61 && (byte | 0x20) <= 0x7a) || byte === 0x2d || byte === 0x5f || byte === 0x7e

/** Why an encoded ASCII byte may not stand in a path, or undefined when it may. */
function encodedMistake(path: string, index: number, byte: number): string | undefined {
  if (byte < 0x20 || byte === 0x7f) return 'an encoded control character'
  if (byte === SLASH || byte === 0x5c) return 'an encoded slash or backslash'
  if (byte === DOT) return 'an encoded dot'
  // Who decodes twice sees another path than who decodes once (GO-2026-4950).
  if (byte === PERCENT) return digitOf(path.charCodeAt(index + 3)) >= 0 && digitOf(path.charCodeAt(index + 4)) >= 0 ? 'a doubly encoded character' : undefined
  // `/%61dmin` is `/admin` to every upstream and something else to every rule; no encoder writes it.
  if (isUnreserved(byte)) return 'an encoded letter, digit, dash, underscore or tilde'
  return undefined
}

/** Range that the second byte of a UTF-8 sequence must be in, and how many follow in all (RFC 3629 section 4). */
function sequenceOf(first: number): { readonly follow: number; readonly low: number; readonly high: number } | undefined {
  if (first < 0xc2 || first > 0xf4) return undefined
  if (first < 0xe0) return { follow: 1, low: 0x80, high: 0xbf }
  if (first < 0xf0) return { follow: 2, low: first === 0xe0 ? 0xa0 : 0x80, high: first === 0xed ? 0x9f : 0xbf }
  return { follow: 3, low: first === 0xf0 ? 0x90 : 0x80, high: first === 0xf4 ? 0x8f : 0xbf }
}

/** Characters that the encoded UTF-8 sequence at `index` takes, or 0 when it is overlong, cut short or otherwise invalid. */
function sequenceLength(path: string, index: number, first: number): number {
  const sequence = sequenceOf(first)
  if (!sequence) return 0
  for (let nth = 1; nth <= sequence.follow; nth += 1) {
    const byte = byteAt(path, index + 3 * nth)
    const [low, high] = nth === 1 ? [sequence.low, sequence.high] : [0x80, 0xbf]
    if (byte < low || byte > high) return 0
  }
  return 3 * (sequence.follow + 1)
}

/** Why a raw character may not stand in a path, or undefined when it may. */
function rawMistake(code: number): string | undefined {
  if (code <= 0x20 || code >= 0x7f) return 'a space, a control or a non-ASCII character'
  if (code === 0x23) return 'a fragment'
  if (code === 0x5c) return 'a backslash'
  // Tomcat and others cut segments at it: CVE-2026-73551 (`/user/..;foo=bar/admin`).
  if (code === 0x3b) return 'a path parameter'
  return undefined
}

/** Whether the segment that starts at `index` is `.` or `..`, also when an encoded character follows that ends it for some. */
function isDotSegment(path: string, index: number): boolean {
  let end = index
  while (path.charCodeAt(end) === DOT) end += 1
  if (end === index || end > index + 2) return false
  return end === path.length || path.charCodeAt(end) === SLASH || ENDS_SEGMENT.has(byteAt(path, end))
}

/** Why the encoded character at `index` may not stand there, or how many characters it takes. */
function encodedAt(path: string, index: number): string | number {
  const byte = byteAt(path, index)
  if (byte < 0) return 'a malformed percent-encoding'
  if (byte < 0x80) return encodedMistake(path, index, byte) ?? 3
  return sequenceLength(path, index, byte) || 'percent-encoded bytes that are not UTF-8'
}

/** The first reason to refuse a path, or undefined. One pass, linear in its length. */
function pathMistake(path: string): string | undefined {
  let index = 0
  while (index < path.length) {
    const code = path.charCodeAt(index)
    if (code === PERCENT) {
      const encoded = encodedAt(path, index)
      if (typeof encoded === 'string') return encoded
      index += encoded
      continue
    }
    const mistake = rawMistake(code)
    if (mistake !== undefined) return mistake
    index += 1
    if (code !== SLASH) continue
    if (path.charCodeAt(index) === SLASH) return 'an empty segment'
    if (isDotSegment(path, index)) return 'a dot segment'
  }
  return undefined
}

function queryMistake(query: string): string | undefined {
  for (let index = 0; index < query.length; index += 1) {
    const code = query.charCodeAt(index)
    if (code <= 0x20 || code >= 0x7f) return 'a space, a control or a non-ASCII character in the query'
    if (code === 0x23) return 'a fragment'
  }
  return undefined
}

/** What a request line and a `Host` field ask for, before anybody looked at them. */
export interface RawTarget {
  /** The request target exactly as sent. */
  readonly rawTarget: string
  /** The one `Host` value. */
  readonly host: string
  readonly scheme: 'http' | 'https'
  readonly method: string
}

/**
 * Judges a request target (T15, T18, T22). What two parsers could read in two ways is refused with `request_ambiguous`, never
 * repaired: the path that comes out is the path that went in, so what rules judge is what the upstream gets. Only origin-form
 * is accepted, and `*` of OPTIONS: RFC 9112 section 3.2.2 would have a server take absolute-form too, but then two
 * hosts stand in one request. The query never takes part in a decision about the path and may hold any visible ASCII.
 */
export function targetOf({ rawTarget, host: rawHost, scheme, method }: RawTarget): Target | Denial {
  if (rawTarget.length > MAX_TARGET_LENGTH) return { kind: 'denial', code: 'request_too_large', status: 414, detail: `a request target longer than ${MAX_TARGET_LENGTH} bytes` }
  const host = hostOf(rawHost)
  if (host === undefined) return ambiguous('host', 'expected one host with an optional port')
  if (rawTarget === '*' && method === 'OPTIONS') return { scheme, host, path: '*', query: '' }
  if (rawTarget.charCodeAt(0) !== SLASH) return refuse('it does not start with a slash')
  const mark = rawTarget.indexOf('?')
  const path = mark < 0 ? rawTarget : rawTarget.slice(0, mark)
  const query = mark < 0 ? '' : rawTarget.slice(mark + 1)
  const mistake = pathMistake(path) ?? queryMistake(query)
  return mistake === undefined ? { scheme, host, path, query } : refuse(mistake)
}
