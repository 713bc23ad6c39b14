import type { Credential } from '../model/credential.ts'
import type { IdentifiedPrincipal } from '../model/principal.ts'

/** A principal, and the very things that it was made of. */
interface Made { readonly of: Credential; readonly known: object; readonly principal: IdentifiedPrincipal }

/**
 * The principal that was made of this very credential before, by this authenticator and of the same things. A copy has none, since it is
 * another credential: a companion may name somebody else.
 */
export function principalMade(credential: Credential, authenticatorId: string, known: object): IdentifiedPrincipal | undefined {
  // Nobody else writes it.
  const made = credential.made as Made | undefined
  return made?.of === credential && made.known === known && made.principal.authenticatorId === authenticatorId ? made.principal : undefined
}

/** Keeps a principal for whoever shows the same credential again. */
export function keepPrincipal(credential: Credential, known: object, principal: IdentifiedPrincipal): IdentifiedPrincipal {
  const made: Made = { of: credential, known, principal }
  credential.made = made
  return principal
}

/**
 * The principal of a credential, made once of what is known of it: whoever shows the same one again is one and the same principal, by which others
 * know that nothing has changed. Whether it is still good is asked each time, before this.
 *
 * @param known  what it is made of besides the credential: an object that is never changed
 */
export const principalOnce = (credential: Credential, authenticatorId: string, known: object, make: () => IdentifiedPrincipal): IdentifiedPrincipal =>
  principalMade(credential, authenticatorId, known) ?? keepPrincipal(credential, known, make())
