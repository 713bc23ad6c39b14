import type { DenyEntry } from './key-store.ts'
import { KeyStoreUnavailable } from './key-store.ts'
import type { Row } from './record-rows.ts'

const KINDS = ['jti', 'sub', 'sid'] as const

/** @throws {KeyStoreUnavailable} for a row that cannot be read: skipping it would let in what it denies */
export function denyEntryOf(row: Row): DenyEntry {
  const { value, authenticator, until, issued_before: issuedBefore } = row
  const kind = KINDS.find((each) => each === row['kind'])
  if (kind === undefined || typeof value !== 'string' || typeof authenticator !== 'string' || typeof until !== 'number' || (issuedBefore !== null && typeof issuedBefore !== 'number')) {
    throw new KeyStoreUnavailable('the deny list has an unreadable entry')
  }
  return { kind, value, authenticator, until, issuedBefore: issuedBefore ?? undefined }
}
