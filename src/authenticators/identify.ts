import type { EpochMs } from '../base/time.ts'
import type { Credential } from '../model/credential.ts'
import type { IdentifiedPrincipal } from '../model/principal.ts'
import type { Verification } from '../model/ports.ts'
import { identityClaimsOf, type IdentityPointers } from './identity-claims.ts'

/** Everything that makes a principal of a verified document. */
export interface Identification {
  readonly authenticatorId: string
  readonly credential: Credential
  /** The verified claims, or the answer of whoever was asked. */
  readonly document: Readonly<Record<string, unknown>>
  readonly pointers: IdentityPointers
  readonly attributes: Readonly<Record<string, unknown>>
  readonly expiresAt?: EpochMs | undefined
  readonly credentialId?: string | undefined
}

/** A principal, or `subject_invalid` when the document names nobody that could stand in a header. */
export function identify({ authenticatorId, credential, document, pointers, attributes, expiresAt, credentialId }: Identification): Verification {
  const { subject, ...claims } = identityClaimsOf(document, pointers)
  const [carrier] = credential.locations
  if (subject === undefined || !carrier) return { kind: 'rejected', reason: 'subject_invalid' }
  const principal: IdentifiedPrincipal = {
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
  return { kind: 'authenticated', principal }
}
