import { randomBytes } from 'node:crypto'
import { digestsEqual, sha256, sha256Hex } from '../../base/bytes.ts'
import type { Clock, DurationMs } from '../../base/time.ts'
import type { IdentifiedPrincipal } from '../../model/principal.ts'

/** Somebody who is logged in to the page. */
export interface PageSession {
  /** Stands in every form; a page of another origin cannot read it. */
  readonly csrf: string
  readonly expiresAt: number
  /** Who it is, as they proved it. */
  readonly principal: IdentifiedPrincipal
}

/** Log-ins of the admin page, in memory alone: a restart ends them. */
export interface PageSessions {
  /** The value of the cookie of a new session, which lasts no longer than the proof. */
  readonly begin: (principal: IdentifiedPrincipal) => string
  readonly find: (cookie: string | undefined) => PageSession | undefined
  readonly end: (cookie: string | undefined) => void
  /** A link's code that logs in once, for ten minutes. */
  readonly newCode: () => string
  /** Whether it was one; it is not any more. */
  readonly redeem: (code: string) => boolean
}

export const SESSION_MS: DurationMs = 8 * 3_600_000
const CODE_MS: DurationMs = 600_000
const MAX_SESSIONS = 100

const newSecret = (): string => randomBytes(32).toString('base64url')

export const sameText = (a: string, b: string): boolean => digestsEqual(sha256(a), sha256(b))

export function createPageSessions(clock: Clock): PageSessions {
  // By digest, so that what is in memory is not what a browser sends.
  const sessions = new Map<string, PageSession>()
  const codes = new Map<string, number>()
  return {
    begin: (principal) => {
      const cookie = newSecret()
      sessions.set(sha256Hex(cookie), { csrf: newSecret(), expiresAt: Math.min(clock() + SESSION_MS, principal.expiresAt ?? Number.POSITIVE_INFINITY), principal })
      const [oldest] = sessions.keys()
      if (sessions.size > MAX_SESSIONS && oldest !== undefined) sessions.delete(oldest)
      return cookie
    },
    find: (cookie) => {
      const session = cookie === undefined ? undefined : sessions.get(sha256Hex(cookie))
      return session && session.expiresAt > clock() ? session : undefined
    },
    end: (cookie) => void (cookie !== undefined && sessions.delete(sha256Hex(cookie))),
    newCode: () => {
      const code = newSecret()
      codes.set(sha256Hex(code), clock() + CODE_MS)
      return code
    },
    redeem: (code) => {
      const name = sha256Hex(code)
      const until = codes.get(name)
      codes.delete(name)
      return until !== undefined && until > clock()
    },
  }
}
