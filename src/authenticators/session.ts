import type { DurationMs, EpochMs } from '../base/time.ts'
import type { Credential, CredentialLocation, Extraction } from '../model/credential.ts'
import type { Challenge } from '../model/denial.ts'
import type { Authenticator, Verification } from '../model/ports.ts'
import type { RequestDescription } from '../model/request.ts'
import { cookiesOf } from './carriers.ts'
import { identify } from './identify.ts'
import { valueAt, type IdentityPointers } from './identity-claims.ts'
import { firstCookieOf, twinsOf, type CookieFinding } from './session-cookies.ts'
import { looksSealed, openSession } from './session-jwe.ts'
import { sessionKeys, type SessionKey, type SessionVersion } from './session-keys.ts'
import type { Verdict, VerdictCache } from './verdict-cache.ts'

/** One cookie that may hold a session, and whose keys may have sealed it. */
export interface SessionFamily {
  /** The plain name; its `__Secure-` twin is implied. */
  readonly name: string
  readonly versions: readonly SessionVersion[]
}

/** Asks the application whose session a `Cookie` header names. */
export type AskSession = (cookie: string, now: EpochMs) => Promise<Verdict>

export interface SessionSettings {
  readonly id: string
  readonly families: readonly SessionFamily[]
  /** Newest first. Empty: the application is asked about every cookie. */
  readonly secrets: readonly string[]
  /** For sessions that live in a database; absent, only sealed cookies are sessions. */
  readonly ask?: AskSession
  readonly cache: VerdictCache
  readonly pointers: IdentityPointers
  /** Names of claims that become attributes. A list, because applications keep tokens of other services in their sessions. */
  readonly attributes: readonly string[]
  readonly clockToleranceMs: DurationMs
  readonly challenge: Challenge
  readonly forwardCredential: 'keep' | 'strip'
}

/** The names that the two libraries use; newest first, since a browser may still hold a cookie of the older one. */
export const SESSION_FAMILIES: Readonly<Record<SessionVersion, SessionFamily>> = {
  v5: { name: 'authjs.session-token', versions: ['v5'] },
  v4: { name: 'next-auth.session-token', versions: ['v4'] },
}

const SESSION_INVALID: Verification = { kind: 'rejected', reason: 'session_invalid' }
const COOKIE_TEXT = /^[\x21\x23-\x2b\x2d-\x3a\x3c-\x5b\x5d-\x7e]+$/

/** What was found, as a credential. */
export function sessionCredential(found: CookieFinding): Extraction {
  return found?.kind === 'cookie' ? { kind: 'credential', value: found.value, locations: found.locations } : found
}

/** Every cookie of these names, chunks included. */
export const cookieCarriers = (names: readonly string[]): readonly CredentialLocation[] =>
  names.flatMap(twinsOf).flatMap((name) => [{ kind: 'cookie', name }, { kind: 'cookie', name: `${name}.*` }] as const)

/** The chosen claims of a token (`/name`) or of an answer of the session endpoint (`/user/name`). */
export function sessionAttributes(document: unknown, names: readonly string[]): Readonly<Record<string, unknown>> {
  const attributes: Record<string, unknown> = Object.create(null)
  for (const name of names) {
    const value = valueAt(document, `/${name}`) ?? valueAt(document, `/user/${name}`) ?? (name === 'picture' ? valueAt(document, '/user/image') : undefined)
    if (value !== undefined && value !== null) attributes[name] = value
  }
  return attributes
}

/** Cookie name without a chunk suffix. */
const baseName = (credential: Credential): string => (credential.locations[0]?.name ?? '').replace(/\.\d+$/, '')

function cookieHeader({ locations }: Credential, value: string): string | undefined {
  if (!COOKIE_TEXT.test(value)) return undefined
  const [first] = locations
  if (!first) return undefined
  // Chunks are put together again: the application reads a whole value as well, and no boundary has to be remembered.
  return `${baseName({ kind: 'credential', value, locations })}=${value}`
}

/** NextAuth v4 and Auth.js v5 sessions: sealed cookies, and those that only the application can read. */
export function createSessionAuthenticator(settings: SessionSettings): Authenticator {
  const { id, families, secrets, ask, cache, pointers } = settings
  const names = families.map(({ name }) => twinsOf(name))
  const keys = new Map<string, readonly SessionKey[]>(
    families.flatMap(({ name, versions }) => twinsOf(name).map((cookie) => [cookie, sessionKeys({ secrets, versions, cookie })] as const)),
  )

  const identified = (credential: Credential, document: Readonly<Record<string, unknown>>, expiresAt: EpochMs | undefined): Verification =>
    identify({
      authenticatorId: id, credential, document, pointers, expiresAt,
      attributes: sessionAttributes(document, settings.attributes),
      credentialId: typeof document['jti'] === 'string' ? document['jti'] : undefined,
    })

  const openCookie = async (credential: Credential, now: EpochMs): Promise<Verification> => {
    const opened = await openSession(credential.value, keys.get(baseName(credential)) ?? [], { now, toleranceMs: settings.clockToleranceMs })
    if (opened.kind === 'expired') return { kind: 'rejected', reason: 'session_expired' }
    if (opened.kind === 'invalid') return SESSION_INVALID
    const { sub, error } = opened.claims
    // State, PKCE and nonce cookies are sealed as well but have no subject (CVE-2023-48309); an error is not a session (CVE-2026-73421).
    if (typeof sub !== 'string' || sub === '' || (typeof error === 'object' && error !== null)) return SESSION_INVALID
    return identified(credential, opened.claims, opened.expiresAt)
  }

  const askApplication = async (credential: Credential, now: EpochMs, asking: AskSession): Promise<Verification> => {
    const cookie = cookieHeader(credential, credential.value)
    if (cookie === undefined) return SESSION_INVALID
    const verdict = await cache.verdictOf({ value: cookie }, now, () => asking(cookie, now))
    return verdict.kind === 'known' ? identified(credential, verdict.claims, verdict.expiresAt) : verdict
  }

  return {
    id,
    kind: 'session',
    challenge: settings.challenge,
    carriers: cookieCarriers(families.map(({ name }) => name)),
    forwardCredential: settings.forwardCredential,
    extract: (request: RequestDescription) => sessionCredential(firstCookieOf(cookiesOf(request.headers), names)),
    verify: (credential, now) => {
      if (secrets.length > 0 && looksSealed(credential.value)) return openCookie(credential, now)
      return ask ? askApplication(credential, now, ask) : SESSION_INVALID
    },
  }
}
