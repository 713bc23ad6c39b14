import { isIPv4, isIPv6 } from 'node:net'

/**
 * Addresses by other means than the product's: IPv6 is read by the URL parser and counted in bits, IPv4-mapped ones become IPv4.
 * A number and its width, or undefined for what is no address in its only spelling.
 */
export interface Bits { readonly value: bigint; readonly width: 32 | 128 }

const ofV4 = (text: string): bigint => text.split('.').reduce((sum, part) => (sum << 8n) | BigInt(part), 0n)

/** The URL parser writes eight groups with the longest run of zeros cut out, and never a dotted tail. */
function ofV6(text: string): bigint {
  const written = new URL(`http://[${text}]/`).hostname.slice(1, -1)
  const [left = [], right] = written.split('::').map((side) => (side === '' ? [] : side.split(':')))
  const groups = right === undefined ? left : [...left, ...Array<string>(8 - left.length - right.length).fill('0'), ...right]
  return groups.reduce((sum, group) => (sum << 16n) | BigInt(`0x${group}`), 0n)
}

export function bitsOf(text: string): Bits | undefined {
  if (isIPv4(text)) return { value: ofV4(text), width: 32 }
  if (!isIPv6(text) || text.includes('%')) return undefined
  const value = ofV6(text)
  return value >> 32n === 0xffffn ? { value: value & 0xffff_ffffn, width: 32 } : { value, width: 128 }
}

/** The spelling that Postern uses everywhere. */
export function spelled({ value, width }: Bits): string {
  if (width === 32) return [24n, 16n, 8n, 0n].map((shift) => String((value >> shift) & 255n)).join('.')
  return [112n, 96n, 80n, 64n, 48n, 32n, 16n, 0n].map((shift) => ((value >> shift) & 0xffffn).toString(16)).join(':')
}

/** Whether the first `prefix` bits are the same. */
export const isWithin = (address: Bits, network: Bits, prefix: number): boolean => address.width === network.width && address.value >> BigInt(network.width - prefix) === network.value >> BigInt(network.width - prefix)
