import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { wireSettings } from '../../test/support/wire-settings.ts'
import { isDenial } from '../model/denial.ts'
import { type ClientAddress, clientAddressOf, type TrustSettings } from './client-address.ts'
import { headersOf } from './headers.ts'

const PROXIES = ['10.0.0.0/8', '2001:db8:ffff::/48']
const TRUST: TrustSettings = wireSettings({ trustedProxies: PROXIES })

const found = (peer: string | undefined, rawHeaders: readonly string[], trust: TrustSettings = TRUST) => clientAddressOf({ peer, headers: headersOf(rawHeaders), trust })

function address(...args: Parameters<typeof found>): ClientAddress {
  const result = found(...args)
  if (isDenial(result)) throw new Error(`refused: ${JSON.stringify(result)}`)
  return result
}

const xff = (...lines: readonly string[]): string[] => lines.flatMap((line) => ['X-Forwarded-For', line])

describe('an untrusted peer', () => {
  it.each([
    [xff('10.0.0.1')], [xff('127.0.0.1, 10.0.0.1')], [['X-Real-IP', '10.0.0.1']], [['Forwarded', 'for=10.0.0.1;proto=https;host=evil']], [['CF-Connecting-IP', '1.1.1.1']],
    [['X-Forwarded-Proto', 'https', 'X-Forwarded-Host', 'evil.example']],
  ])('is the client, whatever it claims: %j', (rawHeaders) => {
    const trust: TrustSettings = { ...TRUST, clientIpHeaders: ['x-forwarded-for', 'x-real-ip', 'forwarded'] }
    expect(address('203.0.113.9', rawHeaders, trust)).toEqual({ client: { ip: '203.0.113.9', peer: '203.0.113.9', trustedHops: 0, partition: '203.0.113.9' }, trusted: false })
  })

  it('is every peer when nobody is trusted, and that is the default', () => {
    expect(address('10.0.0.1', xff('203.0.113.9'), wireSettings()).client.ip).toBe('10.0.0.1')
    expect(address('127.0.0.1', xff('203.0.113.9'), wireSettings()).client.ip).toBe('127.0.0.1')
  })

  it('keeps one partition over a thousand claimed addresses', () => {
    const partitions = new Set(Array.from({ length: 1_000 }, (_none, index) => address('203.0.113.9', xff(`10.0.${index >> 8}.${index & 255}`)).client.partition))
    expect([...partitions]).toEqual(['203.0.113.9'])
  })
})

describe('X-Forwarded-For from a trusted peer', () => {
  it.each([
    ['no field', [], '10.0.0.5', 0],
    ['one entry', ['203.0.113.9'], '203.0.113.9', 1],
    ['a forged entry at the left', ['1.2.3.4, 203.0.113.9'], '203.0.113.9', 1],
    ['a trusted hop between', ['1.2.3.4, 203.0.113.9, 10.9.9.9'], '203.0.113.9', 2],
    ['a forged trusted entry at the left', ['10.1.1.1, 203.0.113.9'], '203.0.113.9', 1],
    ['only trusted entries', ['10.3.3.3, 10.9.9.9'], '10.3.3.3', 2],
    ['several lines, one list', ['1.2.3.4', '203.0.113.9', '10.9.9.9'], '203.0.113.9', 2],
    ['blanks around entries', ['1.2.3.4 ,\t203.0.113.9 '], '203.0.113.9', 1],
    ['an IPv4-mapped entry', ['::ffff:203.0.113.9'], '203.0.113.9', 1],
    ['a trusted hop in mapped spelling', ['203.0.113.9, ::FFFF:10.9.9.9'], '203.0.113.9', 2],
    ['an IPv6 entry', ['2001:DB8:1::1'], '2001:db8:1:0:0:0:0:1', 1],
  ])('%s', (_title, lines, ip, trustedHops) => {
    expect(address('10.0.0.5', xff(...lines)).client).toMatchObject({ ip, peer: '10.0.0.5', trustedHops })
  })

  it.each(['a', '', ' ', 'unknown', '_hidden', '127.0.0.1:80', '[::1]:80', '[::1]', 'fe80::1%lo', '0177.0.0.1', '0x7f.1', '2130706433', '127.1', '192.168.257', '1.2.3.4.', '256.1.1.1', '1.2.3.04', '203.0.113.9;', '"203.0.113.9"', 'unix', '*'])(
    'an entry %j ends the walk on the last trusted hop (CVE-2024-47070)',
    (entry) => {
      expect(address('10.0.0.5', xff(entry)).client).toMatchObject({ ip: '10.0.0.5', trustedHops: 0 })
      expect(address('10.0.0.5', xff(`203.0.113.9, ${entry}`)).client).toMatchObject({ ip: '10.0.0.5', trustedHops: 0 })
      expect(address('10.0.0.5', xff(`203.0.113.9, ${entry}, 10.9.9.9`)).client).toMatchObject({ ip: '10.9.9.9', trustedHops: 1 })
      expect(address('10.0.0.5', xff(`${entry}, 203.0.113.9`)).client).toMatchObject({ ip: '203.0.113.9', trustedHops: 1 })
    },
  )

  it('of 64 KiB is read in a moment', () => {
    expect(address('10.0.0.5', xff('10.0.0.1,'.repeat(7_000))).client.trustedHops).toBe(0)
    expect(address('10.0.0.5', xff(`203.0.113.9${',10.0.0.1'.repeat(7_000)}`)).client).toMatchObject({ ip: '203.0.113.9', trustedHops: 7_001 })
  })

  it('never lets what stands at the left move the client', () => {
    const hop = fc.ipV4().filter((ip) => !ip.startsWith('10.'))
    fc.assert(
      fc.property(fc.array(fc.string({ unit: 'binary-ascii' }), { maxLength: 5 }), hop, (claims, real) => {
        expect(address('10.0.0.5', xff(...claims, real)).client.ip).toBe(real)
        expect(address('10.0.0.5', xff([...claims, real].join(','))).client.ip).toBe(real)
      }),
    )
  })
})

