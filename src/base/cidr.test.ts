import { describe, expect, it } from 'vitest'
import { canonicalIp, createCidrSet, partitionOfIp } from './cidr.ts'

describe('canonicalIp', () => {
  it.each([
    ['127.0.0.1', '127.0.0.1'],
    ['::ffff:7f00:1', '127.0.0.1'],
    ['0:0:0:0:0:ffff:127.0.0.1', '127.0.0.1'],
    ['::FFFF:127.0.0.1', '127.0.0.1'],
    ['::1', '0:0:0:0:0:0:0:1'],
    ['2001:DB8::1', '2001:db8:0:0:0:0:0:1'],
    ['::127.0.0.1', '0:0:0:0:0:0:7f00:1'],
    ['2001:db8::', '2001:db8:0:0:0:0:0:0'],
  ])('gives %s the one spelling %s', (text, canonical) => {
    expect(canonicalIp(text)).toBe(canonical)
  })

  it.each(['', 'a', 'unknown', '0177.0.0.1', '0x7f.1', '2130706433', '127.1', '192.168.257', '1.2.3.4.', '256.1.1.1', '127.0.0.1:80', '[::1]', '[::1]:80', 'fe80::1%lo', ' 1.2.3.4'])(
    'has no spelling for %j',
    (text) => {
      expect(canonicalIp(text)).toBeUndefined()
    },
  )
})

describe('partitionOfIp', () => {
  it('counts every address of one IPv6 /64 together and IPv4 addresses apart', () => {
    const of = (ip: string): string => partitionOfIp(canonicalIp(ip) ?? 'never')
    expect(of('2001:db8:1:2::1')).toBe(of('2001:db8:1:2:ffff::9'))
    expect(of('2001:db8:1:2::1')).not.toBe(of('2001:db8:1:3::1'))
    expect(of('::ffff:1.2.3.4')).toBe('1.2.3.4')
    expect(of('1.2.3.4')).not.toBe(of('1.2.3.5'))
  })
})

describe('createCidrSet', () => {
  it.each([
    ['10.0.0.0/8', '10.255.0.1', true],
    ['10.0.0.0/8', '11.0.0.1', false],
    ['10.0.0.50', '10.0.0.50', true],
    ['10.0.0.50', '10.0.0.51', false],
    ['::ffff:10.0.0.0/104', '10.1.2.3', true],
    ['::ffff:10.0.0.0/104', '11.1.2.3', false],
    ['::ffff:10.0.0.9', '10.0.0.9', true],
    ['2001:db8::/32', '2001:db8:5:0:0:0:0:1', true],
    ['2001:db8::/32', '10.0.0.1', false],
    ['0.0.0.0/0', '9.9.9.9', true],
    // Node's list finds every IPv4 address in these, as an IPv4-mapped one.
    ['::/0', '9.9.9.9', false],
    ['::/64', '10.0.0.1', false],
    ['::/0', '0:0:0:0:0:0:0:1', true],
    ['0.0.0.0/0', '0:0:0:0:0:0:0:1', false],
    ['*', '9.9.9.9', true],
    ['*', 'not an address', false],
    ['10.0.0.0/8', '', false],
  ])('%s contains %s: %s', (network, ip, expected) => {
    expect(createCidrSet([network]).contains(ip)).toBe(expected)
  })

  it.each(['::ffff:10.0.0.0/8', '::ffff:0:0/95', '10.0.0.1/8', '010.0.0.1', '10.0.0.0/08', '10.0.0.0/33', '::/129', ' 10.0.0.0/8', '10.0.0.0/8 ', 'fe80::1%lo', '10.0.0/8', 'localhost', '', '10.0.0.0/', '10.0.0.0/8/8', '2001:db8::1/32'])(
    'refuses %j',
    (network) => {
      expect(() => createCidrSet([network])).toThrow(/network|prefix|IP/)
    },
  )
})
