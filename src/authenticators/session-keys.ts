import { createHash, hkdfSync } from 'node:crypto'

/** NextAuth v4 and Auth.js v5 derive different keys from the same secret. */
export type SessionVersion = 'v4' | 'v5'

export type SessionEncryption = 'A256GCM' | 'A256CBC-HS512'

/** A key that may have sealed a session cookie. */
export interface SessionKey {
  readonly encryption: SessionEncryption
  readonly key: Uint8Array
  /** RFC 7638 thumbprint; v5 and better-auth name it in the header, v4 does not. */
  readonly kid: string
}

interface Derivation { readonly secret: string; readonly salt: string; readonly info: string; readonly encryption: SessionEncryption; readonly thumbprint: 'sha256' | 'sha512' }

function derive({ secret, salt, info, encryption, thumbprint }: Derivation): SessionKey {
  const key = new Uint8Array(hkdfSync('sha256', secret, salt, info, encryption === 'A256GCM' ? 32 : 64))
  // RFC 7638 section 3.2: the required members of an `oct` key in lexicographic order, without spaces.
  const members = JSON.stringify({ k: Buffer.from(key).toString('base64url'), kty: 'oct' })
  return { encryption, key, kid: createHash(thumbprint).update(members).digest('base64url') }
}

/** NextAuth v4 does not salt: its key is the same for every cookie name, so the name alone says what the cookie is for. */
const v4 = (secret: string): readonly SessionKey[] => [
  derive({ secret, salt: '', info: 'NextAuth.js Generated Encryption Key', encryption: 'A256GCM', thumbprint: 'sha256' }),
]

/** Auth.js v5 salts with the cookie name, so the `__Secure-` twin and the state cookie have other keys. */
const v5 = (secret: string, cookie: string): readonly SessionKey[] => {
  const common = { secret, salt: cookie, info: `Auth.js Generated Encryption Key (${cookie})` }
  return [
    derive({ ...common, encryption: 'A256CBC-HS512', thumbprint: 'sha512' }),
    derive({ ...common, encryption: 'A256GCM', thumbprint: 'sha256' }),
  ]
}

/** Keys that may have sealed the cookie of this name, newest secret first. Slow (HKDF): derive once. */
export function sessionKeys({ secrets, versions, cookie }: {
  readonly secrets: readonly string[]
  readonly versions: readonly SessionVersion[]
  readonly cookie: string
}): readonly SessionKey[] {
  return secrets.flatMap((secret) => versions.flatMap((version) => (version === 'v4' ? v4(secret) : v5(secret, cookie))))
}

/** Keys of better-auth's encrypted cookie cache (`cookieCache.strategy: "jwe"`). */
export function betterAuthCacheKeys(secrets: readonly string[]): readonly SessionKey[] {
  return secrets.map((secret) => derive({ secret, salt: 'better-auth-session', info: 'BetterAuth.js Generated Encryption Key', encryption: 'A256CBC-HS512', thumbprint: 'sha256' }))
}
