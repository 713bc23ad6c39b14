import { createSecretKey, randomBytes } from 'node:crypto'
import { EncryptJWT, SignJWT } from 'jose'
import { sessionKeys } from '../../authenticators/session-keys.ts'
import type { EpochMs } from '../../base/time.ts'
import type { Authorities } from './authorities.ts'
import type { SessionIssuer, TokenIssuer } from './facts.ts'
import type { LocalKeys } from './local-keys.ts'
import type { SessionSpec, TokenSpec } from './table-schema.ts'

/** The subject of what does not name one. */
export const SOMEBODY = 'policy-test'

const seconds = (at: EpochMs): number => Math.floor(at / 1_000)

/** `null` takes a claim away. */
const withoutNulls = (claims: Readonly<Record<string, unknown>>): Record<string, unknown> => Object.fromEntries(Object.entries(claims).filter(([, value]) => value !== null))

/** What a good token of this issuer says, and over it what the case says. A token that is over already was good for five minutes. */
function claimsOf({ names, claims }: TokenIssuer, spec: TokenSpec, now: EpochMs): Record<string, unknown> {
  const [iss] = names
  const exp = seconds(now + spec.expires)
  return withoutNulls({ ...(iss !== undefined && { iss }), sub: SOMEBODY, iat: Math.min(seconds(now), exp - 300), exp, ...claims, ...spec.claims })
}

interface Signing { readonly algorithm: string; readonly keys: LocalKeys; readonly issuer: TokenIssuer; readonly stranger: boolean }

async function signingKey({ algorithm, keys, issuer, stranger }: Signing): Promise<{ readonly key: Parameters<SignJWT['sign']>[0]; readonly kid?: string }> {
  if (algorithm.startsWith('HS')) return { key: createSecretKey(stranger ? randomBytes(32) : Buffer.from(issuer.secret ?? '')) }
  const { privateKey, kid } = await (stranger ? keys.stranger : keys.issuer)(algorithm)
  return { key: privateKey, kid }
}

export interface MintContext { readonly keys: LocalKeys; readonly authorities: Authorities }

/** A token as its issuer would have made it at `now`: a signed one, or an opaque one that the issuer knows. */
export async function mintToken(issuer: TokenIssuer, spec: TokenSpec, { keys, authorities }: MintContext, now: EpochMs): Promise<string> {
  const claims = claimsOf(issuer, spec, now)
  const stranger = spec.signed_by === 'stranger'
  let token = randomBytes(24).toString('base64url')
  if (issuer.kind === 'jwt') {
    const algorithm = spec.algorithm ?? issuer.algorithms[0] ?? 'ES256'
    const { key, kid } = await signingKey({ algorithm, keys, issuer, stranger })
    token = await new SignJWT(claims).setProtectedHeader({ alg: algorithm, typ: issuer.typ, ...(kid !== undefined && { kid }) }).sign(key)
  }
  if (!stranger) authorities.learn(token, { claims, expiresAt: now + spec.expires })
  return token
}

/** The value of a session cookie, sealed with the secret of the config. */
export async function mintSession({ secret, family: { name, versions } }: SessionIssuer, spec: SessionSpec, now: EpochMs): Promise<string> {
  const [key] = sessionKeys({ secrets: [secret], versions, cookie: name })
  if (!key) throw new Error(`no key can be derived for the cookie ${name}`)
  const claims = withoutNulls({ sub: SOMEBODY, jti: 'policy-test', ...spec.claims })
  // NextAuth v4 names no key, and both are found by trying.
  return new EncryptJWT(claims).setProtectedHeader({ alg: 'dir', enc: key.encryption }).setIssuedAt(seconds(now)).setExpirationTime(seconds(now + spec.expires)).encrypt(key.key)
}