describe('the peer', () => {
  it('without an address is refused', () => {
    expect(found(undefined, [])).toMatchObject({ kind: 'denial', code: 'request_ambiguous', part: 'peer' })
    expect(found('', [])).toMatchObject({ kind: 'denial' })
  })

  it.each([['::ffff:10.0.0.5', '10.0.0.5', true], ['::FFFF:7f00:1', '127.0.0.1', false], ['fe80::1%eth0', 'fe80:0:0:0:0:0:0:1', false], ['::1', '0:0:0:0:0:0:0:1', false]])('%s is %s, trusted: %s', (peer, ip, trusted) => {
    expect(address(peer, [])).toMatchObject({ client: { ip }, trusted })
  })

  it('counts an IPv6 client by its /64', () => {
    expect(address('2001:db8:1:2:3::4', []).client.partition).toBe(address('2001:db8:1:2:ffff::9', []).client.partition)
  })

  it('of a unix socket is believed only when the list says unix', () => {
    expect(address('unix', xff('203.0.113.9'))).toMatchObject({ client: { ip: 'unix', partition: 'unix', trustedHops: 0 }, trusted: false })
    expect(address('unix', xff('203.0.113.9'), wireSettings({ trustedProxies: ['*'] }))).toMatchObject({ client: { ip: 'unix' }, trusted: false })
    expect(address('unix', xff('203.0.113.9'), wireSettings({ trustedProxies: ['unix'] }))).toMatchObject({ client: { ip: '203.0.113.9', peer: 'unix', trustedHops: 1 }, trusted: true })
  })
})

describe('X-Real-IP', () => {
  const trust: TrustSettings = { ...TRUST, clientIpHeaders: ['x-real-ip', 'x-forwarded-for'] }

  it('is read only when configured', () => {
    expect(address('10.0.0.5', ['X-Real-IP', '203.0.113.9']).client.ip).toBe('10.0.0.5')
    expect(address('10.0.0.5', ['X-Real-IP', '203.0.113.9'], trust).client).toMatchObject({ ip: '203.0.113.9', trustedHops: 1 })
  })

  it('comes before what is configured behind it, readable or not', () => {
    expect(address('10.0.0.5', ['X-Real-IP', '203.0.113.9', ...xff('198.51.100.1')], trust).client.ip).toBe('203.0.113.9')
    expect(address('10.0.0.5', ['X-Real-IP', 'nonsense', ...xff('198.51.100.1')], trust).client.ip).toBe('10.0.0.5')
    expect(address('10.0.0.5', xff('198.51.100.1'), trust).client.ip).toBe('198.51.100.1')
  })

  it('said twice, or as a list, names nobody', () => {
    expect(address('10.0.0.5', ['X-Real-IP', '203.0.113.9', 'x-real-ip', '203.0.113.9'], trust).client.ip).toBe('10.0.0.5')
    expect(address('10.0.0.5', ['X-Real-IP', '203.0.113.9, 203.0.113.9'], trust).client.ip).toBe('10.0.0.5')
  })
})

