/** RFC 8187 attr-char: may stand unencoded in an extended value. */
const ATTR_CHAR = /[A-Za-z0-9!#$&+.^_`|~-]/

const PLAIN = /^[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?$/

/**
 * UTF-8 bytes of one code point. A lone surrogate, which JSON can carry, gets the three bytes that the same formula gives;
 * they are no valid UTF-8, so a strict reader refuses them. Replacing it with U+FFFD would make two subjects one.
 */
function bytesOf(point: number): number[] {
  if (point < 0x80) return [point]
  if (point < 0x800) return [0xc0 | (point >> 6), 0x80 | (point & 63)]
  if (point < 0x10000) return [0xe0 | (point >> 12), 0x80 | ((point >> 6) & 63), 0x80 | (point & 63)]
  return [0xf0 | (point >> 18), 0x80 | ((point >> 12) & 63), 0x80 | ((point >> 6) & 63), 0x80 | (point & 63)]
}

const percent = (byte: number): string => `%${byte.toString(16).toUpperCase().padStart(2, '0')}`

/**
 * A text as a header value that no reader can misunderstand (T8). Visible ASCII with inner spaces stays as it is. Everything
 * else (other characters, controls, outer spaces) becomes an RFC 8187 extended value, `UTF-8''` and percent-encoded bytes. A
 * text that itself starts with `UTF-8''` is encoded too, so that different texts never give the same value. Never throws.
 */
export function safeHeaderValue(text: string): string {
  if (text === '' || (PLAIN.test(text) && !/^utf-8''/i.test(text))) return text
  let encoded = "UTF-8''"
  for (const character of text) {
    encoded += ATTR_CHAR.test(character) ? character : bytesOf(character.codePointAt(0) ?? 0).map(percent).join('')
  }
  return encoded
}
