import type { Credential } from '../model/credential.ts'
import type { IdentifiedPrincipal } from '../model/principal.ts'

/** The principal that was made of a credential before, by this authenticator and of the same things. */
export function principalMade({ made }: Credential, authenticatorId: string, known: object): IdentifiedPrincipal | undefined {
  return made?.known === known && made.principal.authenticatorId === authenticatorId ? made.principal : undefined
}

/**
 * The principal of a credential, made once of what is known of it: whoever shows the same one again is one and the same principal, by which others
 * know that nothing has changed. Whether it is still good is asked each time, before this.
 *
 * @param known  what it is made of besides the credential: an object that is never changed
 */
export function principalOnce(credential: Credential, authenticatorId: string, known: object, make: () => IdentifiedPrincipal): IdentifiedPrincipal {
  const before = principalMade(credential, authenticatorId, known)
  if (before) return before
  const principal = make()
  credential.made = { known, principal }
  return principal
}
