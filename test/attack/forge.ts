import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto'
import type { JWK } from 'jose'

export type ForgeAlgorithm = 'ES256' | 'RS256'

/** Makes tokens by hand, so that they can say what no library would let them say. */
export interface Forge {
  /** The public key as an issuer would publish it. */
  readonly jwk: JWK & { readonly kid: string }
  readonly publicKey: KeyObject
  /** Header and payload as objects, or as the very text to sign; properly signed. */
  readonly token: (payload: object | string, header?: object | string) => string
  readonly signature: (input: string) => Buffer
}

export const base64url = (value: object | string | Buffer): string => Buffer.from(typeof value === 'object' && !Buffer.isBuffer(value) ? JSON.stringify(value) : value).toString('base64url')

export function createForge(alg: ForgeAlgorithm = 'ES256', kid = `forged-${alg.toLowerCase()}`): Forge {
  const { privateKey, publicKey } = alg === 'ES256' ? generateKeyPairSync('ec', { namedCurve: 'P-256' }) : generateKeyPairSync('rsa', { modulusLength: 2_048 })
  const signature = (input: string): Buffer => sign('sha256', Buffer.from(input), { key: privateKey, dsaEncoding: 'ieee-p1363' })
  return {
    jwk: { ...(publicKey.export({ format: 'jwk' }) as JWK), kid, alg, use: 'sig' },
    publicKey,
    signature,
    token: (payload, header = { alg, kid }) => {
      const input = `${base64url(header)}.${base64url(payload)}`
      return `${input}.${signature(input).toString('base64url')}`
    },
  }
}
