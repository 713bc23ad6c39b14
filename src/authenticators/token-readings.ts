import { LRUCache } from 'lru-cache'
import type { Credential, Reading } from '../model/credential.ts'
import { digestOf } from './credential-digest.ts'

/** Enough for those that come again and again while several authenticators share a carrier; strangers can only push out each other's. */
const MAX_ENTRIES = 4_096
/** What strangers can make this hold, all together, in characters of tokens. */
const MAX_CHARACTERS = 8_388_608
/** What an entry weighs besides. */
const OVERHEAD = 512

/**
 * What tokens say of themselves, by SHA-256, so that no secret is a map key. One memory for all authenticators: a reading follows from the
 * text alone, nobody believes anything by it, and what is forgotten is read again once for all of them.
 */
const memory = new LRUCache<string, Reading>({ max: MAX_ENTRIES, maxSize: MAX_CHARACTERS })

/** What the credential says of itself, if somebody was asked about it before and it was not theirs. */
export const knownReading = (credential: Credential): Reading | undefined => (credential.reading ??= memory.get(digestOf(credential)))

/** For whoever is asked next about this credential. A fault is not kept longer: a token that nobody can read does not come back for good. */
export function keepReading<R extends Reading>(credential: Credential, reading: R): R {
  credential.reading = reading
  if (reading.kind === 'claims') memory.set(digestOf(credential), reading, { size: OVERHEAD + credential.value.length })
  return reading
}
