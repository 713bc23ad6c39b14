import { digestsEqual, hmacSha256 } from '../base/bytes.ts'
import type { DurationMs, EpochMs } from '../base/time.ts'
import { valueAt } from './identity-claims.ts'
import { openSession } from './session-jwe.ts'
import type { SessionKey } from './session-keys.ts'

/** A session that the application wrote into a cookie, to save itself a database query. */
export interface CachedSession {
  readonly document: Readonly<Record<string, unknown>>
  readonly expiresAt: EpochMs
}

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> => typeof value === 'object' && value !== null && !Array.isArray(value)

/** When the session itself ends; the cookie cache is younger but never outlives it. */
function sessionEnd(document: unknown): EpochMs {
  const value = valueAt(document, '/session/expiresAt')
  const at = typeof value === 'string' ? Date.parse(value) : Number.NaN
  return Number.isFinite(at) ? at : 0
}

/** Only a cache of this very token counts: a cookie from somebody else's session must not lend its user. */
function bound(document: Readonly<Record<string, unknown>>, { token, until, now }: { token: string; until: EpochMs; now: EpochMs }): CachedSession | undefined {
  const expiresAt = Math.min(until, sessionEnd(document))
  if (valueAt(document, '/session/token') !== token || !isObject(document['user']) || expiresAt <= now) return undefined
  return { document, expiresAt }
}

/** `cookieCache.strategy: "compact"`: base64url of JSON with an HMAC-SHA256 over the session and its expiry. */
export function readCompactCache({ data, token, secrets, now }: { data: string; token: string; secrets: readonly string[]; now: EpochMs }): CachedSession | undefined {
  let parsed: unknown
  try {
    parsed = JSON.parse(Buffer.from(data, 'base64url').toString('utf8'))
  } catch {
    return undefined
  }
  if (!isObject(parsed)) return undefined
  const { session, expiresAt, signature } = parsed
  if (!isObject(session) || typeof expiresAt !== 'number' || typeof signature !== 'string') return undefined
  const claimed = Buffer.from(signature, 'base64url')
  const signed = JSON.stringify({ ...session, expiresAt })
  if (!secrets.some((secret) => digestsEqual(hmacSha256(secret, signed), claimed))) return undefined
  return bound(session, { token, until: expiresAt, now })
}

/** `cookieCache.strategy: "jwe"`: sealed with a key derived from the secret. */
export async function readSealedCache({ data, token, keys, now, toleranceMs }: {
  data: string
  token: string
  keys: readonly SessionKey[]
  now: EpochMs
  toleranceMs: DurationMs
}): Promise<CachedSession | undefined> {
  const opened = await openSession(data, keys, { now, toleranceMs })
  return opened.kind === 'opened' ? bound(opened.claims, { token, until: opened.expiresAt, now }) : undefined
}
