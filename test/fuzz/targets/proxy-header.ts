import assert from 'node:assert/strict'
import { isIP } from 'node:net'
import * as fc from 'fast-check'
import { parseProxyHeader, type ProxyHeader } from '../../../src/wire/proxy-protocol.ts'
import { bitsOf, spelled } from '../address-model.ts'
import { fuzzTarget } from '../fuzz-target.ts'
import { addresses, mutated, soup, v4, v6 } from '../inputs.ts'

const SIGNATURE = '\r\n\r\n\0\r\nQUIT\n'

type Read = { readonly source?: string; readonly local: boolean; readonly consumed: number } | 'invalid' | 'incomplete'

/** Version 1 as one regular expression over the whole header. */
function readText(text: string): Read {
  const line = /^PROXY ((?:[\x20-\x7e])*)\r\n/.exec(text)
  const consumed = line?.[0].length ?? 0
  if (!line || consumed > 107) return 'invalid'
  if (/^UNKNOWN( |$)/.test(line[1] ?? '')) return { local: false, consumed }
  const [, family, source = '', destination = '', ...ports] = /^TCP([46]) (\S+) (\S+) (0|[1-9]\d{0,4}) (0|[1-9]\d{0,4})$/.exec(line[1] ?? '') ?? []
  if (family === undefined || String(isIP(source)) !== family || String(isIP(destination)) !== family || ports.some((port) => Number(port) > 65_535)) return 'invalid'
  const bits = bitsOf(source)
  return bits ? { source: spelled(bits), local: false, consumed } : 'invalid'
}

/** Records of a type, a length of two bytes and a value, to the last byte. */
function areRecords(text: string): boolean {
  if (text === '') return true
  if (text.length < 3) return false
  const length = text.charCodeAt(1) * 256 + text.charCodeAt(2)
  return text.length >= 3 + length && areRecords(text.slice(3 + length))
}

const groupsOf = (text: string): string => Array.from({ length: text.length / 2 }, (_none, index) => (text.charCodeAt(index * 2) * 256 + text.charCodeAt(index * 2 + 1)).toString(16)).join(':')

/** Version 2, cut by position. */
function readBinary(text: string): Read {
  const [command = -1, family = -1, high = -1, low = -1] = Array.from(text.slice(12, 16), (character) => character.charCodeAt(0))
  if (command !== 0x20 && command !== 0x21) return command === -1 ? 'incomplete' : 'invalid'
  if (low === -1) return 'incomplete'
  const length = high * 256 + low
  if (length > 520) return 'invalid'
  if (text.length < 16 + length) return 'incomplete'
  const body = text.slice(16, 16 + length)
  const consumed = 16 + length
  if (command === 0x20) return { local: true, consumed }
  if (family === 0) return { local: false, consumed }
  const size = family === 0x11 ? 4 : family === 0x21 ? 16 : 0
  if (size === 0 || body.length < size * 2 + 4 || !areRecords(body.slice(size * 2 + 4))) return 'invalid'
  const address = size === 4 ? Array.from(body.slice(0, 4), (character) => character.charCodeAt(0)).join('.') : groupsOf(body.slice(0, 16))
  const bits = bitsOf(address)
  return bits ? { source: spelled(bits), local: false, consumed } : 'invalid'
}

function model(text: string): Read {
  if (text.startsWith(SIGNATURE)) return readBinary(text)
  if (SIGNATURE.startsWith(text)) return 'incomplete'
  if (!text.startsWith('PROXY ')) return 'PROXY '.startsWith(text) ? 'incomplete' : 'invalid'
  const ended = text.slice(0, 107).includes('\n')
  if (ended || text.length >= 107) return readText(text)
  return /^[\x20-\x7e]*\r?$/.test(text) ? 'incomplete' : 'invalid'
}

const asRead = (header: ProxyHeader): Read => (header.kind !== 'parsed' ? header.kind : { ...(header.source === undefined ? {} : { source: header.source }), local: header.local, consumed: header.consumed })

const parse = (text: string): Read => asRead(parseProxyHeader(Buffer.from(text, 'latin1')))

/** Bytes come in pieces: what is known after some of them is never taken back, whatever follows. */
function checkPieces(text: string, whole: Read): void {
  const consumed = typeof whole === 'object' ? whole.consumed : text.length + 1
  let before: Read = 'incomplete'
  for (let length = 0; length <= text.length; length += 1) {
    const now = parse(text.slice(0, length))
    if (before !== 'incomplete') assert.deepEqual(now, before, `after ${length} bytes`)
    if (length < consumed) assert.ok(typeof now === 'string', `after ${length} bytes of ${consumed}`)
    before = now
  }
  assert.deepEqual(before, whole)
}

