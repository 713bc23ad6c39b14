import type { FetchJson, SideAnswer } from '../../authenticators/side-call.ts'
import type { Clock, EpochMs } from '../../base/time.ts'

/** What stands for the authorities of a config: it knows the tokens that were made here, and nothing else. */
export interface Authorities {
  readonly fetchJson: FetchJson
  /** Has a token known from now on. */
  readonly learn: (token: string, what: { readonly claims: Readonly<Record<string, unknown>>; readonly expiresAt: EpochMs }) => void
}

const answer = (status: number, json: unknown): SideAnswer => ({ kind: 'answer', status, headers: new Map([['content-type', 'application/json']]), text: JSON.stringify(json), json })

const DISCOVERY = /^(.*?)\/?\.well-known\/(?:openid-configuration|oauth-authorization-server)/

const headerOf = (headers: Readonly<Record<string, string>> | undefined, wanted: string): string | undefined => Object.entries(headers ?? {}).find(([name]) => name.toLowerCase() === wanted)?.[1]

/**
 * Answers introspection (RFC 7662), its discovery, and the question of a Supabase project for its user, about tokens that were made here.
 * To everything else nobody answers, as if the network were down.
 */
export function createAuthorities(clock: Clock): Authorities {
  const known = new Map<string, { readonly claims: Readonly<Record<string, unknown>>; readonly expiresAt: EpochMs }>()
  const introspect = (token: string): SideAnswer => {
    const found = known.get(token)
    return answer(200, found && found.expiresAt > clock() ? { active: true, ...found.claims } : { active: false })
  }
  const user = (token: string): SideAnswer => {
    const found = known.get(token)
    if (!found) return answer(403, { error_code: 'bad_jwt', msg: 'invalid JWT' })
    return found.expiresAt > clock() ? answer(200, { ...found.claims, id: found.claims['sub'] }) : answer(403, { error_code: 'bad_jwt', msg: 'token is expired' })
  }
  return {
    learn: (token, what) => void known.set(token, what),
    fetchJson: async ({ url, method, headers, body = '' }) => {
      const issuer = DISCOVERY.exec(url)?.[1]
      if (issuer !== undefined) return answer(200, { issuer: new URL(issuer).href, introspection_endpoint: `${issuer}/introspect` })
      const asked = method === 'POST' ? new URLSearchParams(body).get('token') : null
      if (asked !== null) return introspect(asked)
      const bearer = /^Bearer (.+)$/.exec(headerOf(headers, 'authorization') ?? '')?.[1]
      return url.endsWith('/auth/v1/user') && bearer !== undefined ? user(bearer) : { kind: 'network', detail: 'nobody is asked in a policy test' }
    },
  }
}
