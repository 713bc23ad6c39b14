/** Nothing to escape: the usual case. */
const PLAIN = /^[\x20\x21\x23-\x5b\x5d-\x7e]*$/

/**
 * Text as a quoted-string (RFC 9110 section 5.6.4), which for the characters used here is also a String of RFC 9651.
 * Anything that is not printable ASCII is percent-encoded: a field value must not be able to end a line, and neither
 * grammar has room for other characters.
 */
export function quotedString(text: string): string {
  if (PLAIN.test(text)) return `"${text}"`
  const ascii = text.toWellFormed().replace(/[^\x20-\x7e]/gu, (character) => encodeURIComponent(character))
  return `"${ascii.replace(/["\\]/g, String.raw`\$&`)}"`
}
