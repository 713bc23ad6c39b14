import assert from 'node:assert/strict'
import { BlockList, isIP } from 'node:net'
import * as fc from 'fast-check'
import { createCidrSet } from '../../../src/base/cidr.ts'
import { isDenial } from '../../../src/model/denial.ts'
import type { HeaderMap } from '../../../src/model/request.ts'
import { clientAddressOf } from '../../../src/wire/client-address.ts'
import { bitsOf, spelled } from '../address-model.ts'
import { fuzzTarget } from '../fuzz-target.ts'
import { addresses, perhapsMutated } from '../inputs.ts'

type Name = 'x-forwarded-for' | 'x-real-ip' | 'forwarded'

interface Input {
  readonly peer: string
  readonly header: Name
  readonly lines: readonly string[]
  readonly proto: readonly string[]
}

const trustedProxies = createCidrSet(['10.0.0.0/8', '2001:db8::/32', '127.0.0.1'])

/** Node's own list, so that trust is not judged by what is being tested. */
const trustedList = new BlockList()
trustedList.addSubnet('10.0.0.0', 8, 'ipv4')
trustedList.addSubnet('2001:db8::', 32, 'ipv6')
trustedList.addAddress('127.0.0.1', 'ipv4')
const isTrusted = (ip: string): boolean => trustedList.check(ip, isIP(ip) === 4 ? 'ipv4' : 'ipv6')

const canonical = (text: string): string | undefined => {
  const bits = bitsOf(text)
  return bits && spelled(bits)
}

interface Walked { readonly ip: string; readonly hops: number }

/** Recursion over a list from its end: believe the last entry if whoever sent the list is trusted, then ask the same of the rest. */
function walked(sender: string, entries: readonly (string | undefined)[], hops = 0): Walked {
  const next = entries.at(-1)
  if (!isTrusted(sender) || next === undefined) return { ip: sender, hops }
  return walked(next, entries.slice(0, -1), hops + 1)
}

const listed = (lines: readonly string[]): (string | undefined)[] => lines.join(',').split(',').map((entry) => canonical(entry.trim()))

/**
 * `Forwarded` by a grammar instead of a scan. Only where every line follows RFC 7239 is there one reading to compare with; undefined
 * elsewhere, and then only the trust itself is checked.
 */
