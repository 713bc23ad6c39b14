import { canonicalIp, createCidrSet } from '../../src/base/cidr.ts'
import { clientAddressOf } from '../../src/wire/client-address.ts'
import { cpuPer, type Dimension } from './dimension.ts'

const SIZES = [10, 1_000, 100_000]
const CHECKS = 2_000
/** Different addresses that are asked about at every size, many more than a set remembers: the networks are measured, not the memory. */
const ADDRESSES = 500

/** Every second /24 from 20.0.0.0 on, so that nothing can be merged. */
const ipv4 = (n: number): string => `${20 + (n >> 15)}.${(n >> 7) & 255}.${(n & 127) * 2}.0/24`
/** Every second /48 from 2001:db8:: on. */
const ipv6 = (n: number): string => `2001:${(0xdb8 + (n >> 15)).toString(16)}:${((n & 32_767) * 2).toString(16)}::/48`

const networks = (size: number, of: (n: number) => string): string[] => Array.from({ length: size }, (_, n) => of(n))

/** A host from 1 to 250: the last byte of an IPv4 address, the last group of an IPv6 one. */
const inside = (network: string, host: number): string => canonicalIp(network.replace(/0\/24$/, String(host)).replace(/::\/48$/, `::${host}`)) ?? ''
/** In the gap behind a network. */
const outside = (network: string, host: number): string => canonicalIp(network.replace(/(\d+)\.0\/24$/, (_all, third: string) => `${Number(third) + 1}.${host}`).replace(/([0-9a-f]+)::\/48$/, (_all, third: string) => `${(Number.parseInt(third, 16) + 1).toString(16)}::${host}`)) ?? ''

/** Spread over all networks; one that is asked about again is asked about with another host. */
const addresses = (entries: readonly string[], asked: typeof inside): string[] =>
  Array.from({ length: ADDRESSES }, (_, n) => asked(entries[Math.floor((n * entries.length) / ADDRESSES)] ?? '', 1 + (n % 250)))

const membership = (name: string, of: (n: number) => string, asked: typeof inside, expected: boolean): Dimension => ({
  name,
  unit: 'CPU µs/check',
  sizes: SIZES,
  prepare: (size) => {
    const entries = networks(size, of)
    const set = createCidrSet(entries)
    const ips = addresses(entries, asked)
    return {
      cost: () => cpuPer(CHECKS, (n) => {
        if (set.contains(ips[n % ips.length] ?? '') !== expected) throw new Error(`${ips[n % ips.length]} was not judged as it should be`)
      }),
    }
  },
})

/** A client behind three trusted hops. */
const trusted: Dimension = {
  name: 'trusted proxies, three hops',
  unit: 'CPU µs/request',
  sizes: SIZES,
  prepare: (size) => {
    const entries = networks(size, ipv4)
    const trust = { trustedProxies: createCidrSet(entries), clientIpHeaders: ['x-forwarded-for'] as const }
    const hop = (share: number): string => inside(entries[Math.floor((size - 1) * share)] ?? '', 9)
    const headers = new Map([['x-forwarded-for', [`203.0.113.7, ${hop(0.5)}, ${hop(0.1)}`]]])
    return {
      cost: () => cpuPer(CHECKS, () => {
        const address = clientAddressOf({ peer: hop(0.9), headers, trust })
        if (!('client' in address) || address.client.ip !== '203.0.113.7') throw new Error('the client was not found')
      }),
    }
  },
}

const compiling: Dimension = {
  name: 'networks while a config is loaded',
  unit: 'CPU µs/network',
  sizes: [100, 1_000, 100_000],
  prepare: (size) => {
    const entries = networks(size, ipv4)
    return { cost: async () => (await cpuPer(1, () => createCidrSet(entries))) / size }
  },
}

export const cidrs: readonly Dimension[] = [
  membership('allowed networks, IPv4', ipv4, inside, true),
  membership('denied networks, IPv4', ipv4, outside, false),
  membership('allowed networks, IPv6', ipv6, inside, true),
  trusted,
  compiling,
]
