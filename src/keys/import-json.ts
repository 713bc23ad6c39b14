import { sha256 } from '../base/bytes.ts'
import type { Clock, EpochMs } from '../base/time.ts'
import { BCRYPT_MAX_COST, bcryptCostOf } from './bcrypt-verifier.ts'
import type { KeyHasher } from './key-digest.ts'
import { base62Of, labelOf, MAX_KEY_LENGTH, newKeyId } from './key-format.ts'
import type { KeyRecord } from './key-record.ts'
import type { KeyStore } from './key-store.ts'
import { parseInstant } from './scalars.ts'

/** More than any such file has; a bound so that a wrong file cannot fill the store. */
const MAX_ROWS = 10_000

/** The file is not what it should be. Says nothing of its content. */
export class ImportError extends Error {
  /** Lines that are wrong, where there are some. */
  readonly lines: ImportReport['refused']
  constructor(message: string, lines: ImportReport['refused'] = []) {
    super(message)
    this.name = 'ImportError'
    this.lines = lines
  }
}

/** What an import did, by rows or lines. */
export interface ImportReport {
  readonly added: number
  /** Were there already, whatever became of them since: a revoked key stays revoked. */
  readonly known: number
  /** Rows that cannot be used, with the reason; `row` counts from 1. Never the row itself. */
  readonly refused: readonly { readonly row: number; readonly reason: string }[]
  /** How many more there were than are listed. */
  readonly moreRefused?: number
}

export interface ImportInto {
  readonly store: KeyStore
  readonly hasher: KeyHasher
  readonly clock: Clock
}

interface ImportedRow {
  readonly owner: string
  readonly createdAt: EpochMs
  readonly secret: { readonly kind: 'bcrypt'; readonly hash: string } | { readonly kind: 'plain'; readonly key: string }
}

/**
 * Checks the outer shape of an `api-keys.json`: an array of `{keyHash, userId, createdAt}` and older `{key, userId, createdAt}`.
 *
 * @throws {ImportError} when it is anything else
 */
export function parseRows(text: string): readonly unknown[] {
  let rows: unknown
  try {
    rows = JSON.parse(text)
  } catch {
    // The parser's message quotes what it read, and that may be a key.
    throw new ImportError('is not JSON')
  }
  if (!Array.isArray(rows)) throw new ImportError('is not an array of keys')
  if (rows.length > MAX_ROWS) throw new ImportError(`has more than ${MAX_ROWS} rows`)
  return rows
}

const member = (row: unknown, name: string): unknown => (typeof row === 'object' && row !== null && Object.hasOwn(row, name) ? Reflect.get(row, name) : undefined)

function secretOf(row: unknown): ImportedRow['secret'] | string {
  const [hash, key] = [member(row, 'keyHash'), member(row, 'key')]
  if (typeof hash === 'string') {
    const cost = bcryptCostOf(hash)
    if (cost === undefined) return 'keyHash is not a bcrypt text'
    return cost > BCRYPT_MAX_COST ? `the bcrypt cost ${cost} is above ${BCRYPT_MAX_COST}` : { kind: 'bcrypt', hash }
  }
  if (typeof key !== 'string') return 'there is neither keyHash nor key'
  return key.length >= 8 && key.length <= MAX_KEY_LENGTH && /^[\x21-\x7e]+$/.test(key) ? { kind: 'plain', key } : `key is not 8 to ${MAX_KEY_LENGTH} visible ASCII characters`
}

/** A row, or why it cannot be used. */
function readRow(row: unknown, now: EpochMs): ImportedRow | string {
  const secret = secretOf(row)
  if (typeof secret === 'string') return secret
  const owner = member(row, 'userId')
  if (typeof owner !== 'string' || owner === '' || owner.length > 255 || /[\p{Cc}\p{Cf}\p{Cs}]/u.test(owner)) return 'userId is not the id of a user'
  const created = member(row, 'createdAt')
  return { owner, secret, createdAt: (typeof created === 'string' ? parseInstant(created) : undefined) ?? now }
}

/** The id of a bcrypt row is made of its hash, which is public enough, so that the row is recognised after it was rehashed. */
const bcryptRowId = (hash: string): string => `key_${base62Of(sha256(`postern import\0${hash}`), 16)}`

function recordOf({ owner, createdAt, secret }: ImportedRow, hasher: KeyHasher): KeyRecord {
  const common = {
    owner, createdAt, email: undefined, tier: undefined, status: 'active', scopes: [], roles: [], name: 'imported', notes: undefined,
    expiresAt: undefined, revokedAt: undefined, replacedBy: undefined, replaces: undefined, overlapEndsAt: undefined, environment: undefined, allowedNetworks: [], limits: [], lastUsedAt: undefined, uses: 0, version: 1,
  } as const
  if (secret.kind === 'bcrypt') return { ...common, id: bcryptRowId(secret.hash), alg: 'bcrypt', digest: secret.hash, pepperId: '', prefix: '', last4: '' }
  return { ...common, ...hasher.digestOf(secret.key), ...labelOf(secret.key), id: newKeyId(), alg: 'hmac-sha256' }
}

/** A plaintext row has no id that may be written down: it is recognised by its digest, under whichever pepper. */
async function isKnown({ secret }: ImportedRow, { store, hasher }: ImportInto): Promise<boolean> {
  if (secret.kind === 'bcrypt') return (await store.byId(bcryptRowId(secret.hash))) !== undefined
  const digests = [hasher.digestOf(secret.key), ...hasher.previousDigestsOf(secret.key)]
  return (await store.byDigest(digests.map(({ digest }) => digest))) !== undefined
}

/** Rows per write: each write waits for the disk, and all of them together would hold up a start for long. */
const BATCH = 200

/** How many were written. A conflict means that a row stands twice in the file, or that another replica imports it in this very moment. */
async function insertAll(store: KeyStore, records: readonly KeyRecord[]): Promise<number> {
  let written = 0
  for (let at = 0; at < records.length; at += BATCH) {
    const batch = records.slice(at, at + BATCH).map((record) => ({ kind: 'insert', record }) as const)
    if ((await store.commit(batch)) === 'committed') {
      written += batch.length
      continue
    }
    for (const change of batch) written += (await store.commit([change])) === 'committed' ? 1 : 0
  }
  return written
}

/**
 * Brings the rows of an `api-keys.json` into a store. Plaintext is hashed on the way in; bcrypt stays until the key is first
 * used. Doing it again changes nothing, and a row that disappears from the file revokes nothing: that is what `revoke` is for.
 *
 * @throws {ImportError} for a file of another shape; `KeyStoreUnavailable` when the store cannot be used
 */
export async function importRows(text: string, into: ImportInto): Promise<ImportReport> {
  const refused: { row: number; reason: string }[] = []
  const fresh: KeyRecord[] = []
  let usable = 0
  for (const [index, each] of parseRows(text).entries()) {
    const row = readRow(each, into.clock())
    if (typeof row === 'string') {
      refused.push({ row: index + 1, reason: row })
      continue
    }
    usable += 1
    if (!(await isKnown(row, into))) fresh.push(recordOf(row, into.hasher))
  }
  const added = await insertAll(into.store, fresh)
  return { added, known: usable - added, refused }
}
