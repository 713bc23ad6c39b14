const SPACE = 0x20, TAB = 0x09

const isBlank = (code: number): boolean => code === SPACE || code === TAB

/**
 * A text without the blanks (space and tab, RFC 9110 section 5.6.3) at its ends. Linear: the usual `/[ \t]+$/` looks again from every blank
 * of a run in the midst of a text, half a second for a header of 16 KiB. And no more than that: `trim` also takes 0xA0, which is the last
 * byte of an `à`.
 */
export function withoutBlanks(text: string): string {
  let [start, end] = [0, text.length]
  while (start < end && isBlank(text.charCodeAt(start))) start += 1
  while (end > start && isBlank(text.charCodeAt(end - 1))) end -= 1
  return start === 0 && end === text.length ? text : text.slice(start, end)
}

/** The same at the end only. */
export function withoutBlanksBehind(text: string): string {
  let end = text.length
  while (end > 0 && isBlank(text.charCodeAt(end - 1))) end -= 1
  return end === text.length ? text : text.slice(0, end)
}