function elements(lines: readonly string[]): (string | undefined)[] | undefined {
  const value = /(?:[!#$%&'*+.^_`|~0-9A-Za-z-]+|"(?:[^"\\]|\\[^])*")/.source
  const pair = new RegExp(String.raw`([!#$%&'*+.^_\`|~0-9A-Za-z-]+)=(${value})`, 'y')
  const all: (string | undefined)[] = []
  for (const line of lines) {
    let at = 0
    for (;;) {
      while (line[at] === ' ' || line[at] === '\t') at += 1
      const said = new Map<string, string>()
      let sound = true
      for (;;) {
        pair.lastIndex = at
        const match = pair.exec(line)
        if (!match) return undefined
        const [whole, name = '', text = ''] = match
        if (said.has(name.toLowerCase())) sound = false
        said.set(name.toLowerCase(), text.startsWith('"') ? text.slice(1, -1).replace(/\\([^])/g, '$1') : text)
        at += whole.length
        if (line[at] !== ';') break
        at += 1
      }
      while (line[at] === ' ' || line[at] === '\t') at += 1
      all.push(sound ? nodeOf(said.get('for')) : undefined)
      if (at === line.length) break
      if (line[at] !== ',') return undefined
      at += 1
    }
  }
  return all
}

function nodeOf(node: string | undefined): string | undefined {
  const [, six, four] = /^(?:\[([^\]]*)\]|([\d.]+))(?::(?:\d{1,5}|_[\w.-]+))?$/.exec(node ?? '') ?? []
  if (six !== undefined) return six.includes(':') ? canonical(six) : undefined
  return four === undefined ? undefined : canonical(four)
}

function expected({ peer, header, lines }: Input): Walked | undefined {
  const sender = canonical(peer)
  if (sender === undefined) return undefined
  if (lines.length === 0) return { ip: sender, hops: 0 }
  if (header === 'x-forwarded-for') return walked(sender, listed(lines))
  if (header === 'x-real-ip') return walked(sender, [lines.length === 1 ? canonical((lines[0] ?? '').trim()) : undefined])
  const read = elements(lines)
  return read && walked(sender, read)
}

/** What is said of the scheme counts only from a trusted peer, and only where one element is there or the walk shows which. */
function expectedScheme({ proto }: Input, hops: number): 'http' | 'https' | 'refused' | undefined {
  if (proto.length === 0) return undefined
  const words = proto.join(',').split(',').map((word) => word.trim().toLowerCase())
  const word = words.length === 1 ? words[0] : words[words.length - hops]
  if (word === '') return undefined
  return word === 'http' || word === 'ws' ? 'http' : word === 'https' || word === 'wss' ? 'https' : 'refused'
}

function check(input: Input): string {
  const { peer, header, lines, proto } = input
  const headers: HeaderMap = new Map([...(lines.length > 0 ? [[header, lines] as const] : []), ...(proto.length > 0 ? [['x-forwarded-proto', proto] as const] : []), ['x-forwarded-host', ['api.test']]])
  const found = clientAddressOf({ peer, headers, trust: { trustedProxies, clientIpHeaders: [header] } })
  const sender = canonical(peer)
  if (sender === undefined) return assert.ok(isDenial(found)), 'no peer'
  if (!isTrusted(sender)) {
    assert.ok(!isDenial(found))
    assert.deepEqual([found.client.ip, found.client.trustedHops, found.scheme, found.host, found.trusted], [sender, 0, undefined, undefined, false])
    return 'untrusted'
  }
  const walk = expected(input)
  // Whatever the reading of the list: a step is only taken from a trusted hop to an address that stands in it.
  if (!isDenial(found)) assert.ok(found.client.ip === sender || lines.some((line) => line.includes(':') || line.includes(found.client.ip)))
  if (!walk) return 'no grammar'
  const scheme = header === 'forwarded' && /proto/i.test(lines.join()) ? 'unknown' : expectedScheme(input, walk.hops)
  if (scheme === 'unknown') return 'no grammar'
  const hosted = header === 'forwarded' && /host/i.test(lines.join())
  assert.equal(isDenial(found), scheme === 'refused')
  if (isDenial(found)) return 'refused'
  assert.deepEqual([found.client.ip, found.client.trustedHops, found.scheme], [walk.ip, walk.hops, scheme])
  if (!hosted) assert.equal(found.host, 'api.test')
  return 'walked'
}

const CHARACTERS = [',', ' ', '"', '\\', ';', '=', '[', ']', ':', '.', '1', '\t', 'f']
const xff = fc.array(addresses, { maxLength: 5 }).chain((list) => fc.constantFrom(',', ', ', ' ,\t').map((comma) => list.join(comma)))
const node = addresses.map((address) => (address.includes(':') && !address.startsWith('[') ? `"[${address}]"` : address.includes(':') ? `"${address}"` : address))
const element = fc.oneof({ weight: 6, arbitrary: node.map((text) => `for=${text}`) }, { weight: 2, arbitrary: node.map((text) => `for=${text};by=10.0.0.1`) }, { weight: 1, arbitrary: fc.tuple(node, node).map(([a, b]) => `For=${a};for=${b}`) }, { weight: 1, arbitrary: fc.constantFrom('by=x', 'for="a,b"', 'for="\\"', 'for="', 'for="x\\"; for=10.0.0.9"', 'proto=https', 'for=_x', 'secret="for=10.0.0.1"') })
const forwarded = fc.array(element, { maxLength: 4 }).map((list) => list.join(', '))
const linesOf = (line: fc.Arbitrary<string>): fc.Arbitrary<string[]> => fc.array(perhapsMutated(line, CHARACTERS), { maxLength: 2 })
const protos = fc.array(fc.constantFrom('https', 'http', 'HTTPS', 'wss', 'https, http', 'http,https,http', 'ftp', '', 'https, https', ' https '), { maxLength: 2 })
const headerAndLines = fc.oneof(
  fc.record({ header: fc.constant('x-forwarded-for' as const), lines: linesOf(xff) }),
  fc.record({ header: fc.constant('forwarded' as const), lines: linesOf(forwarded) }),
  fc.record({ header: fc.constant('x-real-ip' as const), lines: linesOf(addresses) }),
)

export const clientAddress = fuzzTarget<Input>({
  name: 'client-address',
  subject: '`X-Forwarded-For`, `Forwarded` and `X-Real-IP` of any hops, in one line or several, with `X-Forwarded-Proto`',
  oracle: 'a recursive walk over lists that `String.split` and a grammar of RFC 7239 read, with `net.BlockList` for the trust; an untrusted peer is the client whatever it says',
  where: 'in process',
  verdicts: ['walked', 'untrusted', 'refused', 'no grammar', 'no peer'],
  batch: 30_000,
  weight: 6,
  open: () => ({
    inputs: fc.tuple(fc.oneof({ weight: 3, arbitrary: fc.constantFrom('10.0.0.1', '::ffff:10.0.0.1', '2001:db8::1', '127.0.0.1') }, { weight: 1, arbitrary: addresses.filter((address) => !address.includes('%')) }), headerAndLines, protos).map(([peer, rest, proto]) => ({ peer, ...rest, proto })),
    corpus: [
      { peer: '10.0.0.1', header: 'forwarded', lines: ['for=203.0.113.9;for=10.0.0.9', 'for="'], proto: [] }, { peer: '10.0.0.1', header: 'forwarded', lines: ['for=1.1.1.1", for=203.0.113.9'], proto: [] },
      { peer: '10.0.0.1', header: 'x-forwarded-for', lines: ['1.1.1.1', '203.0.113.9, 10.0.0.2'], proto: ['https'] }, { peer: '203.0.113.9', header: 'x-forwarded-for', lines: ['127.0.0.1'], proto: ['https'] }, { peer: '10.0.0.1', header: 'x-forwarded-for', lines: ['203.0.113.9, unknown, 10.0.0.2'], proto: [] },
    ],
    check,
  }),
})