describe('Forwarded (RFC 7239)', () => {
  const trust: TrustSettings = { ...TRUST, clientIpHeaders: ['forwarded'] }
  const client = (...lines: readonly string[]) => address('10.0.0.5', lines.flatMap((line) => ['Forwarded', line]), trust).client

  it.each([
    ['for=203.0.113.9', '203.0.113.9', 1],
    ['FOR="203.0.113.9:4711";proto=https', '203.0.113.9', 1],
    ['for="[2001:db8:1::1]"', '2001:db8:1:0:0:0:0:1', 1],
    ['for="[2001:db8:1::1]:4711";by=10.0.0.5', '2001:db8:1:0:0:0:0:1', 1],
    ['for="[::ffff:203.0.113.9]"', '203.0.113.9', 1],
    ['for=1.1.1.1, for=203.0.113.9 , for=10.9.9.9', '203.0.113.9', 2],
    ['for="1.1.1.1, for=203.0.113.9', '203.0.113.9', 1],
    ['for="\\", for=203.0.113.9', '203.0.113.9', 1],
    ['for=1.1.1.1, for=203.0.113.9;by="a\\",b"', '203.0.113.9', 1],
    ['for=1.1.1.1;by="a,b", for=203.0.113.9;by="c;,d"', '203.0.113.9', 1],
  ])('%s', (line, ip, trustedHops) => {
    expect(client(line)).toMatchObject({ ip, trustedHops })
  })

  it('is one list over several lines', () => {
    expect(client('for=1.1.1.1', 'for=203.0.113.9', 'for=10.9.9.9')).toMatchObject({ ip: '203.0.113.9', trustedHops: 2 })
  })

  it.each(['for=unknown', 'for=_hidden', 'for=203.0.113.9:80', 'for=2001:db8::1', 'for="2001:db8::1"', 'for="[1.2.3.4]"', 'for="[::1%lo]"', 'for=203.0.113.9;for=1.1.1.1', 'for = 203.0.113.9', 'for', '', 'proto=https', 'for="203.0.113.9', 'for=203.0.113.9;x y', 'for="203.0.113.9";"'])(
    '%j names nobody',
    (line) => {
      expect(client(line)).toMatchObject({ ip: '10.0.0.5', trustedHops: 0 })
      expect(client('for=198.51.100.1', line)).toMatchObject({ ip: '10.0.0.5', trustedHops: 0 })
    },
  )

  it('gives scheme and host of the element that named the client', () => {
    const result = address('10.0.0.5', ['Forwarded', 'for=1.1.1.1;proto=http;host=evil, for=203.0.113.9;proto=https;host="API.test:8443", for=10.9.9.9;proto=http;host=inner'], trust)
    expect(result).toMatchObject({ scheme: 'https', host: 'api.test:8443' })
  })

  it('never lets what stands at the left move the client', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary-ascii' }), fc.ipV4().filter((ip) => !ip.startsWith('10.')), (claim, real) => {
        expect(client(`${claim}, for=${real};proto=https`).ip).toBe(real)
      }),
      { numRuns: 1_000 },
    )
  })
})

describe('X-Forwarded-Proto and -Host from a trusted peer', () => {
  const asked = (...rawHeaders: readonly string[]) => found('10.0.0.5', [...xff('203.0.113.9, 10.9.9.9'), ...rawHeaders])

  it.each([
    ['https', 'https'], ['HTTP', 'http'], ['wss', 'https'], ['ws', 'http'], ['https, http', 'https'], ['http, https, http', 'https'], ['http,https,http,http', 'http'],
  ])('proto %s: %s', (value, scheme) => {
    expect(asked('X-Forwarded-Proto', value)).toMatchObject({ scheme })
  })

  it('an empty one says nothing', () => {
    expect(asked('X-Forwarded-Proto', '')).toMatchObject({ trusted: true, scheme: undefined })
  })

  it.each([[['X-Forwarded-Proto', 'gopher']], [['X-Forwarded-Proto', 'https;']], [['X-Forwarded-Host', 'a/b']], [['X-Forwarded-Host', 'user@h']], [['X-Forwarded-Host', 'a b']]])('%j is refused', (rawHeaders) => {
    expect(asked(...rawHeaders)).toMatchObject({ kind: 'denial', code: 'request_ambiguous' })
  })

  it('a list is refused when nobody can tell whose entry is whose', () => {
    expect(found('10.0.0.5', ['X-Forwarded-Proto', 'https, http'])).toMatchObject({ kind: 'denial', part: 'x-forwarded-proto' })
    expect(found('10.0.0.5', [...xff('203.0.113.9, 10.9.9.9, 10.9.9.8'), 'X-Forwarded-Proto', 'https, http'])).toMatchObject({ kind: 'denial', part: 'x-forwarded-proto' })
  })

  it('host is lower-case and valid', () => {
    expect(asked('X-Forwarded-Host', 'API.Test:8443')).toMatchObject({ host: 'api.test:8443' })
    expect(asked('X-Forwarded-Host', 'evil.example, api.test, inner:3000')).toMatchObject({ host: 'api.test' })
    expect(asked()).toMatchObject({ trusted: true, host: undefined })
  })
})
