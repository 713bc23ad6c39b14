import { isToken } from './headers.ts'

/**
 * What may be written where, whoever put it there. The list is of what is allowed, because heads are written as Latin-1: U+010A would
 * become a line feed. What reaches this place has been refused or encoded before.
 */
const FOREIGN = /[^\t\x20-\x7e\x80-\xff]/

/** A name that was found to be a token, and the line that was written last with it. */
interface Known { value: string | undefined; line: string; misses: number }

/** Every message brings the same names, and many lines are the same again. Bounded, since some come from outside. */
const known = new Map<string, Known>()
const MOST_KNOWN = 512
const LONGEST_KEPT = 128
/** Values in a row that were new: no line with this name is kept any more. */
const MOST_MISSES = 64

function knownOf(name: string): Known | undefined {
  const found = known.get(name)
  if (found) return found
  if (!isToken(name)) return undefined
  const made: Known = { value: undefined, line: '', misses: 0 }
  if (known.size < MOST_KNOWN && name.length <= 64) known.set(name, made)
  return made
}

/** Whether a text is a token, and so may be a name or a method (RFC 9110 section 5.6.2). */
export const isWritableName = (name: string): boolean => knownOf(name) !== undefined

/** One field line as it is written, with its CRLF. @throws {TypeError} when a part would break out of its place; a bug, since everything was checked before */
export function fieldLine(name: string, value: string): string {
  const last = knownOf(name)
  if (!last) throw new TypeError('the name of a field breaks out of its place')
  if (last.value === value) {
    last.misses = 0
    return last.line
  }
  if (FOREIGN.test(value)) throw new TypeError('the value of a field breaks out of its place')
  const line = `${name}: ${value}\r\n`
  if (last.misses > MOST_MISSES || value.length > LONGEST_KEPT) return line
  last.misses += 1
  last.value = value
  last.line = line
  return line
}

/**
 * Field lines as they are written, each with its CRLF, from a flat list of names and values.
 *
 * @throws {TypeError} when a part would break out of its place; a bug, since everything was checked before
 */
export function fieldLines(flat: readonly string[]): string {
  let lines = ''
  for (let index = 0; index + 1 < flat.length; index += 2) lines += fieldLine(flat[index] ?? '', flat[index + 1] ?? '')
  return lines
}
