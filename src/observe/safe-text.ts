/** Longest text value of a record, in characters. */
const MAX_LENGTH = 1_024

/** C1 controls, zero-width and bidirectional marks, line separators: what `JSON.stringify` leaves as it is (T58). */
// oxlint-disable-next-line no-control-regex -- they are what is looked for
const UNSAFE = /[\u007f-\u009f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]/g

const escaped = (character: string): string => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`

/** Finished JSON with the same escapes; such characters only occur inside its strings. */
export const escapeUnsafe = (json: string): string => json.replace(UNSAFE, escaped)

/** One line of JSON in which no character can move the cursor, reorder the text or end the line. */
export function safeJson(value: unknown): string {
  return escapeUnsafe(JSON.stringify(value))
}

/** Visible ASCII without quote and backslash: nothing in it needs an escape. A loop, since most texts are shorter than what a regular expression costs to start. */
export function isPlain(text: string): boolean {
  for (let index = 0; index < text.length; index += 1) {
    const code = text.charCodeAt(index)
    if (code < 0x20 || code > 0x7e || code === 0x22 || code === 0x5c) return false
  }
  return true
}

/** Text as a JSON string with the same escapes; cheap for the usual case. */
export const jsonText = (text: string): string => (isPlain(text) ? `"${text}"` : safeJson(text))

/** Text for a terminal: every control character is shown, none is obeyed. Line breaks stay when `lines` says so. */
export function safeTerminalText(text: string, { lines = false } = {}): string {
  // oxlint-disable-next-line no-control-regex -- they are what is looked for
  return text.replace(UNSAFE, escaped).replace(/[\u0000-\u001f]/g, (character) => (character === '\n' && lines ? character : escaped(character)))
}

/** Text cut to 1 KiB of characters, with a mark that says so. */
export const truncated = (text: string): string => (text.length > MAX_LENGTH ? `${text.slice(0, MAX_LENGTH)}…` : text)

/** Names under which a secret would stand. The code never logs one; this is the net below it. */
const SECRET_NAME = /^(proxy-)?authorization$|cookie|passw|secret|pepper|^(x-)?api-?key$|^(access_|refresh_|id_)?token$|^private/i

/** A JWT, or what follows a scheme, inside free text such as the message of an error. */
const SECRET_TEXT = /\beyJ[\w-]{8,}(?:\.[\w-]*)+|\b(Bearer|Basic|ApiKey)\s+[\w+/=.~-]{8,}/gi

const DEEPEST = 5

/** A copy fit for a log: text truncated and without credentials, members with secret names replaced, errors as plain values. */
export function cleaned(value: unknown, depth = 0): unknown {
  if (typeof value === 'string') return truncated(value.slice(0, 2 * MAX_LENGTH).replace(SECRET_TEXT, '[redacted]'))
  if (typeof value === 'bigint') return String(value)
  if (typeof value !== 'object' || value === null) return value
  if (depth >= DEEPEST) return '[…]'
  if (value instanceof Error) return { type: value.name, message: cleaned(value.message), stack: cleaned(value.stack), ...(value.cause === undefined ? {} : { cause: cleaned(value.cause, depth + 1) }) }
  if (Array.isArray(value)) return value.slice(0, 50).map((entry) => cleaned(entry, depth + 1))
  return Object.fromEntries(Object.entries(value).map(([name, entry]) => [name, SECRET_NAME.test(name) ? '[redacted]' : cleaned(entry, depth + 1)]))
}
