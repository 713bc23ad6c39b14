import type { Verification } from '../model/ports.ts'
import { claimOf, shown } from './jwt-claims.ts'
import type { JsonObject } from './token-shape.ts'

/** Which of a project's tokens are logins here. */
export interface SupabasePolicy {
  /** One of these must be in `aud`. Empty: not looked at. */
  readonly audience: readonly string[]
  /** Values that `role` may have. */
  readonly roles: readonly string[]
  /** Whether anonymous sign-ins count: their role is `authenticated` as well, only `is_anonymous` tells. */
  readonly anonymousUsers: boolean
  /** Whether tokens that the user gave to a third-party OAuth client count: same audience, only `client_id` tells. */
  readonly oauthClients: boolean
}

const refused = (reason: Extract<Verification, { kind: 'rejected' }>['reason'], claim: string, seen: unknown, expected?: readonly string[]): Verification =>
  ({ kind: 'rejected', reason, evidence: { claim, seen: shown(seen), ...(expected ? { expected } : {}) } })

/** What is wrong with the claims of a verified token, or nothing. */
export function supabasePolicyFault(claims: JsonObject, { audience, roles, anonymousUsers, oauthClients }: SupabasePolicy): Verification | undefined {
  const [aud, role, anonymous, client] = ['aud', 'role', 'is_anonymous', 'client_id'].map((name) => claimOf(claims, name))
  const audiences: readonly unknown[] = Array.isArray(aud) ? aud : [aud]
  if (audience.length > 0 && !audiences.some((entry) => typeof entry === 'string' && audience.includes(entry))) return refused('jwt_audience_mismatch', 'aud', aud, audience)
  if (!(typeof role === 'string' && roles.includes(role))) return refused('jwt_role_not_allowed', 'role', role, roles)
  // Anything but a plain "no" is a yes: the claim decides whether somebody is a customer.
  if (!anonymousUsers && anonymous !== undefined && anonymous !== false && anonymous !== null) return refused('jwt_anonymous_user', 'is_anonymous', anonymous)
  return !oauthClients && client !== undefined && client !== null ? refused('jwt_oauth_client', 'client_id', client) : undefined
}
