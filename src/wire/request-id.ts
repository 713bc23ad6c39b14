import { randomFillSync } from 'node:crypto'
import type { HeaderMap } from '../model/request.ts'

const REQUEST_ID = /^[A-Za-z0-9._-]{1,128}$/

/** A UUID of version 4 (RFC 9562 section 5.4): `x` is any digit, `y` one of 8, 9, a and b. */
const LAYOUT = 'xxxxxxxx-xxxx-4xxx-yxxx-xxxxxxxxxxxx'

/** What may stand at each place, sixteen times: each digit of a random byte's lower half chooses one. */
const CHOICES = Buffer.from([...LAYOUT].map((place) => (place === 'x' ? '0123456789abcdef' : place === 'y' ? '89ab89ab89ab89ab' : place.repeat(16))).join(''))

/** Ids made in advance, as one text: one by one they leave half a kilobyte each behind, and are put together again where they are written. Few enough that an id which is kept, and all of them with it, takes no room. */
const AT_ONCE = 64
const bytes = Buffer.alloc(AT_ONCE * LAYOUT.length)
let pool = ''
let used = 0

function fill(): void {
  randomFillSync(bytes)
  for (let index = 0; index < bytes.length; index += 1) {
    bytes[index] = CHOICES[((index % LAYOUT.length) << 4) | ((bytes[index] ?? 0) & 15)] ?? 0
  }
  pool = bytes.toString('latin1')
  used = 0
}

/** A new id: a random UUID. */
export function createRequestId(): string {
  if (used === pool.length) fill()
  used += LAYOUT.length
  return pool.slice(used - LAYOUT.length, used)
}

/** An id for this request: a trusted proxy's, when it is short and harmless, or a new one. */
export function requestIdOf(headers: HeaderMap, trusted: boolean): string {
  const lines = trusted ? headers.get('x-request-id') : undefined
  const [id = ''] = lines ?? []
  return lines?.length === 1 && REQUEST_ID.test(id) ? id : createRequestId()
}
