import type { Reply } from '../../model/decision.ts'
import type { Denial } from '../../model/denial.ts'
import type { HeaderMap } from '../../model/request.ts'
import type { ClientAddress } from '../../wire/client-address.ts'
import type { Asked } from '../../wire/forwarded-request.ts'
import type { IncomingLines } from '../../wire/incoming.ts'
import { ambiguous } from '../../wire/refusal.ts'

type Fields = readonly (readonly [name: string, value: string])[]

/** What is said to a caller that may let a request pass. */
export interface Passage {
  /** Fields for the upstream. Every identity header is among them, empty where nobody is known. */
  readonly fields: Fields
  /** Credential headers that callers replace by what is here: the value that the upstream may have, or nothing. */
  readonly credentials: Fields
  /** Fields for the client, where the caller can pass them on. */
  readonly client: Fields
  /** Fields that the upstream must not get; lower-case. */
  readonly remove: readonly string[]
}

/** How one kind of caller asks, and what it understands. Which one asks is said by the path it asks at and by nothing else. */
export interface Dialect {
  readonly id: 'forward' | 'nginx' | 'envoy'
  /** Headers that this caller writes itself; folded names. */
  readonly own: ReadonlySet<string>
  /** The request that it is about. What the caller should have said and did not is refused. */
  readonly askedOf: (message: IncomingLines, headers: HeaderMap, address: ClientAddress) => Asked | Denial
  readonly allow: (passage: Passage) => Reply
  /** Bends a refusal to what this caller can carry to the client. */
  readonly refuse: (reply: Reply) => Reply
}

/** The one value of a field that a caller has to write. */
export function oneOf(headers: HeaderMap, name: string): string | Denial {
  const lines = headers.get(name)
  if (lines === undefined) return ambiguous(name, 'the forwarder did not send it')
  const [value] = lines
  return lines.length === 1 && value !== undefined && value !== '' ? value : ambiguous(name, 'expected exactly one value')
}

/**
 * Exactly 200 (Envoy, Istio and the Gateway API take no other 2xx), without a body, and with nothing that a caller which copies every
 * field into the request could do harm with.
 */
export const passage = (fields: Fields): Reply => ({ status: 200, headers: fields, body: '' })
