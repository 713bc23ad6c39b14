import { CidrError, createCidrSet } from '../base/cidr.ts'
import { BCRYPT_MAX_COST, bcryptCostOf } from './bcrypt-verifier.ts'
import type { KeyRecord } from './key-record.ts'
import { KeyStoreUnavailable } from './key-store.ts'
import { recordOf, type Row } from './record-rows.ts'

const ID = /^key_[0-9A-Za-z]{16}$/
const HMAC = /^[0-9a-f]{64}$/

function digestMistake({ alg, digest }: KeyRecord): string | undefined {
  if (alg === 'hmac-sha256') return HMAC.test(digest) ? undefined : 'its digest is not one'
  const cost = bcryptCostOf(digest)
  if (cost === undefined) return 'its digest is not a bcrypt text'
  return cost > BCRYPT_MAX_COST ? `its bcrypt cost ${cost} is above ${BCRYPT_MAX_COST}` : undefined
}

/** Networks that cannot be read would refuse every request of the key, or worse. */
function networksMistake({ allowedNetworks }: KeyRecord): string | undefined {
  try {
    createCidrSet(allowedNetworks)
    return undefined
  } catch (error) {
    if (error instanceof CidrError) return 'its networks cannot be read'
    throw error
  }
}

/** The record in a line of an export, or why there is none. The reason never quotes the line. */
export function recordInLine(text: string): KeyRecord | string {
  let row: unknown
  try {
    row = JSON.parse(text)
  } catch {
    return 'it is not JSON'
  }
  if (typeof row !== 'object' || row === null || Array.isArray(row)) return 'it is not a record of a key'
  try {
    // An object with whatever members; `recordOf` looks at each.
    const record = recordOf(row as Row)
    if (!ID.test(record.id)) return 'its id is not the id of a key'
    return digestMistake(record) ?? networksMistake(record) ?? record
  } catch (error) {
    if (error instanceof KeyStoreUnavailable) return error.message.replace('the key store has an unreadable', 'it has no readable')
    if (error instanceof SyntaxError) return 'it has an unreadable list'
    throw error
  }
}
