import type { OwnedHeaders } from '../model/gateway.ts'
import { foldedName, HOP_BY_HOP, isOwned } from './headers.ts'

/** All that is known of a field from its name alone. */
export interface HeaderKind {
  readonly lower: string
  readonly folded: string
  /** The identity header that this is, or is an alias of. */
  readonly identity: string | undefined
  /** Never copied from a client to the upstream: owned, of one hop only, or written anew. */
  readonly stripped: boolean
  /** An alias of a credential header: `X_API_Key`. */
  readonly credentialAlias: boolean
  /** Has `_` or `.`, which some upstreams read as `-`. */
  readonly separated: boolean
  /** WebSocket handshake field; without an upgrade it has no meaning. */
  readonly handshake: boolean
}

/** Fields that are always made here, never copied: framing, `Host`, `Expect` (T4) and what travels under a verified value. */
const WRITTEN_ANEW: ReadonlySet<string> = new Set(['host', 'content-length', 'expect', 'x-request-id'])

/** Names longer than this, and more names than this, are classified each time: a client must not be able to fill the memory. */
const MEMO_NAME_LENGTH = 64
const MEMO_NAMES = 1_024

function kindOf(owned: OwnedHeaders, name: string): HeaderKind {
  const lower = name.toLowerCase()
  const folded = foldedName(name)
  const stripped = isOwned(owned, name) || HOP_BY_HOP.has(folded) || WRITTEN_ANEW.has(folded) || folded.startsWith('proxy-')
  return {
    lower,
    folded,
    identity: owned.identity.has(folded) ? folded : undefined,
    stripped,
    // An alias of an identity header is removed like the header itself, also where a service may assert a user in it.
    credentialAlias: !owned.credentials.has(lower) && owned.credentials.has(folded) && !owned.identity.has(folded),
    separated: lower.includes('_') || lower.includes('.'),
    handshake: folded.startsWith('sec-websocket-'),
  }
}

function createKinds(owned: OwnedHeaders): (name: string) => HeaderKind {
  const memo = new Map<string, HeaderKind>()
  return (name) => {
    const known = memo.get(name)
    if (known) return known
    const kind = kindOf(owned, name)
    if (memo.size >= MEMO_NAMES) memo.clear()
    if (name.length <= MEMO_NAME_LENGTH) memo.set(name, kind)
    return kind
  }
}

const kindsByOwner = new WeakMap<OwnedHeaders, (name: string) => HeaderKind>()

/** Classifies names under one config; remembers the common ones, because every request repeats the same twenty. */
export function headerKinds(owned: OwnedHeaders): (name: string) => HeaderKind {
  const known = kindsByOwner.get(owned)
  if (known) return known
  const made = createKinds(owned)
  kindsByOwner.set(owned, made)
  return made
}
