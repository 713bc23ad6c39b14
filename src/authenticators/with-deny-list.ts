import { after } from '../base/after.ts'
import type { EpochMs, MaybePromise } from '../base/time.ts'
import type { DenyList, Proof, Standing } from '../keys/deny-list.ts'
import type { Authenticator, Verification } from '../model/ports.ts'
import type { IdentifiedPrincipal } from '../model/principal.ts'

const textIn = (attributes: IdentifiedPrincipal['attributes'], name: string): string | undefined => {
  const value = Object.hasOwn(attributes, name) ? attributes[name] : undefined
  return typeof value === 'string' ? value : undefined
}

/** A key is not issued by a login: what ends logins from before does not end it. */
function issuedAt({ attributes }: IdentifiedPrincipal, kind: Authenticator['kind']): EpochMs | undefined {
  if (kind === 'api_key') return Infinity
  const iat = Object.hasOwn(attributes, 'iat') ? attributes['iat'] : undefined
  return typeof iat === 'number' ? iat * 1_000 : undefined
}

/** What a principal's proof says of itself; only verified members count. */
export function proofOf(principal: IdentifiedPrincipal, kind: Authenticator['kind']): Proof {
  const { authenticatorId, subject, credentialId, attributes } = principal
  const sub = textIn(attributes, 'sub')
  return {
    authenticator: authenticatorId,
    jti: credentialId ?? textIn(attributes, 'jti'),
    sub: sub === undefined || sub === subject ? [subject] : [subject, sub],
    // Supabase calls it session_id.
    sid: textIn(attributes, 'sid') ?? textIn(attributes, 'session_id'),
    issuedAt: issuedAt(principal, kind),
  }
}

function judged(accepted: Verification, standing: Standing): Verification {
  if (standing.kind === 'clear') return accepted
  if (standing.kind === 'denied') return { kind: 'rejected', reason: 'token_revoked', evidence: { denied_by: standing.by } }
  return { kind: 'unavailable', dependency: 'deny_list', cause: standing.cause }
}

/** The same authenticator, which asks the deny list about every proof that it would accept. */
export function withDenyList(authenticator: Authenticator, list: DenyList): Authenticator {
  const { kind, verify, ended } = authenticator
  const standingOf = (principal: IdentifiedPrincipal, now: EpochMs): MaybePromise<Standing> => list.check(proofOf(principal, kind), now)
  return {
    ...authenticator,
    verify: (credential, now) =>
      after(verify(credential, now), (verification) => {
        if (verification.kind !== 'authenticated' || verification.principal.kind !== 'identified') return verification
        return after(standingOf(verification.principal, now), (standing) => judged(verification, standing))
      }),
    ended: (principal, now) =>
      after(ended?.(principal, now) ?? false, (over) => over || after(standingOf(principal, now), ({ kind: standing }) => standing === 'denied')),
  }
}
