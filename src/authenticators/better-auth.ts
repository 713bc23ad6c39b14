import { digestsEqual, hmacSha256 } from '../base/bytes.ts'
import type { DurationMs, EpochMs } from '../base/time.ts'
import type { Credential } from '../model/credential.ts'
import type { Challenge } from '../model/denial.ts'
import type { Authenticator, Verification } from '../model/ports.ts'
import { cookiesOf } from './carriers.ts'
import { identify } from './identify.ts'
import type { IdentityPointers } from './identity-claims.ts'
import { readCompactCache, readSealedCache, type CachedSession } from './better-auth-cache.ts'
import { chunkedCookieOf, twinsOf } from './session-cookies.ts'
import { betterAuthCacheKeys } from './session-keys.ts'
import { cookieCarriers, sessionAttributes, sessionCredential, type AskSession } from './session.ts'
import type { VerdictCache } from './verdict-cache.ts'

export interface BetterAuthSettings {
  readonly id: string
  /** `better-auth`, or the `advanced.cookiePrefix` of the application. */
  readonly prefix: string
  /** Newest first. Empty: signatures are left to the application. */
  readonly secrets: readonly string[]
  /** Form of the `session_data` cookie, when the application has a cookie cache and it may be believed. */
  readonly cookieCache: 'off' | 'compact' | 'jwe'
  readonly ask?: AskSession
  readonly cache: VerdictCache
  readonly pointers: IdentityPointers
  readonly attributes: readonly string[]
  readonly clockToleranceMs: DurationMs
  readonly challenge: Challenge
  readonly forwardCredential: 'keep' | 'strip'
}

const SESSION_INVALID: Verification = { kind: 'rejected', reason: 'session_invalid' }
/** URL-encoded `token.signature`; the signature is base64 with its padding, 44 characters. */
const SIGNED = /^([A-Za-z0-9._~-]{8,512})\.([A-Za-z0-9+/]{43}=)$/

function decoded(value: string): string | undefined {
  try {
    return decodeURIComponent(value)
  } catch {
    return undefined
  }
}

/** The token of a signed cookie, when one of the secrets made its signature. */
export function signedToken(value: string, secrets: readonly string[]): string | undefined {
  const [, token, signature] = SIGNED.exec(decoded(value) ?? '') ?? []
  if (token === undefined || signature === undefined) return undefined
  if (secrets.length === 0) return token
  const claimed = Buffer.from(signature, 'base64')
  return secrets.some((secret) => digestsEqual(hmacSha256(secret, token), claimed)) ? token : undefined
}

/**
 * better-auth sessions: an opaque token in a signed cookie. A bad signature is refused without a call; a good one is asked about at
 * `GET /api/auth/get-session`, unless the application's own cookie cache answers.
 */
export function createBetterAuthAuthenticator(settings: BetterAuthSettings): Authenticator {
  const { id, prefix, secrets, cookieCache, ask, pointers } = settings
  const tokenName = `${prefix}.session_token`
  const dataName = `${prefix}.session_data`
  const cacheKeys = cookieCache === 'jwe' ? betterAuthCacheKeys(secrets) : []

  const identified = (credential: Credential, document: Readonly<Record<string, unknown>>, expiresAt: EpochMs | undefined): Verification =>
    identify({ authenticatorId: id, credential, document, pointers, expiresAt, attributes: sessionAttributes(document, settings.attributes) })

  const cached = async (credential: Credential, token: string, now: EpochMs): Promise<CachedSession | undefined> => {
    const data = credential.companions?.get(dataName)
    if (data === undefined || cookieCache === 'off') return undefined
    return cookieCache === 'compact'
      ? readCompactCache({ data, token, secrets, now })
      : readSealedCache({ data, token, keys: cacheKeys, now, toleranceMs: settings.clockToleranceMs })
  }

  const verify = async (credential: Credential, now: EpochMs): Promise<Verification> => {
    const token = signedToken(credential.value, secrets)
    if (token === undefined) return SESSION_INVALID
    const known = await cached(credential, token, now)
    if (known) return identified(credential, known.document, known.expiresAt)
    if (!ask) return SESSION_INVALID
    const cookie = `${credential.locations[0]?.name ?? tokenName}=${credential.value}`
    const verdict = await settings.cache.verdictOf({ value: cookie }, now, () => ask(cookie, now))
    return verdict.kind === 'known' ? identified(credential, verdict.claims, verdict.expiresAt) : verdict
  }

  return {
    id,
    kind: 'session',
    challenge: settings.challenge,
    carriers: cookieCarriers([tokenName, dataName]),
    forwardCredential: settings.forwardCredential,
    extract: (request) => {
      const cookies = cookiesOf(request.headers)
      const found = sessionCredential(chunkedCookieOf(cookies, twinsOf(tokenName)))
      if (found?.kind !== 'credential' || cookieCache === 'off') return found
      // The cache only speeds things up: whatever is wrong with it, the application is asked instead.
      const data = chunkedCookieOf(cookies, twinsOf(dataName))
      if (data?.kind !== 'cookie') return found
      return { ...found, locations: [...found.locations, ...data.locations], companions: new Map([[dataName, data.value]]) }
    },
    verify,
  }
}
