import { canonicalIp } from '../base/cidr.ts'
import { isToken } from './headers.ts'

/** Parameters of one hop of RFC 7239, lower-case names, values unquoted. */
export type ForwardedElement = ReadonlyMap<string, string>

/**
 * Splits at a separator outside quoted strings, reading from the right end. Each proxy writes at the right, so nothing that a
 * client put at the left, an unbalanced quote for instance, changes how the words of a trusted hop are read.
 */
function splitFromRight(text: string, separator: string): string[] {
  const parts: string[] = []
  let end = text.length
  let quoted = false
  for (let index = text.length - 1; index >= 0; index -= 1) {
    if (text[index] === '"' && !isEscaped(text, index)) quoted = !quoted
    if (text[index] !== separator || quoted) continue
    parts.push(text.slice(index + 1, end))
    end = index
  }
  parts.push(text.slice(0, end))
  return parts.reverse()
}

/** Whether an odd number of backslashes stands before the character. */
function isEscaped(text: string, index: number): boolean {
  let backslashes = 0
  while (text[index - 1 - backslashes] === '\\') backslashes += 1
  return backslashes % 2 === 1
}

/** A token, or the content of a quoted string; undefined for anything else. */
function valueOf(text: string): string | undefined {
  if (isToken(text)) return text
  const quoted = /^"((?:[^"\\]|\\.)*)"$/.exec(text)?.[1]
  return quoted?.replace(/\\(.)/g, '$1')
}

/** One hop, or undefined when it has a syntax error or says something twice. */
export function forwardedElementOf(text: string): ForwardedElement | undefined {
  const element = new Map<string, string>()
  for (const pair of splitFromRight(text.trim(), ';')) {
    const equals = pair.indexOf('=')
    const name = pair.slice(0, equals).toLowerCase()
    const value = valueOf(pair.slice(equals + 1))
    if (equals < 1 || !isToken(name) || value === undefined || element.has(name)) return undefined
    element.set(name, value)
  }
  return element
}

/** Elements of all lines of `Forwarded`, as texts, client first. Several lines are one list. */
export const forwardedElements = (lines: readonly string[]): string[] => lines.flatMap((line) => splitFromRight(line, ','))

/**
 * The address in a `for` parameter: IPv4, or bracketed IPv6, each with an optional port (RFC 7239 section 6). `unknown`,
 * obfuscated identifiers and everything else give undefined.
 */
export function nodeAddressOf(node: string | undefined): string | undefined {
  const match = node === undefined ? null : /^(?:\[([0-9A-Fa-f:.]+)\]|([0-9.]+))(?::(?:\d{1,5}|_[A-Za-z0-9._-]+))?$/.exec(node)
  if (!match) return undefined
  const ip = canonicalIp(match[1] ?? match[2] ?? '')
  // Brackets are for IPv6 only.
  return match[1] !== undefined && !match[1].includes(':') ? undefined : ip
}
