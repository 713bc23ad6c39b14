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

/**
 * What a line may have to do with others: `apart` ones are of the connection and go; `connection` takes others away; beside a `coding` a
 * `length` goes; `cors` and `quota` lines meet those of ours.
 */
type Part = 'none' | 'apart' | 'id' | 'connection' | 'coding' | 'length' | 'cors' | 'quota'

interface Name { readonly lower: string; readonly part: Part }

const PARTS: Readonly<Record<string, Part>> = { connection: 'connection', 'transfer-encoding': 'coding', 'content-length': 'length', 'x-request-id': 'id', vary: 'cors' }

function partOf(lower: string): Part {
  if (Object.hasOwn(PARTS, lower)) return PARTS[lower] ?? 'none'
  if (HOP_BY_HOP.has(lower)) return 'apart'
  if (lower.startsWith('access-control-')) return 'cors'
  return lower.startsWith('ratelimit') || lower.startsWith('x-ratelimit-') ? 'quota' : 'none'
}

/** Names by spelling: the same few come all the time. Bounded, since names come from outside. */
const names = new Map<string, Name>()
const MOST_NAMES = 512

function nameOf(spelled: string): Name {
  const known = names.get(spelled)
  if (known !== undefined) return known
  const lower = spelled.toLowerCase()
  const made = { lower, part: partOf(lower) }
  if (names.size < MOST_NAMES && spelled.length <= 64) names.set(spelled, made)
  return made
}

const lowerOf = (spelled: string): string => nameOf(spelled).lower

/** What else an answer gets besides a request id of ours. */
export interface Added {
  readonly cors: boolean
  readonly quotas: boolean
}

/**
 * Adds, to a flat list, the upstream's lines that may reach the client beside an `X-Request-Id` of ours, where each line can be judged by
 * itself: as most answers are. They are exactly those that `responseHeaders` lets pass.
 *
 * @returns false when one line concerns another or meets one of ours; then the list is of no use
 */
export function pushUpstreamLines(out: string[], raw: readonly (Buffer | string)[], { cors, quotas }: Added): boolean {
  let [coded, sized] = [false, false]
  for (let index = 0; index + 1 < raw.length; index += 2) {
    const name = textOf(raw[index])
    const { part } = nameOf(name)
    if (part === 'apart' || part === 'id') continue
    const value = textOf(raw[index + 1])
    if (part !== 'none') {
      if (part === 'connection' && value !== 'keep-alive') return false
      if ((part === 'cors' && cors) || (part === 'quota' && quotas)) return false
      coded ||= part === 'coding'
      sized ||= part === 'length'
      if (part === 'connection' || part === 'coding') continue
    }
    out.push(name, value)
  }
  return !coded || !sized
}

/** The upstream's lines, flat: name, lower-case name, value. */
type Lines = readonly string[]

const NOBODY: ReadonlySet<string> = new Set()

/** Names that the upstream's `Connection` lines take away. */
function nominated(connections: readonly string[]): ReadonlySet<string> {
  if (connections.length === 0) return NOBODY
  const tokens = connectionTokens(new Map([['connection', connections]]))
  return new Set([...tokens].filter((token) => !isEndToEnd(token)))
}

/** The upstream's lines that may reach the client, in order. Beside a transfer coding a length is not to be believed. */
function passingLines(raw: readonly (Buffer | string)[]): Lines {
  const lines: string[] = []
  const connections: string[] = []
  let coded = false
  for (let index = 0; index + 1 < raw.length; index += 2) {
    const name = textOf(raw[index])
    const lower = lowerOf(name)
    if (lower === 'connection') connections.push(textOf(raw[index + 1]))
    coded ||= lower === 'transfer-encoding'
    if (!HOP_BY_HOP.has(lower)) lines.push(name, lower, textOf(raw[index + 1]))
  }
  const gone = nominated(connections)
  if (gone.size === 0 && !coded) return lines
  return lines.filter((_, index) => {
    const lower = lines[index - (index % 3) + 1] ?? ''
    return !gone.has(lower) && !(coded && lower === 'content-length')
  })
}

/** Values of the lines of one name. */
function valuesOf(lines: Lines, lower: string): string[] {
  const values: string[] = []
  for (let index = 1; index < lines.length; index += 3) if (lines[index] === lower) values.push(lines[index + 1] ?? '')
  return values
}

/** The value to send for one field of ours beside the upstream's lines of that name, or undefined to leave those alone. */
function valueBeside([name, value]: Field, upstream: readonly string[], keepsBudget: boolean): string | undefined {
  const lower = name.toLowerCase()
  if (lower === 'vary') return mergedVary(upstream, value)
  if (lower === 'ratelimit' || lower === 'ratelimit-policy') return mergedRateLimit(upstream, value)
  if (lower === 'retry-after') return mergedRetryAfter(upstream, value)
  return lower.startsWith('x-ratelimit-') && keepsBudget ? undefined : value
}

/**
 * The answer's header list for the client, flat. The upstream's fields pass byte for byte without those of its own connection.
 * `added` are ours and replace the upstream's of the same name, with exceptions: `Set-Cookie` lines all stand, `Vary` is the
 * union, and rate-limit fields of the upstream are never made more permissive (draft-ietf-httpapi-ratelimit-headers-10).
 * Framing: `Content-Length` stays, everything else is the server's to write.
 */
export function responseHeaders(raw: readonly (Buffer | string)[], added: readonly Field[]): string[] {
  const passing = passingLines(raw)
  const keepsBudget = keepsUpstreamBudget(valuesOf(passing, 'x-ratelimit-remaining'), added)
  const replaced: string[] = []
  const ours: string[] = []
  for (const field of added) {
    const lower = lowerOf(field[0])
    const value = valueBeside(field, valuesOf(passing, lower), keepsBudget)
    if (value === undefined) continue
    if (lower !== 'set-cookie') replaced.push(lower)
    ours.push(field[0], value)
  }
  const out: string[] = []
  for (let index = 0; index + 2 < passing.length; index += 3) if (!replaced.includes(passing[index + 1] ?? '')) out.push(passing[index] ?? '', passing[index + 2] ?? '')
  for (const part of ours) out.push(part)
  return out
}