function check(text: string): string {
  const whole = parse(text)
  assert.deepEqual(whole, model(text))
  checkPieces(text, whole)
  return typeof whole === 'string' ? whole : whole.source === undefined ? 'read without an address' : 'read'
}

const port = fc.oneof({ weight: 5, arbitrary: fc.nat(65_535).map(String) }, { weight: 1, arbitrary: fc.constantFrom('65536', '00', '080', '-1', '', '99999', '1e3') })
const families = fc.constantFrom('TCP4', 'TCP4', 'TCP6', 'TCP6', 'UNKNOWN', 'UDP4', 'tcp4', 'TCP')
const v1 = fc.tuple(families, addresses, addresses, port, port).map(([family, ...rest]) => `PROXY ${family} ${rest.join(' ')}\r\n`)
const goodV1 = fc.oneof(fc.tuple(fc.constant('TCP4'), v4, v4, port, port), fc.tuple(fc.constant('TCP6'), v6, v6, port, port)).map(([family, ...rest]) => `PROXY ${family} ${rest.join(' ')}\r\n`)

const byte = (value: number): string => String.fromCharCode(value & 255)
const bytes = (length: number): fc.Arbitrary<string> => fc.array(fc.nat(255).map(byte), { minLength: length, maxLength: length }).map((parts) => parts.join(''))
const record = fc.tuple(fc.nat(255), fc.array(fc.nat(255).map(byte), { maxLength: 6 })).map(([type, value]) => byte(type) + byte(value.length >> 8) + byte(value.length) + value.join(''))
const payload = fc.oneof(bytes(12), bytes(36), fc.nat(30).chain(bytes))
const v2 = fc.tuple(fc.constantFrom(0x21, 0x21, 0x21, 0x20, 0x22, 0x11), fc.constantFrom(0x11, 0x21, 0x11, 0x21, 0x00, 0x12, 0x31, 0x10), payload, fc.array(record, { maxLength: 2 }), fc.constantFrom(0, 0, 0, 0, 1, -1, 600))
  .map(([command, family, addressed, records, off]) => {
    const body = addressed + records.join('')
    const length = body.length + off
    return SIGNATURE + byte(command) + byte(family) + byte(length >> 8) + byte(length) + body
  })

const CHARACTERS = [' ', '\r', '\n', '\0', '.', ':', '0', '1', '6', 'P', '\x21', '\x11', '\x20', '\xff']
const header = fc.oneof(v1, goodV1, v2, mutated(goodV1, CHARACTERS), mutated(v2, CHARACTERS), soup(['PROXY ', 'TCP4 ', '10.0.0.1 ', '80 ', '80', '\r\n', '\n', 'UNKNOWN', SIGNATURE, '\x21\x11\0\x0c', SIGNATURE.slice(0, 5)]))

export const proxyHeader = fuzzTarget<string>({
  name: 'proxy-protocol',
  subject: 'PROXY protocol headers, version 1 and 2, good, odd and changed, with what follows them, in pieces cut at every byte',
  oracle: 'a second reader (one regular expression; positions in a text); no more bytes ever change what some said; nothing behind the header is consumed',
  where: 'in process',
  verdicts: ['read', 'read without an address', 'invalid', 'incomplete'],
  batch: 5_000,
  weight: 2,
  open: () => ({
    inputs: fc.tuple(header, fc.constantFrom('', '', 'GET / HTTP/1.1\r\n', 'PROXY TCP4 1.1.1.1 2.2.2.2 1 2\r\n', '\n')).map(([first, rest]) => first + rest),
    corpus: ['PROXY UNKNOWN\r\n', 'PROXY UNKNOWN ffff::1 x\r\n', `PROXY TCP6 ${'f'.repeat(100)}\r\n`, `PROXY UNKNOWN ${'x'.repeat(91)}\r\n`, `PROXY UNKNOWN ${'x'.repeat(92)}\r\n`, 'PROXY TCP4 1.1.1.1 2.2.2.2 1 2\n', 'PROXY TCP4 1.1.1.1 2.2.2.2 1 2\r', `${SIGNATURE}\x20\0\0\0`, `${SIGNATURE}\x21\0\0\0GET /`, `${SIGNATURE}\x21\x11\xff\xff`],
    check,
  }),
})
