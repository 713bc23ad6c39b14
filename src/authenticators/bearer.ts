import { withoutBlanks } from '../base/blanks.ts'

/** Whether `Authorization` may hold the bare token, without `Bearer` in front. */
export type BearerScheme = 'required' | 'optional'

/** What one carrier holds. `undefined`: nothing, or nothing but blanks. */
export type Held = { readonly kind: 'held'; readonly value: string } | { readonly kind: 'foreign' | 'ambiguous' | 'malformed' } | undefined

const VISIBLE = /^[\x21-\x7e]+$/
const BEARER = 'bearer'
const SPACE = 0x20
const BREAK = /[\s,]/
const AMBIGUOUS = { kind: 'ambiguous' } as const
const MALFORMED = { kind: 'malformed' } as const
const FOREIGN = { kind: 'foreign' } as const

/**
 * The one value of a header field or cookie that was perhaps repeated. Two lines are ambiguous whatever they hold: servers disagree
 * about which one counts (T6). A value with blanks inside is what a neighbour makes of two lines (`k1, k2`), so it is malformed.
 */
export function soleValueOf(values: readonly string[] | undefined): Held {
  if (!values || values.length === 0) return undefined
  if (values.length > 1) return AMBIGUOUS
  const value = withoutBlanks(values[0] ?? '')
  if (value === '') return undefined
  return VISIBLE.test(value) ? { kind: 'held', value } : MALFORMED
}

/** One token of visible ASCII behind any number of spaces. */
function heldBehind(value: string, scheme: number): Held {
  let start = scheme
  while (value.charCodeAt(start) === SPACE) start += 1
  const token = value.slice(start)
  return VISIBLE.test(token) ? { kind: 'held', value: token } : MALFORMED
}

/**
 * The token in `Authorization: Bearer <token>` (RFC 6750 section 2.1): scheme in any case, spaces, one token of visible ASCII.
 * Another scheme is foreign. With `optional` a value of one word is the token itself.
 */
export function bearerOf(lines: readonly string[] | undefined, scheme: BearerScheme): Held {
  if (!lines || lines.length === 0) return undefined
  if (lines.length > 1) return AMBIGUOUS
  const value = withoutBlanks(lines[0] ?? '')
  if (value === '') return undefined
  if (value.slice(0, BEARER.length).toLowerCase() === BEARER) {
    if (value.length === BEARER.length) return undefined
    if (value.charCodeAt(BEARER.length) === SPACE) return heldBehind(value, BEARER.length)
    if (BREAK.test(value.charAt(BEARER.length))) return MALFORMED
  }
  return scheme === 'optional' && VISIBLE.test(value) ? { kind: 'held', value } : FOREIGN
}
