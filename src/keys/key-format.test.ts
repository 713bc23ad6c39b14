import { assert, nat, property } from 'fast-check'
import { describe, expect, it } from 'vitest'
import { base62Of, BASE62, checksumOf, displayOf, generateKey, KEY_SCANNER_PATTERN, labelOf, newKeyId, parseKey, PREFIX_PATTERN, randomBase62, scannerPattern } from './key-format.ts'

describe('a key', () => {
  it('is prefix, 43 base62 digits and six of CRC-32', () => {
    expect(generateKey('acme_live')).toMatch(/^acme_live_[0-9A-Za-z]{49}$/)
  })

  it('parses into what it was made of', () => {
    const key = generateKey('xen_pat')
    const parts = parseKey(key)
    expect(parts?.prefix).toBe('xen_pat')
    expect(`${parts?.prefix}_${parts?.secret}${parts?.checksum}`).toBe(key)
  })

  it('is never made twice', () => {
    expect(new Set(Array.from({ length: 1_000 }, () => generateKey('a'))).size).toBe(1_000)
  })

  it('uses every digit about equally often', () => {
    const counts = new Map<string, number>()
    for (const digit of randomBase62(62_000)) counts.set(digit, (counts.get(digit) ?? 0) + 1)
    const chiSquare = [...BASE62].reduce((sum, digit) => sum + ((counts.get(digit) ?? 0) - 1_000) ** 2 / 1_000, 0)
    // 61 degrees of freedom: a value above 150 happens less than once in a billion runs.
    expect(chiSquare).toBeLessThan(150)
  })

  it.each([
    ['one changed digit', (key: string) => `${key.slice(0, 12)}${key[12] === 'x' ? 'y' : 'x'}${key.slice(13)}`],
    ['two digits swapped', (key: string) => { const at = [...key].findIndex((digit, index) => index > 10 && digit !== key[index + 1]); return `${key.slice(0, at)}${key[at + 1]}${key[at]}${key.slice(at + 2)}` }],
    ['a missing digit', (key: string) => key.slice(0, -1)],
    ['an extra digit', (key: string) => `${key}0`],
    ['a blank behind it', (key: string) => `${key} `],
    ['another case of the prefix', (key: string) => key.replace('acme', 'Acme')],
    ['no prefix', (key: string) => key.slice(5)],
    ['a very long value', (key: string) => `a${'_a'.repeat(10_000)}_${key}`],
  ])('is refused with %s', (_name, change) => {
    const key = generateKey('acme')
    expect(parseKey(key)).toBeDefined()
    expect(parseKey(change(key))).toBeUndefined()
  })

  it('is found by the documented scanner patterns and by nothing shorter', () => {
    const key = generateKey('acme_live')
    const text = `curl -H "X-API-Key: ${key}"`
    expect(new RegExp(KEY_SCANNER_PATTERN).exec(text)?.[0]).toBe(key)
    expect(new RegExp(scannerPattern('acme_live')).exec(text)?.[0]).toBe(key)
    expect(new RegExp(scannerPattern('acme_test')).test(text)).toBe(false)
    expect(new RegExp(KEY_SCANNER_PATTERN).test(`"${key.slice(0, -1)}"`)).toBe(false)
  })
})

describe('the checksum', () => {
  it.each([['123456789', 0xcbf43926], ['', 0]])('of %j is its CRC-32, zero-padded', (text, crc) => {
    const bytes = Buffer.alloc(4)
    bytes.writeUInt32BE(crc)
    expect(checksumOf(text)).toBe(base62Of(bytes, 6))
    expect(checksumOf(text)).toHaveLength(6)
  })

  it('of the largest CRC is 4gfFC3', () => {
    expect(base62Of(Uint8Array.of(255, 255, 255, 255), 6)).toBe('4gfFC3')
  })

  it('fits no other secret that differs in one digit', () => {
    assert(property(nat(42), nat(61), (position, digit) => {
      const secret = randomBase62(43)
      const other = `${secret.slice(0, position)}${BASE62[digit]}${secret.slice(position + 1)}`
      return other === secret || checksumOf(other) !== checksumOf(secret)
    }))
  })
})

describe('what is shown of a key', () => {
  it('is its prefix and last four digits', () => {
    const key = generateKey('acme_live')
    expect(displayOf(labelOf(key))).toBe(`acme_live_…${key.slice(-4)}`)
  })

  it('is nothing when the key is so short that four digits would tell much of it', () => {
    expect(displayOf(labelOf('client-key-1'))).toBe('…')
  })

  it('has an id that says nothing of the key', () => {
    expect(newKeyId()).toMatch(/^key_[0-9A-Za-z]{16}$/)
  })
})

describe('a prefix', () => {
  it.each(['a', 'acme', 'sk_live', 'xen_pat', 'a1_b2'])('may be %j', (prefix) => expect(prefix).toMatch(PREFIX_PATTERN))
  it.each(['', 'A', '_a', 'a_', 'a__b', '1a', 'a-b', 'a b', 'a'.repeat(33)])('may not be %j', (prefix) => expect(prefix).not.toMatch(PREFIX_PATTERN))
})
