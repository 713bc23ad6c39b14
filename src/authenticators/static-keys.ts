import { digestsEqual, sha256Hex } from '../base/bytes.ts'
import type { CidrSet } from '../base/cidr.ts'
import type { EpochMs } from '../base/time.ts'
import type { Credential } from '../model/credential.ts'
import type { Verification } from '../model/ports.ts'
import type { IdentifiedPrincipal } from '../model/principal.ts'
import type { AssertedSubject } from './asserted-subject.ts'
import { assertedSubjectOf } from './asserted-subject.ts'
import { carrierOf } from './carriers.ts'
import { digestOf as digestOfCredential } from './credential-digest.ts'
import { principalOnce } from './made-principal.ts'

/** A key of the config or of a file. Holds its digest, never the key. */
export interface StaticKey {
  readonly id: string
  readonly subject: string
  /** SHA-256 of the key, 64 lower-case hex digits. */
  readonly digest: string
  readonly email?: string | undefined
  readonly tier?: string | undefined
  readonly scopes: readonly string[]
  readonly roles: readonly string[]
  readonly allowedNetworks?: CidrSet | undefined
  readonly expiresAt?: EpochMs | undefined
  /** A trusted service, which names the user it acts for. */
  readonly assertSubject: boolean
}

/** Keys by their digest. */
export type StaticKeys = ReadonlyMap<string, StaticKey>

export interface StaticKeyCheck {
  readonly authenticatorId: string
  /** Asked at every use, so that a file that was read again counts at once. */
  readonly sources: readonly (() => StaticKeys)[]
  readonly subject?: AssertedSubject | undefined
}

/** Digest of a key as the config knows it. */
export const digestOf = (key: string): string => sha256Hex(key)

export const keysByDigest = (keys: readonly StaticKey[]): StaticKeys => new Map(keys.map((key) => [key.digest, key]))

/**
 * Keys of a comma-separated text, each `key` or `name=key`; blanks around them and empty entries do not count. The id is the name, or
 * `label-` and 8 hex digits of the digest: a position in the list would become somebody else's when the list is edited.
 */
export function keysOfCsv(csv: string, label: string): readonly { readonly id: string; readonly value: string }[] {
  return csv.split(',').map((entry) => entry.trim()).filter((entry) => entry !== '').map((entry) => {
    // `=` at the end belongs to a base64 key.
    const named = /^([A-Za-z0-9_.-]{1,64})=(?!=*$)(.+)$/.exec(entry)
    const value = named?.[2] ?? entry
    return { id: named?.[1] ?? `${label}-${digestOf(value).slice(0, 8)}`, value }
  })
}

/** By digest: no comparison ever sees the presented key, and the digest is compared once more in constant time (T47). */
function keyOf(credential: Credential, sources: readonly (() => StaticKeys)[]): StaticKey | undefined {
  const digest = digestOfCredential(credential)
  for (const source of sources) {
    const key = source().get(digest)
    if (key && digestsEqual(Buffer.from(digest, 'hex'), Buffer.from(key.digest, 'hex'))) return key
  }
  return undefined
}

function principalOf(authenticatorId: string, credential: Credential, key: StaticKey, asserted: string | undefined): IdentifiedPrincipal {
  const { email, tier, scopes, roles, expiresAt, allowedNetworks } = key
  const subject = asserted ?? key.subject
  return {
    kind: 'identified',
    subject,
    authenticatorId,
    credentialId: key.id,
    ...(expiresAt !== undefined && { expiresAt }),
    scopes: new Set(scopes),
    roles,
    ...(tier !== undefined && { tier }),
    ...(email !== undefined && { email }),
    ...(asserted !== undefined && { asserted: true }),
    carrier: carrierOf(credential),
    locations: credential.locations,
    attributes: { id: subject, key_id: key.id, owner: key.subject, ...(email !== undefined && { email }), ...(tier !== undefined && { tier }), scopes, roles },
    ...(allowedNetworks && { allowedNetworks }),
  }
}

/** Builds the check of keys that stand in the config or in a file. Answers at once. */
export function createStaticKeyCheck({ authenticatorId, sources, subject }: StaticKeyCheck): (credential: Credential, now: EpochMs) => Verification {
  return (credential, now) => {
    const key = keyOf(credential, sources)
    if (!key) return { kind: 'rejected', reason: 'key_unknown' }
    if (key.expiresAt !== undefined && key.expiresAt <= now) return { kind: 'rejected', reason: 'key_expired', evidence: { key_id: key.id } }
    const asserted = key.assertSubject && subject ? assertedSubjectOf(credential, subject) : undefined
    if (asserted?.kind === 'refused') return { kind: 'rejected', reason: asserted.reason, evidence: { key_id: key.id, header: subject?.header } }
    // Whom it asserts stands in the credential too, which then is one of this request alone.
    return { kind: 'authenticated', principal: principalOnce(credential, authenticatorId, key, () => principalOf(authenticatorId, credential, key, asserted?.subject)) }
  }
}
