import { BlockList, isIP } from 'node:net'
import { remembering } from './remembering.ts'

/** A set of networks; `contains` is constant in time whatever the size. */
export interface CidrSet {
  /** Whether a canonical address (see `canonicalIp`) is in one of the networks. Unparsable text never is. */
  readonly contains: (ip: string) => boolean
  /** The networks as written, for messages. */
  readonly entries: readonly string[]
}

/** A network that cannot be meant as written; the message says why. */
export class CidrError extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'CidrError'
  }
}

/** Sixteen-bit groups of an IPv6 address, or undefined. A dotted IPv4 tail is understood; a zone id is not. */
function groupsOf(ip: string): number[] | undefined {
  if (isIP(ip) !== 6 || ip.includes('%')) return undefined
  const tail = /^(.*:)(\d+)\.(\d+)\.(\d+)\.(\d+)$/.exec(ip)
  const text = tail ? `${tail[1]}${(Number(tail[2]) * 256 + Number(tail[3])).toString(16)}:${(Number(tail[4]) * 256 + Number(tail[5])).toString(16)}` : ip
  const [head = '', rest] = text.split('::')
  const left = head === '' ? [] : head.split(':')
  const right = rest === undefined || rest === '' ? [] : rest.split(':')
  const zeros = rest === undefined ? 0 : 8 - left.length - right.length
  return [...left, ...Array.from({ length: zeros }, () => '0'), ...right].map((group) => Number.parseInt(group, 16))
}

const isMapped = (groups: readonly number[]): boolean => groups.slice(0, 5).every((group) => group === 0) && groups[5] === 0xffff

const dotted = (high: number, low: number): string => `${high >> 8}.${high & 255}.${low >> 8}.${low & 255}`

/**
 * The one spelling of an address: dotted decimal for IPv4 and IPv4-mapped IPv6, lower-case groups without `::` for IPv6.
 * Octal, hexadecimal and short IPv4 forms, zone ids, ports and brackets give undefined (T27, T29).
 */
export function canonicalIp(text: string): string | undefined {
  if (isIP(text) === 4) return text
  const groups = groupsOf(text)
  if (!groups) return undefined
  if (isMapped(groups)) return dotted(groups[6] ?? 0, groups[7] ?? 0)
  return groups.map((group) => group.toString(16)).join(':')
}

/** Who shares a per-address counter: an IPv4 address, or the /64 of an IPv6 one, since an IPv6 client owns a whole network (T30). */
export function partitionOfIp(canonical: string): string {
  if (!canonical.includes(':')) return canonical
  return `${canonical.split(':').slice(0, 4).join(':')}::/64`
}

/** Bits of an address as one big integer, and how many there are. */
function bitsOf(canonical: string): { value: bigint; width: 32 | 128 } {
  if (!canonical.includes(':')) return { value: canonical.split('.').reduce((sum, part) => sum * 256n + BigInt(part), 0n), width: 32 }
  return { value: canonical.split(':').reduce((sum, part) => sum * 65_536n + BigInt(Number.parseInt(part, 16)), 0n), width: 128 }
}

interface Network { readonly ip: string; readonly prefix: number; readonly family: 'ipv4' | 'ipv6' }

/**
 * One network as an operator writes it: an address, or address/prefix.
 *
 * @throws {CidrError} for anything ambiguous: host bits set, an IPv4-mapped network shorter than /96 (CVE-2026-90711),
 * leading zeros, zone ids, surrounding blanks
 */
function networkOf(entry: string): Network {
  const [address = '', prefixText, ...more] = entry.split('/')
  const ip = canonicalIp(address)
  if (!ip || more.length > 0) throw new CidrError(`"${entry}" is not an IP address or network`)
  const { value, width } = bitsOf(ip)
  const mapped = width === 32 && address.includes(':')
  if (prefixText !== undefined && !/^(0|[1-9]\d{0,2})$/.test(prefixText)) throw new CidrError(`"${entry}" has no valid prefix length`)
  const written = prefixText === undefined ? (mapped ? 128 : width) : Number(prefixText)
  if (mapped && written < 96) throw new CidrError(`"${entry}" covers all of IPv4 and more: an IPv4-mapped network needs a prefix of 96 or longer`)
  const prefix = mapped ? written - 96 : written
  if (prefix > width) throw new CidrError(`"${entry}" has a prefix longer than ${width}`)
  if ((value & ((1n << BigInt(width - prefix)) - 1n)) !== 0n) throw new CidrError(`"${entry}" has bits set behind its prefix; write the network address`)
  return { ip, prefix, family: width === 32 ? 'ipv4' : 'ipv6' }
}

/** Addresses whose answer is remembered: the few proxies in front. There may be a set for each of many keys. */
const MAX_REMEMBERED = 32

/**
 * Compiles networks. `*` alone stands for every address. Node's list counts an IPv4 address as IPv4-mapped, and would find it in `::/0`:
 * so each family has a list of its own, and a network of one never holds an address of the other.
 *
 * @throws {CidrError} naming the first entry that is not a network
 */
export function createCidrSet(entries: readonly string[]): CidrSet {
  if (entries.length === 0) return NO_NETWORKS
  if (entries.length === 1 && entries[0] === '*') return { entries, contains: (ip) => canonicalIp(ip) !== undefined }
  const lists = { ipv4: new BlockList(), ipv6: new BlockList() }
  for (const entry of entries) {
    const network = networkOf(entry)
    lists[network.family].addSubnet(network.ip, network.prefix, network.family)
  }
  return {
    entries,
    contains: remembering((ip) => {
      const family = isIP(ip)
      return family === 4 ? lists.ipv4.check(ip, 'ipv4') : family === 6 && lists.ipv6.check(ip, 'ipv6')
    }, MAX_REMEMBERED),
  }
}

/** Contains nothing. */
export const NO_NETWORKS: CidrSet = { entries: [], contains: () => false }
