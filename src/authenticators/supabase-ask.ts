import type { EpochMs } from '../base/time.ts'
import type { Credential } from '../model/credential.ts'
import type { Verification } from '../model/ports.ts'
import type { IdentifiedPrincipal } from '../model/principal.ts'
import type { Unavailable } from './authority.ts'
import { identify } from './identify.ts'
import type { IdentityPointers } from './identity-claims.ts'
import { claimOf, shown } from './jwt-claims.ts'
import { supabasePolicyFault, type SupabasePolicy } from './supabase-policy.ts'
import type { AskUser } from './supabase-user.ts'
import type { JsonObject } from './token-shape.ts'
import type { Verdict, VerdictCache } from './verdict-cache.ts'

export interface SupabaseAsking {
  readonly id: string
  readonly policy: SupabasePolicy
  readonly pointers: IdentityPointers
  /** Absent: nobody can be asked, for want of a key for the gateway. */
  readonly askUser?: AskUser | undefined
  readonly cache: VerdictCache
  /** What the `iss` of a refused token is compared with, for the log: the commonest mistake is a token of another project. */
  readonly expectedIssuer?: string | undefined
  /** A recheck that could not be made is not a yes; a record that only decorates may be missing. */
  readonly recheck: boolean
  /** Whether the record's members become attributes. */
  readonly fetchUser: boolean
}

/** The project's word about tokens. */
export interface SupabaseWord {
  /** About a token of which nothing is known yet. */
  readonly onToken: (credential: Credential, payload: JsonObject, now: EpochMs) => Promise<Verification>
  /** About somebody who was verified here. */
  readonly onPrincipal: (principal: IdentifiedPrincipal, credential: Credential, now: EpochMs) => Promise<Verification>
}

/** `exp` of a token that Auth has vouched for. */
function expiryOf(payload: JsonObject): EpochMs | undefined {
  const exp = claimOf(payload, 'exp')
  return typeof exp === 'number' && Number.isFinite(exp) ? exp * 1_000 : undefined
}

/** What an audit record calls the token: its session, as these tokens have no `jti`. */
export function sessionOf(payload: JsonObject): string | undefined {
  const session = claimOf(payload, 'jti') ?? claimOf(payload, 'session_id')
  return typeof session === 'string' && session.length <= 255 ? session : undefined
}

function withIssuer(verdict: Exclude<Verdict, { kind: 'known' }>, payload: JsonObject, expected: string | undefined): Verification {
  if (verdict.kind !== 'rejected' || expected === undefined || claimOf(payload, 'iss') === expected) return verdict
  return { ...verdict, evidence: { ...verdict.evidence, iss: shown(claimOf(payload, 'iss')), expected } }
}

/** Asks the project, remembers what it says, and makes sure that it speaks of the same person as the token. */
export function createSupabaseWord({ id, policy, pointers, askUser, cache, expectedIssuer, recheck, fetchUser }: SupabaseAsking): SupabaseWord {
  const unavailable = (cause: string): Unavailable => ({ kind: 'unavailable', dependency: id, cause })
  const nobodyToAsk: Unavailable = { ...unavailable('no api_key is set, so the project cannot be asked'), misconfigured: true }

  const verdictOn = async (token: string, payload: JsonObject, now: EpochMs): Promise<Verdict> => {
    if (!askUser) return nobodyToAsk
    return cache.verdictOf({ value: token }, now, async () => {
      const verdict = await askUser(token)
      if (verdict.kind !== 'known') return verdict
      if (verdict.claims['id'] !== claimOf(payload, 'sub')) return unavailable('answered with another user than the token names')
      const expiresAt = expiryOf(payload)
      return expiresAt === undefined ? verdict : { ...verdict, expiresAt }
    })
  }

  return {
    onToken: async (credential, payload, now) => {
      const verdict = await verdictOn(credential.value, payload, now)
      if (verdict.kind !== 'known') return withIssuer(verdict, payload, expectedIssuer)
      // Auth vouches for the token as a whole, so its claims are verified now; the record is newer than they are.
      const document = { ...payload, ...verdict.claims, sub: verdict.claims['id'] }
      const anonymous = verdict.claims['is_anonymous'] === true ? true : claimOf(payload, 'is_anonymous')
      return supabasePolicyFault({ ...payload, is_anonymous: anonymous }, policy) ??
        identify({ authenticatorId: id, credential, document, pointers, attributes: document, expiresAt: expiryOf(payload), credentialId: sessionOf(payload) })
    },
    onPrincipal: async (principal, credential, now) => {
      const verdict = await verdictOn(credential.value, principal.attributes, now)
      if (verdict.kind === 'unavailable' && !recheck) return { kind: 'authenticated', principal }
      if (verdict.kind !== 'known') return verdict
      return { kind: 'authenticated', principal: fetchUser ? { ...principal, attributes: { ...principal.attributes, ...verdict.claims } } : principal }
    },
  }
}
