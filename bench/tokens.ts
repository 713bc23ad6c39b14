import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** An issuer on paper: tokens, and the key that verifies them in every form that somebody wants it in. */
export interface Issued {
  /** One token that everybody shows again and again. */
  readonly token: string
  /** File of the key set. */
  readonly jwks: string
  /** The key set itself. */
  readonly jwksText: string
  /** File of the public key, PEM. */
  readonly pem: string
  /** Another token each time: none was seen before. */
  readonly mint: () => string
  /** The same for peers that take RS256 alone, which is cheaper to verify. */
  readonly rs256: { readonly token: string; readonly pem: string }
}

export const ISSUER = 'https://idp.example'
export const AUDIENCE = 'bench'

/** How long tokens are good for, seconds. */
const LIFETIME = 7_200
/** Subjects of minted tokens. */
const SUBJECTS = 1_000

const encode = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url')

type Claims = Readonly<Record<string, unknown>>

/** Signs claims that everybody believes who believes the key. */
function signerOf(alg: 'ES256' | 'RS256', key: KeyObject): (claims: Claims) => string {
  const head = encode({ alg, kid: 'bench', typ: 'JWT' })
  const now = Math.floor(Date.now() / 1000)
  return (claims) => {
    const body = `${head}.${encode({ iss: ISSUER, aud: AUDIENCE, iat: now, exp: now + LIFETIME, scope: 'read write', ...claims })}`
    return `${body}.${sign('sha256', Buffer.from(body), { key, dsaEncoding: 'ieee-p1363' }).toString('base64url')}`
  }
}

function writePem(directory: string, name: string, key: KeyObject): string {
  const file = join(directory, name)
  writeFileSync(file, key.export({ type: 'spki', format: 'pem' }))
  return file
}

/** Makes keys and writes what verifies them into the folder. */
export function issue(directory: string): Issued {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const rsa = generateKeyPairSync('rsa', { modulusLength: 2_048 })
  const signed = signerOf('ES256', privateKey)
  const jwks = join(directory, 'jwks.json')
  const jwksText = JSON.stringify({ keys: [{ ...publicKey.export({ format: 'jwk' }), kid: 'bench', alg: 'ES256', use: 'sig' }] })
  writeFileSync(jwks, jwksText)
  let minted = 0
  return {
    token: signed({ sub: 'user-1' }),
    jwks,
    jwksText,
    pem: writePem(directory, 'issuer.pem', publicKey),
    mint: () => signed({ sub: `user-${minted % SUBJECTS}`, jti: String((minted += 1)) }),
    rs256: { token: signerOf('RS256', rsa.privateKey)({ sub: 'user-1' }), pem: writePem(directory, 'issuer-rsa.pem', rsa.publicKey) },
  }
}
