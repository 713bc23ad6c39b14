import { remembering } from '../base/remembering.ts'
import type { OwnedHeaders } from '../model/gateway.ts'
import type { HeaderMap } from '../model/request.ts'
import { SHIPPED_OWNED_NAMES } from './owned-names.ts'

/**
 * Fields that concern one connection only (RFC 9110 section 7.6.1), and those that have no business behind a proxy. Folded
 * spelling. Removed in both directions, whether `Connection` names them or not.
 */
export const HOP_BY_HOP: ReadonlySet<string> = new Set([
  'connection', 'keep-alive', 'proxy-connection', 'proxy-authenticate', 'proxy-authentication-info', 'proxy-authorization',
  'te', 'trailer', 'transfer-encoding', 'upgrade', 'http2-settings',
])

const NONE: ReadonlySet<string> = new Set()

/** Field lines by lower-case name, in order and never joined. `rawHeaders` is flat: name, value, name, value, … */
export function headersOf(rawHeaders: readonly string[]): HeaderMap {
  const headers = new Map<string, string[]>()
  for (let index = 0; index + 1 < rawHeaders.length; index += 2) addHeader(headers, (rawHeaders[index] ?? '').toLowerCase(), rawHeaders[index + 1] ?? '')
  return headers
}

export function addHeader(headers: Map<string, string[]>, lower: string, value: string): void {
  const lines = headers.get(lower)
  if (lines) lines.push(value)
  else headers.set(lower, [value])
}

/**
 * The spelling under which names are compared: WSGI, CGI and PHP read `X_User_Id` and `X.User.Id` as `X-User-Id`
 * (CVE-2025-64484, CVE-2026-54763, CVE-2026-88011).
 */
export const foldedName = (name: string): string => name.toLowerCase().replace(/[^a-z0-9]/g, '-')

/** Folds names apart into exact ones and prefixes (those with a trailing `*`). */
function splitNames(names: readonly string[]): { readonly exact: Set<string>; readonly prefixes: string[] } {
  const exact = new Set<string>()
  const prefixes: string[] = []
  for (const name of names) {
    if (name.endsWith('*')) prefixes.push(foldedName(name.slice(0, -1)))
    else exact.add(foldedName(name))
  }
  return { exact, prefixes }
}

/**
 * Compiles who may write what. `identity` and `credentials` are header names in any case; `strip` entries may end in `*`.
 * `Authorization` and `Cookie` are always credentials. A lone `*` strips every field: it is obeyed, not guessed at.
 */
export function createOwnedHeaders({ identity, strip, credentials }: { identity: readonly string[]; strip: readonly string[]; credentials: readonly string[] }): OwnedHeaders {
  const other = splitNames([...SHIPPED_OWNED_NAMES, ...strip])
  return {
    identity: new Set(identity.map(foldedName)),
    other: other.exact,
    prefixes: other.prefixes,
    credentials: new Set(['authorization', 'cookie', ...credentials.map((name) => name.toLowerCase())]),
  }
}

/** Whether only Postern may write this field, however the name is spelled. */
export function isOwned(owned: OwnedHeaders, name: string): boolean {
  const folded = foldedName(name)
  return owned.identity.has(folded) || owned.other.has(folded) || owned.prefixes.some((prefix) => folded.startsWith(prefix))
}

function tokensOf(lines: readonly string[]): ReadonlySet<string> {
  const tokens = new Set<string>()
  for (const line of lines) {
    for (const element of line.split(',')) {
      const token = element.trim().toLowerCase()
      if (token !== '') tokens.add(token)
    }
  }
  return tokens
}

const tokensOfLine = remembering((line) => tokensOf([line]))

/** Lower-case options of every `Connection` line. Empty elements are skipped; what is not a token is in here too, for the caller to refuse. */
export function connectionTokens(headers: HeaderMap): ReadonlySet<string> {
  const lines = headers.get('connection')
  if (!lines) return NONE
  return lines.length === 1 && lines[0] !== undefined ? tokensOfLine(lines[0]) : tokensOf(lines)
}

/** What RFC 9110 calls a token: names of fields, methods and connection options. */
export const isToken = (text: string): boolean => /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/.test(text)

/** Whether a field has this name; `lower` is lower-case. */
export const isNamed = (name: string, lower: string): boolean => name.length === lower.length && name.toLowerCase() === lower
