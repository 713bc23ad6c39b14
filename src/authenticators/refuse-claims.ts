import type { Authenticator, Verification } from '../model/ports.ts'
import { claimOf, shown } from './jwt-claims.ts'

function refusedClaim(verification: Verification, refused: Readonly<Record<string, readonly string[]>>): Verification {
  if (verification.kind !== 'authenticated' || verification.principal.kind !== 'identified') return verification
  const { attributes } = verification.principal
  const found = Object.entries(refused).find(([name, values]) => values.includes(String(claimOf(attributes, name))))
  return found ? { kind: 'rejected', reason: 'jwt_claim_mismatch', evidence: { claim: found[0], seen: shown(claimOf(attributes, found[0])) } } : verification
}

/** The same authenticator, except that verified tokens with one of these values are refused; a token without the claim is fine. */
export function refuseClaims(authenticator: Authenticator, refused: Readonly<Record<string, readonly string[]>>): Authenticator {
  return {
    ...authenticator,
    verify: (credential, now) => {
      const verification = authenticator.verify(credential, now)
      return verification instanceof Promise ? verification.then((later) => refusedClaim(later, refused)) : refusedClaim(verification, refused)
    },
  }
}
