import { LRUCache } from 'lru-cache'
import { createSingleFlight } from '../base/single-flight.ts'
import type { DurationMs, EpochMs, MaybePromise } from '../base/time.ts'
import type { Credential } from '../model/credential.ts'
import type { Observer } from '../model/event.ts'
import type { Verification } from '../model/ports.ts'
import { digestOf } from './credential-digest.ts'

/**
 * What somebody else said about a credential. It holds claims, not a principal: what they mean is decided by each authenticator, for each credential, so
 * that one answer cannot be taken for another policy's (CVE-2021-32701, CVE-2026-33496).
 */
export type Verdict =
  | { readonly kind: 'known'; readonly claims: Readonly<Record<string, unknown>>; /** never kept past this */ readonly expiresAt?: EpochMs }
  | Exclude<Verification, { readonly kind: 'authenticated' }>

export interface VerdictCache {
  /** The verdict that is kept, or what `ask` says. Those who ask about the same credential at the same time share one answer. */
  readonly verdictOf: (credential: Pick<Credential, 'value' | 'digest'>, now: EpochMs, ask: () => Promise<Verdict>) => MaybePromise<Verdict>
  readonly forget: () => void
  readonly size: () => number
}

export interface VerdictCacheSettings {
  /** Label of the metric: a closed set. */
  readonly name: string
  /** How long a good answer is kept; 0 keeps none. This is the delay of a revocation. */
  readonly ttlMs: DurationMs
  /** How long a refusal is kept; at most 5 s, because a token may become valid. */
  readonly negativeTtlMs: DurationMs
  readonly maxEntries: number
  /** How much longer a good answer serves while nobody can be asked; never past its expiry, and only one that has an expiry. Default: 0. */
  readonly staleIfErrorMs?: DurationMs
  readonly observer: Observer
}

const LONGEST_NEGATIVE_MS = 5_000
/** Characters of answers that are kept, all together; one answer may have 64 KiB. */
const MAX_CHARACTERS = 33_554_432

interface Kept { readonly verdict: Verdict; readonly until: EpochMs }

/** Bounded, keyed by digest so that no secret is a map key. "Could not check" is never kept: the next request asks again. */
export function createVerdictCache({ name, ttlMs, negativeTtlMs, maxEntries, observer, staleIfErrorMs = 0 }: VerdictCacheSettings): VerdictCache {
  const kept = new LRUCache<string, Kept>({ max: maxEntries, maxSize: MAX_CHARACTERS })
  const flights = createSingleFlight<Verdict>()

  const untilOf = (verdict: Verdict, now: EpochMs): EpochMs => {
    if (verdict.kind === 'unavailable') return now
    if (verdict.kind !== 'known') return now + Math.min(negativeTtlMs, LONGEST_NEGATIVE_MS)
    return Math.min(now + ttlMs, verdict.expiresAt ?? Number.POSITIVE_INFINITY)
  }

  const stillServes = (found: Kept | undefined, now: EpochMs): found is Kept =>
    found?.verdict.kind === 'known' && (found.verdict.expiresAt ?? 0) > now && found.until + staleIfErrorMs > now

  return {
    verdictOf: (credential, now, ask) => {
      const key = digestOf(credential)
      const found = kept.get(key)
      if (found && found.until > now) {
        observer.cached(name, 'hit')
        return found.verdict
      }
      observer.cached(name, 'miss')
      return flights.run(key, async () => {
        const verdict = await ask()
        if (verdict.kind === 'unavailable' && stillServes(found, now)) {
          observer.cached(name, 'stale')
          observer.failedOpen(`${name}_stale`)
          return found.verdict
        }
        const until = untilOf(verdict, now)
        if (until > now) kept.set(key, { verdict, until }, { size: JSON.stringify(verdict).length })
        else kept.delete(key)
        return verdict
      })
    },
    forget: () => kept.clear(),
    size: () => kept.size,
  }
}
