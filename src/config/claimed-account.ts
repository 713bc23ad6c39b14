import { hmacSha256 } from '../base/bytes.ts'
import { looksLikeToken, readToken } from '../authenticators/token-shape.ts'
import type { Credential } from '../model/credential.ts'
import type { RequestDescription } from '../model/request.ts'
import type { AuthenticatorUse } from '../model/route.ts'

/** Longer tokens are refused by every authenticator before anybody asks whose they are. */
const LONGEST_TOKEN = 16_384

/** Spelling must give no second budget (T30). */
const folded = (name: string): string => name.normalize('NFKC').trim().toLowerCase()

/** Who a credential says it belongs to; nothing of it is verified. A key that is all secret names nobody. */
function accountOf({ value, companions }: Credential): string | undefined {
  const [asserted] = companions?.values() ?? []
  if (asserted !== undefined) return `asserted:${folded(asserted)}`
  if (!looksLikeToken(value, LONGEST_TOKEN)) return undefined
  const token = readToken(value, LONGEST_TOKEN)
  if (token.kind !== 'token' || !Object.hasOwn(token.payload, 'sub')) return undefined
  const { sub, iss } = token.payload
  return typeof sub === 'string' ? `token:${typeof iss === 'string' ? iss : ''}:${folded(sub)}` : undefined
}

/**
 * Partition of a request by the account that its first credential names. Only a keyed digest of it is kept: a name that nobody has proven
 * is not ours to store.
 */
export const claimedAccount = (uses: readonly AuthenticatorUse[], secret: Uint8Array) => (request: RequestDescription): string | undefined => {
  for (const { authenticator } of uses) {
    const found = authenticator.extract(request)
    const account = found?.kind === 'credential' ? accountOf(found) : undefined
    if (account !== undefined) return `account:${hmacSha256(secret, account).toString('base64url')}`
  }
  return undefined
}
