// Algorithms and keys of another kind (T32, T33, T42). Repeats CVE-2026-22817 and CVE-2026-22818 (hono), CVE-2023-48223 (fast-jwt),
// CVE-2026-39999 (APISIX), GHSA-5739-39v2-5754 (web-token), CVE-2022-21449 ("psychic signatures"), CVE-2017-15361 (ROCA), and the
// spellings of `none` of draft-ietf-oauth-rfc8725bis.
import { constants, createHash, createHmac, generateKeyPairSync, privateEncrypt, sign } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { base64url, createForge } from './forge.ts'
import { bearer, bytesOf, startTarget } from './target.ts'

const [ec, rsa, twin] = [createForge('ES256'), createForge('RS256'), createForge('ES256', 'twin')]
const small = generateKeyPairSync('rsa', { modulusLength: 1_024 })
const OCT = Buffer.from('q3Vx8mTz1LrW6yPn0KdHs5BfGj2Uc9Ea')
const modulus = Buffer.from(String(rsa.jwk.n), 'base64url')
const others: readonly Record<string, unknown>[] = [
  { kty: 'oct', k: OCT.toString('base64url'), kid: 'oct', alg: 'HS256', use: 'sig' }, { kty: 'oct', k: OCT.toString('base64url'), kid: 'oct-plain' },
  { ...small.publicKey.export({ format: 'jwk' }), kid: 'small', alg: 'RS256', use: 'sig' }, { kty: 'RSA', n: rsa.jwk.n, e: 'AQ', kid: 'e1', alg: 'RS256', use: 'sig' }, { ...ec.jwk, kid: 'enc', use: 'enc' }, { ...ec.jwk, kid: 'ops', key_ops: ['encrypt'] }, { ...ec.jwk, kid: 'other-alg', alg: 'ES384' },
  twin.jwk, { ...ec.jwk, kid: 'twin' }, { ...ec.jwk, kid: 'off-curve', x: ec.jwk.y, y: ec.jwk.x },
]
const { attack, issuer } = await startTarget({ publish: [ec.jwk, rsa.jwk, ...others] })

const now = Math.floor(Date.now() / 1_000)
const claims = { iss: issuer.url, aud: 'api', sub: 'root', iat: now, exp: now + 300 }
const send = (token: string) => attack(bytesOf('GET /guarded/x', [bearer(token), 'Connection: close']))
const refused = async (token: string): Promise<void> => {
  const { statuses, arrived } = await send(token)
  expect(statuses).toEqual([401])
  expect(arrived).toEqual([])
}
const unsigned = (header: object | string): string => `${base64url(header)}.${base64url(claims)}`

it('good tokens of both kinds pass, so that what follows is refused for its own sake', async () => {
  for (const token of [ec.token(claims), rsa.token(claims)]) expect((await send(token)).statuses).toEqual([200])
})

describe('an HMAC over something public', () => {
  const pem = (type: 'spki' | 'pkcs1'): string => String(rsa.publicKey.export({ type: type as 'spki', format: 'pem' }))
  const secrets: readonly (readonly [title: string, secret: string | Buffer])[] = [
    ['the PEM', pem('spki')], ['the PEM without its last line break', pem('spki').trimEnd()], ['the PEM with CRLF', pem('spki').replaceAll('\n', '\r\n')], ['the PKCS #1 PEM', pem('pkcs1')], ['the PEM without its armour', pem('spki').replaceAll(/-.*-|\n/g, '')],
    ['the DER', rsa.publicKey.export({ type: 'spki', format: 'der' })], ['the PKCS #1 DER', rsa.publicKey.export({ type: 'pkcs1', format: 'der' })], ['the JWK', JSON.stringify(rsa.jwk)], ['the bare JWK', JSON.stringify({ kty: rsa.jwk.kty, n: rsa.jwk.n, e: rsa.jwk.e })], ['the modulus', modulus], ['the modulus as text', String(rsa.jwk.n)], ['the modulus in hex', modulus.toString('hex')],
    ['the EC PEM', String(ec.publicKey.export({ type: 'spki', format: 'pem' }))], ['the EC DER', ec.publicKey.export({ type: 'spki', format: 'der' })], ['the point', Buffer.concat([Buffer.from(String(ec.jwk.x), 'base64url'), Buffer.from(String(ec.jwk.y), 'base64url')])], ['x', String(ec.jwk.x)], ['the EC JWK', JSON.stringify(ec.jwk)],
    ['nothing', ''], ['the kid', String(rsa.jwk.kid)], ['the issuer', issuer.url], ['"undefined"', 'undefined'], ['a NUL', '\0'], ['a published symmetric key', OCT],
  ]
  const HASHES = [['HS256', 'sha256'], ['HS384', 'sha384'], ['HS512', 'sha512']] as const
  it.each(secrets)('%s: 401, whatever kid it names', async (_title, secret) => {
    for (const [alg, hash] of HASHES) {
      for (const kid of alg === 'HS256' ? [rsa.jwk.kid, ec.jwk.kid, 'oct', 'oct-plain', undefined] : [rsa.jwk.kid]) {
        const input = unsigned({ alg, ...(kid === undefined ? {} : { kid }) })
        await refused(`${input}.${createHmac(hash, secret).update(input).digest('base64url')}`)
      }
    }
  })
})

