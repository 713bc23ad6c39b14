import type { Clock, EpochMs } from '../base/time.ts'
import { KeyActRefused } from './key-request.ts'
import type { DenyEntry, KeyStore } from './key-store.ts'
import { parseDuration, parseExpiry, parseInstant, rfc3339 } from './scalars.ts'

/** What to deny, in text. Exactly one of the first three. */
export interface DenyRequestText {
  readonly jti?: string | undefined
  readonly sub?: string | undefined
  readonly sid?: string | undefined
  /** `24h`, or an RFC 3339 instant: when the proofs would have expired anyway. `0`: not any more. */
  readonly until?: string | undefined
  /** `now`, or an RFC 3339 instant: only proofs that were issued before. */
  readonly issuedBefore?: string | undefined
  readonly authenticator?: string | undefined
}

/** Somebody wrote to the deny list. */
export interface DenyAct {
  readonly actor: string
  readonly at: EpochMs
  readonly entry: DenyEntry
}

/** The acts on the deny list. All reject with {@link KeyActRefused} or `KeyStoreUnavailable`. */
export interface DenyService {
  readonly deny: (request: DenyRequestText, actor: string) => Promise<DenyEntry>
  readonly list: () => Promise<readonly DenyEntry[]>
}

export interface DenyServiceOptions {
  readonly store: KeyStore
  /** Names that `authenticator` may have. */
  readonly authenticators: readonly string[]
  readonly clock: Clock
  readonly onAct: (act: DenyAct) => void
}

const KINDS = ['jti', 'sub', 'sid'] as const

const refuse = (message: string): never => {
  throw new KeyActRefused('request_invalid', message)
}

function namedBy(request: DenyRequestText): Pick<DenyEntry, 'kind' | 'value'> {
  const [only, ...others] = KINDS.filter((kind) => request[kind] !== undefined)
  if (only === undefined || others.length > 0) return refuse('name exactly one of jti, sub and sid')
  const value = request[only] ?? ''
  return value === '' || value.length > 255 || /[\p{Cc}\p{Cs}]/u.test(value) ? refuse(`${only} – expected 1 to 255 characters`) : { kind: only, value }
}

function untilOf(text: string | undefined, now: EpochMs): EpochMs {
  if (text === undefined) return refuse('until is missing: when would the token have expired? For example "24h"')
  if (text === '0') return now
  return parseExpiry(text, now) ?? refuse(`until is ${JSON.stringify(text.slice(0, 64))} – expected a time to come such as "24h" or "2027-01-31T00:00:00Z"`)
}

function issuedBeforeOf(text: string | undefined, now: EpochMs): EpochMs | undefined {
  if (text === undefined) return undefined
  if (text === 'now') return now
  return (parseDuration(text) === undefined ? parseInstant(text) : undefined) ?? refuse('issued_before – expected "now" or an RFC 3339 time')
}

function entryOf(request: DenyRequestText, { authenticators }: Pick<DenyServiceOptions, 'authenticators'>, now: EpochMs): DenyEntry {
  const { authenticator = '*' } = request
  if (authenticator !== '*' && !authenticators.includes(authenticator)) return refuse(`there is no authenticator ${JSON.stringify(authenticator.slice(0, 64))}; one of ${authenticators.join(', ')}`)
  return { ...namedBy(request), authenticator, until: untilOf(request.until, now), issuedBefore: issuedBeforeOf(request.issuedBefore, now) }
}

/** Builds the acts. Each is told once, after it is durable. */
export function createDenyService(options: DenyServiceOptions): DenyService {
  const { store, clock, onAct } = options
  return {
    deny: async (request, actor) => {
      const now = clock()
      const entry = entryOf(request, options, now)
      await store.deny([entry])
      onAct({ actor, at: now, entry })
      return entry
    },
    list: async () => store.denied(clock()),
  }
}

/** An entry as it is told, by the command line and the admin API alike. */
export const denyView = ({ kind, value, authenticator, until, issuedBefore }: DenyEntry) => ({
  kind, value, authenticator, until: rfc3339(until), issued_before: issuedBefore === undefined ? null : rfc3339(issuedBefore),
})
