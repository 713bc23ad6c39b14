import { isIP } from 'node:net'
import { canonicalIp } from '../base/cidr.ts'
import { crc32c } from './crc32c.ts'

/**
 * What the first bytes of a connection are. `incomplete`: wait for more. `invalid`: close without an answer. `parsed`:
 * `consumed` bytes belong to the header and the rest is HTTP.
 */
export type ProxyHeader =
  | { readonly kind: 'incomplete' }
  | { readonly kind: 'invalid'; readonly reason: string }
  | {
      readonly kind: 'parsed'
      /** Canonical address of the one who connected to the proxy; absent when the header does not name one. */
      readonly source?: string
      /** The proxy speaks for itself (v2 LOCAL: a health check). Without this and without a source the sender is unknown and not to be trusted as the proxy. */
      readonly local: boolean
      readonly consumed: number
    }

/** Longest v1 header, its CRLF included, and longest v2 one that is waited for; 16 bytes of it are fixed. */
const MAX_V1 = 107
const MAX_V2 = 536
const V2_FIXED = 16

const V1_START = Buffer.from('PROXY ', 'latin1')
const V2_START = Buffer.from([0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a])

const INCOMPLETE: ProxyHeader = { kind: 'incomplete' }
const invalid = (reason: string): ProxyHeader => ({ kind: 'invalid', reason })

const isPort = (text: string | undefined): boolean => text !== undefined && /^(0|[1-9]\d{0,4})$/.test(text) && Number(text) <= 65_535

/** A complete v1 line without its CRLF. */
function parseLine(line: string, consumed: number): ProxyHeader {
  // The rest of an UNKNOWN line is to be ignored (section 2.1).
  if (line === 'PROXY UNKNOWN' || line.startsWith('PROXY UNKNOWN ')) return { kind: 'parsed', local: false, consumed }
  const [, protocol, source = '', destination = '', sourcePort, destinationPort, ...more] = line.split(' ')
  const family = protocol === 'TCP4' ? 4 : protocol === 'TCP6' ? 6 : undefined
  if (family === undefined) return invalid('expected TCP4, TCP6 or UNKNOWN')
  if (more.length > 0 || !isPort(sourcePort) || !isPort(destinationPort)) return invalid('expected two addresses and two ports')
  const ip = canonicalIp(source)
  if (ip === undefined || isIP(source) !== family || isIP(destination) !== family) return invalid('expected addresses of the stated family')
  return { kind: 'parsed', source: ip, local: false, consumed }
}

function parseV1(bytes: Buffer): ProxyHeader {
  const window = bytes.subarray(0, MAX_V1)
  const end = window.indexOf(0x0a)
  const line = window.subarray(0, end < 0 ? window.length : end)
  const complete = end >= 0
  const body = line.at(-1) === 0x0d ? line.subarray(0, -1) : line
  if (body.some((byte) => byte < 0x20 || byte > 0x7e)) return invalid('expected visible ASCII and a CRLF')
  if (!complete) return bytes.length >= MAX_V1 ? invalid('the line is too long') : INCOMPLETE
  if (body.length === line.length) return invalid('expected CRLF at the end of the line')
  return parseLine(body.toString('latin1'), end + 1)
}

/** Text of a binary address: 4 or 16 bytes. */
function addressOf(bytes: Buffer): string | undefined {
  if (bytes.length === 4) return bytes.join('.')
  const groups = Array.from({ length: 8 }, (_none, index) => bytes.readUInt16BE(index * 2).toString(16))
  return canonicalIp(groups.join(':'))
}

/** PP2_TYPE_CRC32C of section 2.2.3. */
const CHECKSUM = 0x03

/** Whether the header is what the proxy wrote: the checksum is counted over all of it, with zeros where the checksum stands. */
function isIntact(header: Buffer, at: number): boolean {
  const blank = Buffer.from(header)
  blank.fill(0, at, at + 4)
  return crc32c(blank) === header.readUInt32BE(at)
}

/** Why the type-length-value records from `start` to the end of the header cannot stand, or undefined. */
function recordsMistake(header: Buffer, start: number): string | undefined {
  let checksum: number | undefined
  for (let index = start; index < header.length; ) {
    if (index + 3 > header.length) return 'the records behind the addresses do not fit'
    const length = header.readUInt16BE(index + 1)
    if (index + 3 + length > header.length) return 'the records behind the addresses do not fit'
    if (header[index] === CHECKSUM) {
      if (checksum !== undefined || length !== 4) return 'expected one checksum of four bytes'
      checksum = index + 3
    }
    index += 3 + length
  }
  return checksum === undefined || isIntact(header, checksum) ? undefined : 'the checksum does not fit'
}

/** Bytes of one address by family and transport; only streams over IP are carried, since our listener is TCP. */
const ADDRESS_LENGTHS: ReadonlyMap<number, number> = new Map([[0x11, 4], [0x21, 16]])

/** @param header all of it, the fixed 16 bytes included */
function parseAddresses(family: number, header: Buffer): ProxyHeader {
  const consumed = header.length
  // UNSPEC: the proxy cannot say who connected.
  if (family === 0x00) return { kind: 'parsed', local: false, consumed }
  const length = ADDRESS_LENGTHS.get(family)
  if (length === undefined) return invalid('expected TCP over IPv4 or IPv6')
  const end = V2_FIXED + length * 2 + 4
  if (consumed < end) return invalid('the addresses are cut short')
  const mistake = recordsMistake(header, end)
  if (mistake !== undefined) return invalid(mistake)
  const source = addressOf(header.subarray(V2_FIXED, V2_FIXED + length))
  return source === undefined ? invalid('no address') : { kind: 'parsed', source, local: false, consumed }
}

function parseV2(bytes: Buffer): ProxyHeader {
  const [command, family] = [bytes[12], bytes[13]]
  if (command !== undefined && command !== 0x20 && command !== 0x21) return invalid('expected version 2 and LOCAL or PROXY')
  if (command === undefined || family === undefined || bytes.length < V2_FIXED) return INCOMPLETE
  const consumed = V2_FIXED + bytes.readUInt16BE(14)
  if (consumed > MAX_V2) return invalid('the header is too long')
  if (bytes.length < consumed) return INCOMPLETE
  if (command === 0x20) return { kind: 'parsed', local: true, consumed }
  return parseAddresses(family, bytes.subarray(0, consumed))
}

/** Whether `bytes` could still become something that starts with `start`. */
const mayStartWith = (bytes: Buffer, start: Buffer): boolean => {
  const length = Math.min(bytes.length, start.length)
  return bytes.subarray(0, length).equals(start.subarray(0, length))
}

/**
 * Reads a PROXY protocol header, version 1 or 2, from the start of a connection (T31). Give it all bytes received so far; it
 * keeps nothing. Strict and bounded: at most 107 bytes of v1 and 536 of v2 are ever waited for. A connection without a header
 * is invalid, because whoever may leave it out may choose whose address counts.
 */
export function parseProxyHeader(bytes: Buffer): ProxyHeader {
  if (mayStartWith(bytes, V2_START)) return bytes.length < V2_START.length ? INCOMPLETE : parseV2(bytes)
  if (mayStartWith(bytes, V1_START)) return bytes.length < V1_START.length ? INCOMPLETE : parseV1(bytes)
  return invalid('no PROXY protocol header')
}
