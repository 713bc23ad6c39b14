import type { DurationMs } from '../base/time.ts'
import type { CalledEvent, Observer } from '../model/event.ts'
import { readKeySet, KeySetError, type KeySet } from './key-set.ts'
import { isTrustworthyUrl, type FetchJson, type SideAnswer } from './side-call.ts'

/** Where an issuer's keys are. */
export interface KeyLocation {
  /** Name in metrics, logs and denials: bounded by the config. */
  readonly id: string
  /** Every accepted spelling of `iss`; discovery asks at the first. */
  readonly issuers: readonly string[]
  /** Absent: found by OpenID Connect Discovery at the issuer. */
  readonly jwksUrl?: string | undefined
  /** For discovery and key set together. */
  readonly timeoutMs: DurationMs
}

const MAX_BYTES = 262_144
/** A moved key set is noticed within this time, or at once when the old place fails. */
const DISCOVERY_MAX_AGE_MS = 3_600_000

/** `{issuer}/.well-known/openid-configuration`, with no second slash (OpenID Connect Discovery 1.0 section 4). */
export const discoveryUrlOf = (issuer: string): string => `${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`

/** The key set's URL in a discovery document that is the issuer's own: its `issuer` must be the very text that was configured. */
function jwksUrlIn(document: unknown, { issuers }: KeyLocation): string {
  const { issuer, jwks_uri: url } = (typeof document === 'object' && document !== null ? document : {}) as { readonly issuer?: unknown; readonly jwks_uri?: unknown } // both checked below
  if (typeof issuer !== 'string' || !issuers.includes(issuer)) throw new KeySetError(`discovery names the issuer ${JSON.stringify(String(issuer).slice(0, 200))}, expected ${JSON.stringify(issuers[0])}`)
  if (typeof url !== 'string' || !isTrustworthyUrl(url)) throw new KeySetError('discovery names no https jwks_uri')
  // Only an issuer on this host may send us to a plain-http neighbour.
  if (url.startsWith('http:') && !issuer.startsWith('http:')) throw new KeySetError('discovery names a jwks_uri without https')
  return url
}

/**
 * Builds the fetch of one issuer's key set: discovery when needed, then the set itself. Each call asks anew.
 *
 * The built function rejects with a {@link KeySetError} whose message says what went wrong: not 200, not JSON, not a key set, too
 * large, encoded, redirected, another issuer, or no answer in time.
 */
export function createKeyFetch(location: KeyLocation, { fetch, observer }: { readonly fetch: FetchJson; readonly observer: Observer }): () => Promise<KeySet> {
  let discovered: { readonly url: string; readonly at: number } | undefined

  const answered = async (operation: CalledEvent['operation'], url: string, deadline: number): Promise<SideAnswer> => {
    const startedAt = performance.now()
    const answer = await fetch({ url, timeoutMs: Math.max(1, deadline - startedAt), maxBytes: MAX_BYTES })
    const fault = answer.kind === 'answer' ? (answer.status === 200 ? undefined : `answered ${answer.status}`) : answer.detail
    const outcome = answer.kind === 'timeout' ? 'timeout' : fault === undefined ? 'ok' : 'error'
    observer.called({ provider: location.id, operation, outcome, durationMs: performance.now() - startedAt, ...(fault === undefined ? {} : { detail: fault }) })
    if (answer.kind !== 'answer' || fault !== undefined) throw new KeySetError(`${url}: ${fault}`)
    if (answer.json === undefined) throw new KeySetError(`${url}: the answer is not JSON`)
    return answer
  }

  const jwksUrl = async (deadline: number): Promise<string> => {
    if (location.jwksUrl !== undefined) return location.jwksUrl
    if (discovered && performance.now() - discovered.at < DISCOVERY_MAX_AGE_MS) return discovered.url
    const { json } = await answered('discovery', discoveryUrlOf(location.issuers[0] ?? ''), deadline)
    discovered = { url: jwksUrlIn(json, location), at: performance.now() }
    return discovered.url
  }

  return async () => {
    const deadline = performance.now() + location.timeoutMs
    const url = await jwksUrl(deadline)
    try {
      return readKeySet((await answered('jwks', url, deadline)).json)
    } catch (error) {
      discovered = undefined
      throw error
    }
  }
}
