import type { CredentialLocation } from '../model/credential.ts'

/** Cookies by exact name, every value that was sent, as sent. */
export type Cookies = ReadonlyMap<string, readonly string[]>

/** A value that may have been spread over `name.0`, `name.1`, … because a browser keeps at most 4 KiB per cookie. */
export interface ChunkedCookie {
  readonly kind: 'cookie'
  /** The name without a chunk suffix: what Auth.js v5 salts its key with. */
  readonly name: string
  readonly value: string
  /** Every cookie the value came from, in order. */
  readonly locations: readonly CredentialLocation[]
}

export type CookieFinding = ChunkedCookie | { readonly kind: 'ambiguous' | 'malformed'; readonly location: CredentialLocation } | undefined

const MAX_CHUNKS = 10
const MAX_VALUE_LENGTH = 16_384
const SECURE = '__Secure-'

/** The plain name and the one a browser only takes over HTTPS. Both at once is a repeated carrier. */
export const twinsOf = (name: string): readonly string[] => (name.startsWith('__') ? [name] : [name, `${SECURE}${name}`])

const at = (name: string): CredentialLocation => ({ kind: 'cookie', name })

interface Part { readonly cookie: string; readonly index: number | 'whole' | 'odd'; readonly values: readonly string[] }

/**
 * The parts of one cookie. Its name must match `^name(\.\d+)?$` exactly: the libraries match by prefix, which lets a cookie such as
 * `name-evil` take part. A cookie without a value is a logged-out one, not a part.
 */
function partsOf(cookies: Cookies, name: string): readonly Part[] {
  const parts: Part[] = []
  for (const [cookie, sent] of cookies) {
    if (!cookie.startsWith(name)) continue
    const suffix = cookie.slice(name.length)
    if (suffix !== '' && !/^\.\d+$/.test(suffix)) continue
    const values = sent.filter((value) => value !== '')
    const index = suffix === '' ? 'whole' : /^\.(0|[1-9]\d{0,3})$/.test(suffix) ? Number(suffix.slice(1)) : 'odd'
    if (values.length > 0) parts.push({ cookie, index, values })
  }
  return parts
}

function joined(name: string, parts: readonly Part[]): CookieFinding {
  // Numeric order: as text, `.10` would come before `.2`.
  const ordered = parts.toSorted((a, b) => Number(a.index) - Number(b.index))
  const gap = ordered.find((part, index) => part.index !== 'whole' && part.index !== index)
  if (gap) return { kind: 'malformed', location: at(gap.cookie) }
  const value = ordered.map((part) => part.values[0]).join('')
  if (ordered.length > MAX_CHUNKS || value.length > MAX_VALUE_LENGTH) return { kind: 'malformed', location: at(name) }
  return { kind: 'cookie', name, value, locations: ordered.map((part) => at(part.cookie)) }
}

/**
 * Finds a chunked cookie under one of several names that mean the same (a name and its `__Secure-` twin).
 *
 * Ambiguous: a repeated cookie, two of the names, or a whole value beside chunks; browsers and servers disagree about which one
 * counts. Malformed: a gap, more than 10 chunks, more than 16 KiB. Chunks may come in any order.
 */
export function chunkedCookieOf(cookies: Cookies, names: readonly string[]): CookieFinding {
  const present = names.map((name) => ({ name, parts: partsOf(cookies, name) })).filter(({ parts }) => parts.length > 0)
  const [first, second] = present
  if (!first) return undefined
  if (second) return { kind: 'ambiguous', location: at(second.parts[0]?.cookie ?? second.name) }
  const { name, parts } = first
  const repeated = parts.find((part) => part.values.length > 1)
  if (repeated) return { kind: 'ambiguous', location: at(repeated.cookie) }
  if (parts.length > 1 && parts.some((part) => part.index === 'whole')) return { kind: 'ambiguous', location: at(name) }
  const odd = parts.find((part) => part.index === 'odd')
  return odd ? { kind: 'malformed', location: at(odd.cookie) } : joined(name, parts)
}

/** The first of several families of names under which something was sent. */
export function firstCookieOf(cookies: Cookies, families: readonly (readonly string[])[]): CookieFinding {
  for (const names of families) {
    const found = chunkedCookieOf(cookies, names)
    if (found) return found
  }
  return undefined
}
