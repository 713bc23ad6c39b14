import type { IncomingMessage } from 'node:http'
import { digestsEqual, sha256 } from '../../base/bytes.ts'
import type { Gateway, WireSettings } from '../../model/gateway.ts'
import { canonicalIp } from '../../base/cidr.ts'
import { type TrustSettings, UNIX_PEER } from '../../wire/client-address.ts'

/** The header in which a caller shows the shared secret. */
export const SECRET_HEADER = 'x-postern-secret'

/** Who asks, and over what. */
export interface Caller {
  readonly peer: string | undefined
  /** The listener is there for checks alone: whoever may open its socket file may ask. */
  readonly dedicated: boolean
}

function secretsOf({ rawHeaders }: Pick<IncomingMessage, 'rawHeaders'>): string[] {
  const found: string[] = []
  for (let index = 0; index + 1 < rawHeaders.length; index += 2) {
    if (rawHeaders[index]?.length === SECRET_HEADER.length && rawHeaders[index]?.toLowerCase() === SECRET_HEADER) found.push(rawHeaders[index + 1] ?? '')
  }
  return found
}

/** Exactly one, and the right one. Every configured secret is compared, whichever fits. */
function showsSecret(message: Pick<IncomingMessage, 'rawHeaders'>, digests: readonly Uint8Array[]): boolean {
  const [secret, ...more] = secretsOf(message)
  if (secret === undefined || more.length > 0) return false
  const shown = sha256(secret)
  return digests.filter((digest) => digestsEqual(digest, shown)).length > 0
}

/**
 * Whom to believe about the client, or undefined when this caller may not ask at all (T23): with a secret configured it must be
 * shown; without one, the caller must be a trusted proxy or come over a socket file of our own.
 */
export function trustIn(message: Pick<IncomingMessage, 'rawHeaders'>, { peer, dedicated }: Caller, { wire, forwardAuth }: Gateway): TrustSettings | undefined {
  const { trustedProxies, clientIpHeaders } = wire
  const digests = forwardAuth?.secretDigests ?? []
  if (digests.length > 0 && !showsSecret(message, digests)) return undefined
  if (peer === UNIX_PEER) {
    const trusted = digests.length > 0 || dedicated || trustedProxies.entries.includes(UNIX_PEER)
    return trusted ? vouching(wire, UNIX_PEER, () => ({ clientIpHeaders, trustedProxies: { contains: trustedProxies.contains, entries: [...trustedProxies.entries, UNIX_PEER] } })) : undefined
  }
  const ip = canonicalIp(peer ?? '')
  if (ip === undefined) return undefined
  if (trustedProxies.contains(ip)) return wire
  // The secret vouches for its caller, and for nobody behind it.
  return digests.length > 0 ? vouching(wire, ip, () => ({ clientIpHeaders, trustedProxies: { entries: trustedProxies.entries, contains: (hop) => hop === ip || trustedProxies.contains(hop) } })) : undefined
}

interface Vouched { readonly ip: string; readonly trust: TrustSettings }

/** For whom was vouched last, under each settings: callers are few, and one and the same trust is how what was found out under it is known again. */
const vouched = new WeakMap<WireSettings, Vouched>()

function vouching(wire: WireSettings, ip: string, make: () => TrustSettings): TrustSettings {
  const known = vouched.get(wire)
  if (known?.ip === ip) return known.trust
  const trust = make()
  vouched.set(wire, { ip, trust })
  return trust
}
