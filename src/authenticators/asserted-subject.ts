import type { Credential, CredentialLocation, Extraction } from '../model/credential.ts'
import type { RequestDescription } from '../model/request.ts'
import { isSubject } from './subject.ts'

/** How a trusted service names the user it acts for: a header that means nothing without the service's key. */
export interface AssertedSubject {
  /** Lower-case. */
  readonly header: string
  /** False: without the header the key's own subject is meant. */
  readonly required: boolean
  readonly maxLength: number
  /** Anchored at both ends. */
  readonly pattern: RegExp
}

type Assertion = { readonly kind: 'asserted'; /** undefined: the key speaks for itself */ readonly subject: string | undefined } | { readonly kind: 'refused'; readonly reason: 'subject_missing' | 'subject_malformed' }

export const companionLocation = ({ header }: AssertedSubject): CredentialLocation => ({ kind: 'header', name: header })

/**
 * Adds the companion header to a credential that was found. Repeated, it is ambiguous: the upstream might read the other one.
 *
 * Whether the key may assert anything is not known yet; without such a key the value is never used.
 */
export function withCompanion(extraction: Extraction, { headers }: RequestDescription, subject: AssertedSubject): Extraction {
  const lines = headers.get(subject.header)
  if (extraction?.kind !== 'credential' || !lines || lines.length === 0) return extraction
  const location = companionLocation(subject)
  if (lines.length > 1) return { kind: 'ambiguous', location }
  return { ...extraction, locations: [...extraction.locations, location], companions: new Map([[subject.header, (lines[0] ?? '').trim()]]) }
}

/** Who a trusted service says it acts for. */
export function assertedSubjectOf({ companions }: Credential, { header, required, maxLength, pattern }: AssertedSubject): Assertion {
  const value = companions?.get(header) ?? ''
  if (value === '') return required ? { kind: 'refused', reason: 'subject_missing' } : { kind: 'asserted', subject: undefined }
  return isSubject(value, maxLength) && pattern.test(value) ? { kind: 'asserted', subject: value } : { kind: 'refused', reason: 'subject_malformed' }
}

/** A pattern that an operator wrote, made to match whole values only. */
export const anchored = (pattern: string): RegExp => new RegExp(`^(?:${pattern})$`, 'u')
