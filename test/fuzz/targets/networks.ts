import assert from 'node:assert/strict'
import { BlockList, isIP } from 'node:net'
import * as fc from 'fast-check'
import { canonicalIp, CidrError, type CidrSet, createCidrSet, partitionOfIp } from '../../../src/base/cidr.ts'
import { type Bits, bitsOf, isWithin, spelled } from '../address-model.ts'
import { fuzzTarget } from '../fuzz-target.ts'
import { addresses, mutated } from '../inputs.ts'

interface Input { readonly entries: readonly string[]; readonly asked: readonly string[] }

interface Network { readonly at: Bits; readonly prefix: number; readonly text: string }

/** A network as the documentation describes it: one spelling of the address, one of the prefix, nothing behind it. */
function networkOf(entry: string): Network | undefined {
  const [, text = '', written] = /^([0-9A-Fa-f:.]+)(?:\/(0|[1-9]\d{0,2}))?$/.exec(entry) ?? []
  const at = bitsOf(text)
  if (!at) return undefined
  const mapped = at.width === 32 && text.includes(':')
  const prefix = (written === undefined ? (mapped ? 128 : at.width) : Number(written)) - (mapped ? 96 : 0)
  if (prefix < 0 || prefix > at.width) return undefined
  const host = at.value & ((1n << BigInt(at.width - prefix)) - 1n)
  return host === 0n ? { at, prefix, text } : undefined
}

/** The system's own list, fed with what was written and not with what we made of it. One family each: it takes IPv4 for IPv4-mapped. */
function listOf(networks: readonly Network[], width: 32 | 128): BlockList {
  const list = new BlockList()
  for (const { at, prefix } of networks) if (at.width === width) list.addSubnet(spelled(at), prefix, width === 32 ? 'ipv4' : 'ipv6')
  return list
}

function compiled(entries: readonly string[]): CidrSet | undefined {
  try {
    return createCidrSet(entries)
  } catch (error) {
    assert.ok(error instanceof CidrError, String(error))
    return undefined
  }
}

function checkAddress(text: string, set: CidrSet, networks: readonly Network[], lists: Readonly<Record<32 | 128, BlockList>>): void {
  const bits = bitsOf(text)
  const canonical = canonicalIp(text)
  assert.equal(canonical, bits && spelled(bits), text)
  if (!bits || canonical === undefined) return assert.ok(isIP(text) !== 0 || !set.contains(text), `${text} is no address`)
  assert.equal(canonicalIp(canonical), canonical)
  const within = networks.some(({ at, prefix }) => isWithin(bits, at, prefix))
  assert.equal(set.contains(canonical), within, `${canonical} in ${set.entries.join(' ')}`)
  assert.equal(within, lists[bits.width].check(canonical, bits.width === 32 ? 'ipv4' : 'ipv6'), `node on ${canonical}`)
  assert.equal(partitionOfIp(canonical), bits.width === 32 ? canonical : `${spelled(bits).split(':').slice(0, 4).join(':')}::/64`)
}

function check({ entries, asked }: Input): string {
  const set = compiled(entries)
  const networks = entries.map(networkOf)
  assert.equal(set !== undefined, networks.every((network) => network !== undefined))
  if (!set) return 'refused'
  const known = networks.filter((network) => network !== undefined)
  const lists = { 32: listOf(known, 32), 128: listOf(known, 128) }
  for (const text of [...asked, ...known.map(({ text: own }) => own)]) checkAddress(text, set, known, lists)
  return 'compared'
}

/** A network as an operator means it: host bits cleared. */
const network = fc.tuple(addresses, fc.nat(128), fc.boolean()).map(([text, length, dotted]) => {
  const bits = bitsOf(text)
  if (!bits) return text
  const prefix = length % (bits.width + 1)
  const host = BigInt(bits.width - prefix)
  const at = spelled({ value: (bits.value >> host) << host, width: bits.width })
  return bits.width === 32 && dotted ? `::ffff:${at}/${prefix + 96}` : `${at}/${prefix}`
})
const CHARACTERS = ['/', '0', '1', '3', '8', ':', '.', 'f', 'F', '%', ' ', '-', '+', 'x', '[', ']']
const entries = fc.oneof(fc.array(network, { maxLength: 4 }), fc.array(fc.oneof({ weight: 6, arbitrary: network }, { weight: 1, arbitrary: addresses }, { weight: 1, arbitrary: mutated(network, CHARACTERS, 2) }), { maxLength: 3 }))
const asked = fc.array(fc.oneof({ weight: 4, arbitrary: addresses }, { weight: 1, arbitrary: mutated(addresses, CHARACTERS, 2) }), { maxLength: 4 })

export const networks = fuzzTarget<Input>({
  name: 'networks',
  subject: 'lists of networks, written well and badly, and addresses in many spellings',
  oracle: '`net.BlockList`, and a comparison of bits whose addresses the URL parser read; the two spellings and the partition too',
  where: 'in process',
  verdicts: ['compared', 'refused'],
  batch: 10_000,
  weight: 3,
  open: () => ({
    inputs: fc.record({ entries, asked }),
    corpus: [
      { entries: ['::ffff:0:0/96'], asked: ['10.0.0.1', '::ffff:1.2.3.4', '::1'] }, { entries: ['::ffff:0.0.0.0/95'], asked: [] }, { entries: ['::/0'], asked: ['10.0.0.1', '::1'] }, { entries: ['0.0.0.0/0'], asked: ['::1', '::ffff:9.9.9.9'] },
      { entries: ['10.0.0.1/8'], asked: [] }, { entries: ['010.0.0.0/8'], asked: [] }, { entries: ['10.0.0.0/08'], asked: [] }, { entries: ['fe80::1%eth0'], asked: [] }, { entries: [''], asked: [] }, { entries: ['10.0.0.0/8/8'], asked: [] }, { entries: [], asked: ['1.2.3.4'] },
    ],
    check,
  }),
})
