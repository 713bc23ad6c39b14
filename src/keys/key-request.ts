import { CidrError, createCidrSet } from '../base/cidr.ts'
import type { DurationMs, EpochMs } from '../base/time.ts'
import type { KeyLimit } from './key-record.ts'
import { parseDuration, parseExpiry, parseRate } from './scalars.ts'

/** Why an act on a key was refused. Public: a problem code of the admin API and a message of the command line. */
export type KeyActCode = 'key_not_found' | 'key_ended' | 'key_replaced' | 'key_exists' | 'key_conflict' | 'request_invalid'

/** An act that cannot be done as asked. The message is for whoever asked. */
export class KeyActRefused extends Error {
  readonly code: KeyActCode
  constructor(code: KeyActCode, message: string) {
    super(message)
    this.name = 'KeyActRefused'
    this.code = code
  }
}

/** A new key as somebody asks for it, in text. */
export interface KeyRequestText {
  readonly owner: string
  readonly email?: string | undefined
  readonly tier?: string | undefined
  readonly status?: string | undefined
  readonly scopes?: readonly string[] | undefined
  readonly roles?: readonly string[] | undefined
  readonly name?: string | undefined
  readonly notes?: string | undefined
  /** `90d`, or an RFC 3339 instant. */
  readonly expires?: string | undefined
  /** `live`, `test`: the word in the prefix of the new key. Default: the one of the config. */
  readonly environment?: string | undefined
  /** CIDRs or addresses. */
  readonly allowedNetworks?: readonly string[] | undefined
  /** `100/minute`, `60/10s`. */
  readonly limits?: readonly string[] | undefined
}

/** The same, checked. */
export interface KeyRequest {
  readonly owner: string
  readonly email: string | undefined
  readonly tier: string | undefined
  readonly status: 'active' | 'suspended'
  readonly scopes: readonly string[]
  readonly roles: readonly string[]
  readonly name: string | undefined
  readonly notes: string | undefined
  readonly expiresAt: EpochMs | undefined
  readonly environment: string | undefined
  readonly allowedNetworks: readonly string[]
  readonly limits: readonly KeyLimit[]
}

/** RFC 6749 section 3.3. */
const SCOPE = /^[\x21\x23-\x5b\x5d-\x7e]{1,128}$/

const refuse = (message: string): never => {
  throw new KeyActRefused('request_invalid', message)
}

/** Text that may become a header value or a line on a terminal: no control, format or line-separating characters, no lone surrogates. */
function plainText(what: string, text: string | undefined, longest: number): string | undefined {
  if (text === undefined || text === '') return undefined
  if (text.length > longest) return refuse(`${what} is longer than ${longest} characters`)
  return /[\p{Cc}\p{Cf}\p{Cs}\u2028\u2029]/u.test(text) ? refuse(`${what} contains control characters`) : text
}

function listed(what: string, entries: readonly string[] = []): readonly string[] {
  if (entries.length > 100) return refuse(`at most 100 ${what}`)
  const wrong = entries.find((entry) => !SCOPE.test(entry))
  return wrong === undefined ? [...new Set(entries)] : refuse(`${JSON.stringify(wrong)} cannot be one of the ${what}: 1 to 128 visible ASCII characters without quotes and backslash`)
}

function networksOf(networks: readonly string[] = []): readonly string[] {
  if (networks.length > 100) return refuse('at most 100 allowed networks')
  try {
    createCidrSet(networks)
    return [...new Set(networks)]
  } catch (error) {
    if (!(error instanceof CidrError)) throw error
    return refuse(`allowed networks: ${error.message}`)
  }
}

function limitsOf(limits: readonly string[] = []): readonly KeyLimit[] {
  if (limits.length > 4) return refuse('at most 4 limits')
  return limits.map((text) => parseRate(text) ?? refuse(`${JSON.stringify(text.slice(0, 64))} is no limit – expected one such as "100/minute" or "60/10s"`))
}

function environmentOf(text: string | undefined): string | undefined {
  if (text === undefined) return undefined
  return /^[a-z][a-z0-9]{0,6}$/.test(text) ? text : refuse('environment – expected one short word such as "live" or "test"')
}

function statusOf(text: string | undefined): 'active' | 'suspended' {
  if (text === undefined || text === 'active') return 'active'
  return text === 'suspended' ? text : refuse(`status is ${JSON.stringify(text)} – expected active or suspended`)
}

/** @throws {KeyActRefused} `request_invalid` when it is no time to come */
export function expiryOf(text: string | undefined, now: EpochMs): EpochMs | undefined {
  if (text === undefined) return undefined
  return parseExpiry(text, now) ?? refuse(`expires is ${JSON.stringify(text)} – expected a time to come such as "90d" or "2027-01-31T00:00:00Z"`)
}

/** @throws {KeyActRefused} `request_invalid` when it is no duration */
export function overlapOf(text: string): DurationMs {
  return parseDuration(text) ?? refuse(`overlap is ${JSON.stringify(text)} – expected a duration such as "24h", or "0"`)
}

/**
 * Checks a request for a new key. `tiers` are those that the config names; empty means that any word will do.
 *
 * @throws {KeyActRefused} `request_invalid`, naming the first member that will not do
 */
export function checkKeyRequest(request: KeyRequestText, now: EpochMs, tiers: readonly string[]): KeyRequest {
  const owner = plainText('owner', request.owner, 255) ?? refuse('owner is empty')
  const email = plainText('email', request.email, 254)
  if (email !== undefined && !/^[^\s@]+@[^\s@]+$/.test(email)) return refuse('email is not an address')
  const tier = plainText('tier', request.tier, 64)
  if (tier !== undefined && tiers.length > 0 && !tiers.includes(tier)) return refuse(`tier is ${JSON.stringify(tier)} – expected one of ${tiers.join(', ')}`)
  return {
    owner, email, tier,
    status: statusOf(request.status),
    scopes: listed('scopes', request.scopes),
    roles: listed('roles', request.roles),
    name: plainText('name', request.name, 200),
    notes: plainText('notes', request.notes, 2_000),
    expiresAt: expiryOf(request.expires, now),
    environment: environmentOf(request.environment),
    allowedNetworks: networksOf(request.allowedNetworks),
    limits: limitsOf(request.limits),
  }
}
