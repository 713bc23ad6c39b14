import { isIP } from 'node:net'
import { remembering } from '../base/remembering.ts'

/** Longest name that DNS can carry, and room for a port. */
const MAX_LENGTH = 261

const HOST = /^(?:\[([0-9a-f:.]+)\]|([a-z0-9_-]+(?:\.[a-z0-9_-]+)*))(?::([1-9]\d{0,4}))?$/

/**
 * A `Host` value as host with optional port, lower-case; undefined when it is not exactly that (T22). Names of letters, digits,
 * `-` and `_`, IPv4 addresses and bracketed IPv6 ones. An empty port, a port with leading zeros and a name with a trailing dot
 * would be second spellings of the same host, so they are refused as well (CVE-2026-27588).
 */
export const hostOf = remembering((value: string): string | undefined => {
  if (value.length > MAX_LENGTH) return undefined
  const host = value.toLowerCase()
  const match = HOST.exec(host)
  if (!match || (match[1] !== undefined && isIP(match[1]) !== 6)) return undefined
  return match[3] !== undefined && Number(match[3]) > 65_535 ? undefined : host
})
