import type { EpochMs } from '../base/time.ts'
import type { Credential } from '../model/credential.ts'
import type { IdentifiedPrincipal } from '../model/principal.ts'
import type { Verification } from '../model/ports.ts'
import { keepPrincipal, principalMade } from './made-principal.ts'
import { identityClaimsOf, type IdentityPointers } from './identity-claims.ts'

/** Everything that makes a principal of a verified document. */
export interface Identification {
  readonly authenticatorId: string
  readonly credential: Credential
  /** The verified claims, or the answer of whoever was asked. Never changed. */
  readonly document: Readonly<Record<string, unknown>>
  readonly pointers: IdentityPointers
  /** They follow from the document. */
  readonly attributes: Readonly<Record<string, unknown>>
  readonly expiresAt?: EpochMs | undefined
  readonly credentialId?: string | undefined
}

/** A principal, made once of a credential and a document, or `subject_invalid` when the document names nobody that could stand in a header. */
export function identify(identification: Identification): Verification {
  const { authenticatorId, credential, document, expiresAt, credentialId } = identification
  const made = principalMade(credential, authenticatorId, document)
  if (made && made.expiresAt === expiresAt && made.credentialId === credentialId) return { kind: 'authenticated', principal: made }
  const principal = principalOf(identification)
  if (!principal) return { kind: 'rejected', reason: 'subject_invalid' }
  return { kind: 'authenticated', principal: keepPrincipal(credential, document, principal) }
}

function principalOf({ authenticatorId, credential, document, pointers, attributes, expiresAt, credentialId }: Identification): IdentifiedPrincipal | undefined {
  const { subject, ...claims } = identityClaimsOf(document, pointers)
  const [carrier] = credential.locations
  if (subject === undefined || !carrier) return undefined
  return {
    kind: 'identified',
    subject,
    authenticatorId,
    ...claims,
    carrier,
    locations: credential.locations,
    attributes,
    ...(expiresAt === undefined ? {} : { expiresAt }),
    ...(credentialId === undefined ? {} : { credentialId }),
  }
}
