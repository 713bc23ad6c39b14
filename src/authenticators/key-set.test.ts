import { generateKeyPairSync } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { readKeySet, removedKids } from './key-set.ts'

const ec = { ...generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey.export({ format: 'jwk' }), kid: 'ec' }
const rsa = { ...generateKeyPairSync('rsa', { modulusLength: 2_048 }).publicKey.export({ format: 'jwk' }), kid: 'rsa' }
const okp = { ...generateKeyPairSync('ed25519').publicKey.export({ format: 'jwk' }), kid: 'okp' }
const short = { ...generateKeyPairSync('rsa', { modulusLength: 1_024 }).publicKey.export({ format: 'jwk' }), kid: 'short' }
const x25519 = { ...generateKeyPairSync('x25519').publicKey.export({ format: 'jwk' }), kid: 'x' }
const secp = { ...generateKeyPairSync('ec', { namedCurve: 'secp256k1' }).publicKey.export({ format: 'jwk' }), kid: 'secp' }
const leaked = { ...generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ format: 'jwk' }), kid: 'leaked' }

/** Primes of the form k·M + 65537^a mod M, as the broken generator makes them: the product of such residues is one again. */
function rocaModulus(): string {
  const primorial = [3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83, 89, 97, 101, 103, 107, 109, 113, 127, 131, 137, 139, 149, 151, 157, 163, 167].reduce((product, prime) => product * BigInt(prime), 1n)
  const modulus = 65_537n ** 5n + primorial * ((1n << 2_047n) / primorial + 2n)
  return Buffer.from(modulus.toString(16).padStart(512, '0'), 'hex').toString('base64url')
}

const dropped = (...keys: readonly unknown[]): readonly string[] => readKeySet({ keys }).dropped.map(({ why }) => why)

describe('a key set', () => {
  it('takes EC, RSA and Ed25519 keys', () => {
    const set = readKeySet({ keys: [ec, rsa, okp, { ...ec, kid: 'with', use: 'sig', key_ops: ['verify'], alg: 'ES256' }] })
    expect([set.size, set.dropped]).toEqual([4, []])
  })

  it.each([
    ['a key of a type that every object has', { kty: '__proto__', kid: 'p' }, 'not a public signature key'],
    ['a key of a type that every object has too', { kty: 'constructor', kid: 'c' }, 'not a public signature key'],
    ['a symmetric key', { kty: 'oct', k: 'c2VjcmV0', kid: 'hs' }, 'not a public signature key'],
    ['a private key', leaked, 'private members are published'],
    ['RSA of 1024 bits', short, 'RSA key of 1024 bits'],
    ['RSA padded with zeros', { ...short, n: Buffer.concat([Buffer.alloc(128), Buffer.from(short.n ?? '', 'base64url')]).toString('base64url') }, 'RSA key of 1024 bits'],
    ['RSA with e = 1', { ...rsa, e: 'AQ' }, 'RSA key with a bad exponent'],
    ['RSA with an even e', { ...rsa, e: 'BA' }, 'RSA key with a bad exponent'],
    ['RSA with the ROCA fingerprint', { ...rsa, n: rocaModulus() }, 'RSA key with the ROCA weakness (CVE-2017-15361)'],
    ['RSA without a modulus', { kty: 'RSA', e: 'AQAB' }, 'RSA key without n and e'],
    ['an encryption key', { ...rsa, use: 'enc' }, 'use is not sig'],
    ['a key for signing only', { ...ec, key_ops: ['sign'] }, 'key_ops without verify'],
    ['key_ops that are no list', { ...ec, key_ops: 'verify' }, 'key_ops without verify'],
    ['a key for another algorithm', { ...rsa, alg: 'ES256' }, 'alg does not fit the key'],
    ['a key for encryption algorithms', { ...rsa, alg: 'RSA-OAEP' }, 'alg does not fit the key'],
    ['a key for HMAC', { ...rsa, alg: 'HS256' }, 'alg does not fit the key'],
    ['an X25519 key', x25519, 'unsupported curve'],
    ['a secp256k1 key', secp, 'unsupported curve'],
    ['a point that is not on its curve', { ...ec, y: ec.x }, 'not a valid key'],
    ['a kid that is a number', { ...ec, kid: 1 }, 'kid is not a text of at most 256 characters'],
    ['an overlong kid', { ...ec, kid: 'k'.repeat(257) }, 'kid is not a text of at most 256 characters'],
    ['a text', 'key', 'not an object'],
    ['null', null, 'not an object'],
  ])('drops %s', (_title, key, why) => {
    expect(dropped(key, okp)).toEqual([why])
    expect(readKeySet({ keys: [key, okp] }).size).toBe(1)
  })

  it('drops both of two keys with one kid', () => {
    const set = readKeySet({ keys: [ec, { ...rsa, kid: 'ec' }, okp] })
    expect([set.size, [...set.thumbprints.keys()]]).toEqual([1, ['okp']])
  })

  it('is valid when it is empty', () => {
    expect(readKeySet({ keys: [] }).size).toBe(0)
  })

  it.each([[null], ['<html>'], [[]], [{}], [{ keys: {} }], [{ keys: 'x' }], [{ keys: Array.from({ length: 51 }, () => ec) }]])('is not %j', (document) => {
    expect(() => readKeySet(document)).toThrow('JWK set')
  })

  it('knows which keys went away, or became another key under the same kid', () => {
    const before = readKeySet({ keys: [ec, rsa, okp] })
    expect(removedKids(before, readKeySet({ keys: [ec, { ...okp, x: generateKeyPairSync('ed25519').publicKey.export({ format: 'jwk' }).x }] }))).toEqual(['rsa', 'okp'])
    expect(removedKids(undefined, before)).toEqual([])
  })
})
