import { connectionTokens, HOP_BY_HOP } from './headers.ts'
import { keepsUpstreamBudget, mergedRateLimit, mergedRetryAfter, mergedVary } from './response-merge.ts'

type Field = readonly [name: string, value: string]

/**
 * Fields that `Connection` cannot take away from an answer: they are for the client (RFC 9110 section 7.6.1 forbids the upstream
 * to nominate such), and without them an answer is cached, sniffed, framed or shared differently (CVE-2026-71849).
 */
const END_TO_END: ReadonlySet<string> = new Set([
  'accept-ranges', 'age', 'allow', 'authentication-info', 'cache-control', 'clear-site-data', 'date', 'etag', 'expires', 'last-modified', 'link',
  'location', 'permissions-policy', 'pragma', 'referrer-policy', 'retry-after', 'set-cookie', 'strict-transport-security', 'vary',
  'www-authenticate', 'x-content-type-options', 'x-frame-options', 'x-request-id',
])
const END_TO_END_PREFIXES = ['content-', 'access-control-', 'cross-origin-', 'ratelimit', 'x-ratelimit-'] as const

const isEndToEnd = (lower: string): boolean => END_TO_END.has(lower) || END_TO_END_PREFIXES.some((prefix) => lower.startsWith(prefix))

/** Header bytes are Latin-1: one byte, one character, in both directions. */
const textOf = (part: Buffer | string | undefined): string => (typeof part === 'string' ? part : (part?.toString('latin1') ?? ''))

interface Line { readonly name: string; readonly lower: string; readonly value: string }

function linesOf(raw: readonly (Buffer | string)[]): Line[] {
  const lines: Line[] = []
  for (let index = 0; index + 1 < raw.length; index += 2) {
    const name = textOf(raw[index])
    lines.push({ name, lower: name.toLowerCase(), value: textOf(raw[index + 1]) })
  }
  return lines
}

/** Names that the upstream's `Connection` lines take away. */
function nominated(lines: readonly Line[]): ReadonlySet<string> {
  const connections = lines.filter(({ lower }) => lower === 'connection').map(({ value }) => value)
  const tokens = connectionTokens(connections.length === 0 ? new Map() : new Map([['connection', connections]]))
  return new Set([...tokens].filter((token) => !isEndToEnd(token)))
}

/** The upstream's lines that may reach the client, in order. Beside a transfer coding a length is not to be believed. */
function passingLines(lines: readonly Line[]): Line[] {
  const gone = nominated(lines)
  const coded = lines.some(({ lower }) => lower === 'transfer-encoding')
  return lines.filter(({ lower }) => !HOP_BY_HOP.has(lower) && !gone.has(lower) && !(coded && lower === 'content-length'))
}

/** The value to send for one field of ours beside the upstream's lines of that name, or undefined to leave those alone. */
function valueBeside([name, value]: Field, upstream: readonly string[], keepsBudget: boolean): string | undefined {
  const lower = name.toLowerCase()
  if (lower === 'vary') return mergedVary(upstream, value)
  if (lower === 'ratelimit' || lower === 'ratelimit-policy') return mergedRateLimit(upstream, value)
  if (lower === 'retry-after') return mergedRetryAfter(upstream, value)
  return lower.startsWith('x-ratelimit-') && keepsBudget ? undefined : value
}

/** Values of the lines whose names we write too, by lower-case name. */
function rivalsOf(lines: readonly Line[], added: readonly Field[]): ReadonlyMap<string, string[]> {
  const rivals = new Map<string, string[]>(added.map(([name]) => [name.toLowerCase(), []]))
  for (const { lower, value } of lines) rivals.get(lower)?.push(value)
  return rivals
}

/**
 * The answer's header list for the client, flat. The upstream's fields pass byte for byte without those of its own connection.
 * `added` are ours and replace the upstream's of the same name, with exceptions: `Set-Cookie` lines all stand, `Vary` is the
 * union, and rate-limit fields of the upstream are never made more permissive (draft-ietf-httpapi-ratelimit-headers-10).
 * Framing: `Content-Length` stays, everything else is the server's to write.
 */
export function responseHeaders(raw: readonly (Buffer | string)[], added: readonly Field[]): string[] {
  const passing = passingLines(linesOf(raw))
  const rivals = rivalsOf(passing, added)
  const keepsBudget = keepsUpstreamBudget(rivals.get('x-ratelimit-remaining'), added)
  const replaced = new Set<string>()
  const ours: string[] = []
  for (const field of added) {
    const lower = field[0].toLowerCase()
    const value = valueBeside(field, rivals.get(lower) ?? [], keepsBudget)
    if (value === undefined) continue
    if (lower !== 'set-cookie') replaced.add(lower)
    ours.push(field[0], value)
  }
  const out: string[] = []
  for (const { name, lower, value } of passing) if (!replaced.has(lower)) out.push(name, value)
  out.push(...ours)
  return out
}