describe('no signature', () => {
  const NONES: readonly unknown[] = ['none', 'None', 'NONE', 'nOnE', 'noNe', ' none', 'none ', 'none\0', '', null, undefined, false, 0, [], ['none'], {}, 'ＮＯＮＥ', 'n\u00f6ne', 'null', 'plain', 'unsecured']
  it.each(NONES.map((alg) => [alg]))('alg %j: 401, with, without and with somebody else\'s signature', async (alg) => {
    const header = alg === undefined ? { kid: ec.jwk.kid } : { alg, kid: ec.jwk.kid }
    const theirs = ec.token(claims).split('.')[2]!
    for (const end of ['.', `.${theirs}`, '.AA', '']) await refused(`${unsigned(header)}${end}`)
  })

  it.each(['ES256', 'RS256'])('%s with an empty one, or none: 401', async (alg) => {
    for (const end of ['.', '']) await refused(`${unsigned({ alg, kid: alg === 'ES256' ? ec.jwk.kid : rsa.jwk.kid })}${end}`)
  })
})

describe('a signature that is no signature', () => {
  const input = unsigned({ alg: 'ES256', kid: ec.jwk.kid })
  const good = ec.signature(input)
  const n = Buffer.from('ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551', 'hex')
  it.each([
    ['zeros', Buffer.alloc(64)], ['the order twice', Buffer.concat([n, n])], ['zero and one', Buffer.concat([Buffer.alloc(32), Buffer.alloc(32, 1)])], ['ones', Buffer.alloc(64, 255)], ['63 bytes', good.subarray(0, 63)], ['65 bytes', Buffer.concat([good, Buffer.from([0])])], ['a zero in front', Buffer.concat([Buffer.from([0]), good])], ['r alone', good.subarray(0, 32)], ['twice', Buffer.concat([good, good])],
    ['DER', Buffer.concat([Buffer.from([0x30, 0x44, 2, 32]), good.subarray(0, 32), Buffer.from([2, 32]), good.subarray(32)])], ['one bit off', Buffer.from(good.map((byte, index) => (index === 40 ? byte ^ 1 : byte)))], ['the halves swapped', Buffer.concat([good.subarray(32), good.subarray(0, 32)])], ['the one of another message', ec.signature('a.b')], ['the hash', createHash('sha256').update(input).digest()],
  ])('%s: 401', async (_title, signature) => {
    await refused(`${input}.${Buffer.from(signature).toString('base64url')}`)
  })

  it('a changed header, payload or issuer: 401', async () => {
    const [header, payload, signature] = ec.token(claims).split('.')
    await refused(`${header}.${base64url({ ...claims, sub: 'admin' })}.${signature}`)
    await refused(`${base64url({ alg: 'ES256', kid: ec.jwk.kid, typ: 'JWT' })}.${payload}.${signature}`)
    await refused(`${header}.${payload}.${rsa.token(claims).split('.')[2]}`)
  })
})

describe('another algorithm than the key is for', () => {
  it.each(['es256', 'Es256', 'ES256 ', 'ES256\0', 'ES384', 'ES512', 'ES256K', 'EdDSA', 'Ed25519', 'RS256', 'PS256', 'RS1', 'RSA1_5', 'RSA-OAEP', 'dir', 'A128KW', 'PBES2-HS256+A128KW', 'ECDH-ES', 'SHA256withECDSA', 'ECDSA', 'http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256'])('%j over the EC key: 401', async (alg) => {
    await refused(ec.token(claims, { alg, kid: ec.jwk.kid }))
  })

  it.each(['PS256', 'RS384', 'RS512', 'RS1', 'ES256', 'rs256', 'MD5withRSA'])('%s over the RSA key: 401', async (alg) => {
    await refused(rsa.token(claims, { alg, kid: rsa.jwk.kid }))
  })

  it('a signature with the right key under the kid of the other: 401', async () => {
    await refused(ec.token(claims, { alg: 'ES256', kid: rsa.jwk.kid }))
    await refused(rsa.token(claims, { alg: 'RS256', kid: ec.jwk.kid }))
    await refused(ec.token(claims, { alg: 'RS256', kid: rsa.jwk.kid }))
  })
})

describe('a published key that must not be used', () => {
  it.each(['enc', 'ops', 'other-alg', 'twin', 'off-curve'])('%s: 401 for what it signed', async (kid) => {
    await refused(ec.token(claims, { alg: 'ES256', kid }))
  })

  it('both of two with one kid: 401', async () => {
    await refused(twin.token(claims))
  })

  it('RSA of 1,024 bits: 401', async () => {
    const input = unsigned({ alg: 'RS256', kid: 'small' })
    await refused(`${input}.${sign('sha256', Buffer.from(input), small.privateKey).toString('base64url')}`)
  })

  it('RSA with the exponent 1, for which anybody can sign: 401', async () => {
    const input = unsigned({ alg: 'RS256', kid: 'e1' })
    const info = Buffer.concat([Buffer.from('3031300d060960864801650304020105000420', 'hex'), createHash('sha256').update(input).digest()])
    const padded = Buffer.concat([Buffer.from([0, 1]), Buffer.alloc(modulus.length - info.length - 3, 255), Buffer.from([0]), info])
    await refused(`${input}.${padded.toString('base64url')}`)
    // The same by the library's padding, which no verifier should tell from the above.
    await refused(`${input}.${privateEncrypt({ key: small.privateKey, padding: constants.RSA_PKCS1_PADDING }, info).toString('base64url')}`)
  })
})
