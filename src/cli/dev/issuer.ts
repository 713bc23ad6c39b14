import { createServer } from 'node:http'
import { importJWK, SignJWT } from 'jose'
import { listenOnLoopback, type LoopbackServer } from './loopback.ts'
import type { DevKey } from './state.ts'

/** What a token says. */
export interface TokenRequest {
  readonly key: DevKey
  readonly issuer: string
  readonly audience: string
  readonly subject: string
  /** Lifetime; negative for one that is over. */
  readonly seconds: number
  readonly claims: Readonly<Record<string, unknown>>
}

/** Signs a token with the local key. Extra claims may overwrite the usual ones: that is how wrong tokens are made to look at. */
export async function mintToken({ key, issuer, audience, subject, seconds, claims }: TokenRequest): Promise<string> {
  const now = Math.floor(Date.now() / 1_000)
  const payload = { iss: issuer, aud: audience, sub: subject, iat: Math.min(now, now + seconds), exp: now + seconds, ...claims }
  return new SignJWT(payload).setProtectedHeader({ alg: 'ES256', kid: key.kid, typ: 'JWT' }).sign(await importJWK({ ...key }, 'ES256'))
}

/** Serves the public half of the key, as an identity provider would. */
export function startIssuer(key: DevKey): Promise<LoopbackServer> {
  const { kty, crv, x, y, kid } = key
  const body = JSON.stringify({ keys: [{ kty, crv, x, y, kid, alg: 'ES256', use: 'sig' }] })
  return listenOnLoopback(
    createServer((request, response) => {
      const known = request.url === '/jwks.json'
      response.statusCode = known ? 200 : 404
      response.setHeader('content-type', 'application/jwk-set+json').end(known ? body : undefined)
    }),
  )
}
