import { isToken } from './headers.ts'

/**
 * What may be written where, whoever put it there. The list is of what is allowed, because heads are written as Latin-1: U+010A would
 * become a line feed. What reaches this place has been refused or encoded before.
 */
const FOREIGN = /[^\t\x20-\x7e\x80-\xff]/

/** Names that were found to be tokens before: every message brings the same ones. Bounded, since some come from outside. */
const tokens = new Set<string>()
const MOST_TOKENS = 512

/** Whether a text is a token, and so may be a name or a method (RFC 9110 section 5.6.2). */
export function isWritableName(name: string): boolean {
  if (tokens.has(name)) return true
  if (!isToken(name)) return false
  if (tokens.size < MOST_TOKENS && name.length <= 64) tokens.add(name)
  return true
}

/**
 * Field lines as they are written, each with its CRLF, from a flat list of names and values.
 *
 * @throws {TypeError} when a part would break out of its place; a bug, since everything was checked before
 */
export function fieldLines(flat: readonly string[]): string {
  let lines = ''
  for (let index = 0; index + 1 < flat.length; index += 2) {
    const [name, value] = [flat[index] ?? '', flat[index + 1] ?? '']
    if (!isWritableName(name)) throw new TypeError('the name of a field breaks out of its place')
    if (FOREIGN.test(value)) throw new TypeError('the value of a field breaks out of its place')
    lines += `${name}: ${value}\r\n`
  }
  return lines
}
