import type { EpochMs } from '../base/time.ts'
import { objectOf, type Answered, type Authority } from './authority.ts'
import { identityClaimsOf, valueAt, type IdentityPointers } from './identity-claims.ts'
import type { AskSession } from './session.ts'
import type { Verdict } from './verdict-cache.ts'

/** When the session ends, as NextAuth (`expires`) and better-auth (`session.expiresAt`) say it. */
function sessionEnd(document: unknown): EpochMs | undefined {
  const value = valueAt(document, '/expires') ?? valueAt(document, '/session/expiresAt')
  const at = typeof value === 'string' ? Date.parse(value) : Number.NaN
  return Number.isFinite(at) ? at : undefined
}

/**
 * What the session endpoint means. `{}` (NextAuth v4), `null` (Auth.js v5, better-auth), 401 and 403: not logged in. A session is an
 * object with a user that the configured pointer finds; anything else, `200 {"error": …}` included, is no answer (CVE-2026-73421).
 */
function verdictOn(answer: Answered, { authority, pointers, now }: { authority: Authority; pointers: IdentityPointers; now: EpochMs }): Verdict {
  const { status, json } = answer
  if (status === 401 || status === 403) return { kind: 'rejected', reason: 'session_invalid' }
  if (status !== 200) return authority.unavailable(`answered ${status}`)
  if (json === null) return { kind: 'rejected', reason: 'session_invalid' }
  const document = objectOf(json)
  if (!document) return authority.unavailable('answered 200 without a JSON object')
  if (Object.keys(document).length === 0) return { kind: 'rejected', reason: 'session_invalid' }
  if (objectOf(document['error']) || !objectOf(document['user'])) return authority.unavailable('answered 200 with something that is not a session')
  if (identityClaimsOf(document, pointers).subject === undefined) return authority.misconfigured(`the session names nobody at ${pointers.subject.join(', ')}; set map.subject`)
  const expiresAt = sessionEnd(document)
  if (expiresAt !== undefined && expiresAt <= now) return { kind: 'rejected', reason: 'session_expired' }
  return { kind: 'known', claims: document, ...(expiresAt === undefined ? {} : { expiresAt }) }
}

/**
 * Asks the application's session endpoint with only the session cookie. What it answers in `Set-Cookie` (a rolled-over session) goes
 * nowhere: it is meant for the browser, and this is not one.
 */
export function createAskSession({ authority, url, pointers }: { readonly authority: Authority; readonly url: string; readonly pointers: IdentityPointers }): AskSession {
  return async (cookie, now) => {
    const answer = await authority.ask({ url, headers: { cookie } })
    return answer.kind === 'answered' ? verdictOn(answer, { authority, pointers, now }) : answer
  }
}
