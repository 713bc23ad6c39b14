import type { EpochMs, MaybePromise } from '../../base/time.ts'
import type { Extraction } from '../../model/credential.ts'
import type { Authenticator, Verification } from '../../model/ports.ts'
import type { IdentifiedPrincipal } from '../../model/principal.ts'
import type { RequestDescription } from '../../model/request.ts'
import { actorOf, PAGE_AUTHENTICATOR } from './actor.ts'
import type { PageSession, PageSessions } from './sessions.ts'

export interface PageAuthenticatorOptions {
  readonly sessions: PageSessions
  /** Whether the proof that somebody logged in with counts no more. */
  readonly ended: (principal: IdentifiedPrincipal, now: EpochMs) => MaybePromise<boolean>
}

/**
 * Over HTTPS the name with which a browser takes a cookie from this very host alone: whoever may set cookies for a domain around it, or
 * speaks for it without encryption, cannot set this one.
 */
export const cookieName = (scheme: 'http' | 'https'): string => (scheme === 'https' ? '__Host-postern_admin' : 'postern_admin')

/** The one cookie of ours; two of them are ambiguous. */
export function pageCookie({ headers, target }: Pick<RequestDescription, 'headers' | 'target'>): Extraction {
  const name = cookieName(target.scheme)
  const location = { kind: 'cookie', name } as const
  const [only, ...others] = (headers.get('cookie') ?? []).flatMap((line) => line.split(';')).map((pair) => pair.trim()).filter((pair) => pair.startsWith(`${name}=`))
  if (only === undefined) return undefined
  return others.length > 0 ? { kind: 'ambiguous', location } : { kind: 'credential', value: only.slice(name.length + 1), locations: [location] }
}

/** The principal who logged in, as a page's session proves it: by a cookie, which brings the rule about origins with it. */
function principalOf({ principal, expiresAt }: PageSession, carrier: IdentifiedPrincipal['carrier']): IdentifiedPrincipal {
  return { ...principal, authenticatorId: PAGE_AUTHENTICATOR, expiresAt, carrier, locations: [carrier], attributes: { ...principal.attributes, actor: actorOf({ primary: principal }) } }
}

/** Lets in by the session of the page: those whose proof has ended since they logged in are logged out. */
export function createPageAuthenticator({ sessions, ended }: PageAuthenticatorOptions): Authenticator {
  return {
    id: PAGE_AUTHENTICATOR,
    kind: 'session',
    challenge: { scheme: 'Cookie', parameters: [['realm', 'postern admin']] },
    carriers: (['http', 'https'] as const).map((scheme) => ({ kind: 'cookie', name: cookieName(scheme) })),
    forwardCredential: 'strip',
    extract: pageCookie,
    verify: async ({ value, locations: [carrier] }, now): Promise<Verification> => {
      const session = sessions.find(value)
      if (!session || !carrier) return { kind: 'rejected', reason: 'session_invalid' }
      if (!(await ended(session.principal, now))) return { kind: 'authenticated', principal: principalOf(session, carrier) }
      sessions.end(value)
      return { kind: 'rejected', reason: 'session_expired' }
    },
  }
}
