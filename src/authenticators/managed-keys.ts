import { createCidrSet, type CidrSet } from '../base/cidr.ts'
import type { EpochMs, MaybePromise } from '../base/time.ts'
import type { KeyAnswer, KeyLookup } from '../keys/key-lookup.ts'
import { endOf } from '../keys/key-record.ts'
import type { KeyRecord } from '../keys/key-record.ts'
import { rfc3339 } from '../keys/scalars.ts'
import type { Credential } from '../model/credential.ts'
import type { Verification } from '../model/ports.ts'
import type { IdentifiedPrincipal } from '../model/principal.ts'
import type { QuotaPolicy } from '../model/quota.ts'
import { carrierOf } from './carriers.ts'
import { principalOnce } from './made-principal.ts'

/** Checks keys that are kept in a store. */
export type VerifyManagedKey = (credential: Credential, now: EpochMs) => MaybePromise<Verification>

/** The record's public side, by the names that templates and claims use. Absent members stay absent, so that a header is not sent empty. */
function attributesOf(record: KeyRecord): Readonly<Record<string, unknown>> {
  const { email, tier, name, environment } = record
  return {
    id: record.owner,
    key_id: record.id,
    owner: record.owner,
    ...(email !== undefined && { email }),
    ...(tier !== undefined && { tier }),
    ...(name !== undefined && { name }),
    ...(environment !== undefined && { environment }),
    created_at: rfc3339(record.createdAt),
    status: record.status,
    scopes: record.scopes,
    roles: record.roles,
  }
}

interface Compiled { readonly networks: CidrSet | undefined; readonly quotas: readonly QuotaPolicy[] | undefined }

/** A record lives as long as the cache holds it, so its networks and limits are made once. */
const compiled = new WeakMap<KeyRecord, Compiled>()

function quotasOf({ id, limits }: KeyRecord): readonly QuotaPolicy[] | undefined {
  if (limits.length === 0) return undefined
  return limits.map(({ quota, windowMs }, index) => ({ id: `key:${id}:${index}`, name: `key-${index + 1}`, quota, windowMs, algorithm: 'sliding', onUnavailable: 'local', shadow: false, reported: index === 0 }))
}

function compiledOf(record: KeyRecord): Compiled {
  const known = compiled.get(record)
  if (known) return known
  const made = { networks: record.allowedNetworks.length === 0 ? undefined : createCidrSet(record.allowedNetworks), quotas: quotasOf(record) }
  compiled.set(record, made)
  return made
}

function principalOf(authenticatorId: string, credential: Credential, record: KeyRecord): IdentifiedPrincipal {
  const { email, tier } = record
  const expiresAt = endOf(record)
  const { networks, quotas } = compiledOf(record)
  return {
    kind: 'identified',
    subject: record.owner,
    authenticatorId,
    credentialId: record.id,
    ...(expiresAt !== undefined && { expiresAt }),
    scopes: new Set(record.scopes),
    roles: record.roles,
    ...(tier !== undefined && { tier }),
    ...(email !== undefined && { email }),
    carrier: carrierOf(credential),
    locations: credential.locations,
    attributes: attributesOf(record),
    ...(networks && { allowedNetworks: networks }),
    ...(quotas && { quotas }),
  }
}

const authenticated = (authenticatorId: string, credential: Credential, record: KeyRecord): Verification =>
  ({ kind: 'authenticated', principal: principalOnce(credential, authenticatorId, record, () => principalOf(authenticatorId, credential, record)) })

/** The id of a refused key is for the operator; the client learns the code alone. */
function verificationOf(answer: KeyAnswer, authenticatorId: string, credential: Credential): Verification {
  switch (answer.kind) {
    case 'active':
      return authenticated(authenticatorId, credential, answer.record)
    case 'suspended':
      return { kind: 'rejected', reason: 'account_suspended', evidence: { key_id: answer.record.id } }
    case 'revoked':
      return { kind: 'rejected', reason: 'key_revoked', evidence: { key_id: answer.record.id } }
    case 'expired':
      return { kind: 'rejected', reason: 'key_expired', evidence: { key_id: answer.record.id } }
    case 'unknown':
      return { kind: 'rejected', reason: 'key_unknown' }
    case 'malformed':
      return { kind: 'rejected', reason: 'key_malformed' }
    case 'unavailable':
      return { kind: 'unavailable', dependency: 'key_store', cause: answer.cause, ...(answer.retryAfterMs !== undefined && { retryAfterMs: answer.retryAfterMs }) }
  }
}

/** Turns what a lookup finds into what an authenticator says. Answers at once when the lookup does; never rejects. */
export function createManagedKeyCheck({ authenticatorId, lookup }: { readonly authenticatorId: string; readonly lookup: KeyLookup }): VerifyManagedKey {
  return (credential, now) => {
    const answer = lookup.find(credential.value, now)
    const verification = (found: KeyAnswer): Verification => verificationOf(found, authenticatorId, credential)
    return answer instanceof Promise ? answer.then(verification) : verification(answer)
  }
}
