import { spawn, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { type AddressInfo, connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { freePort } from '../../test/support/redis.ts'
import { crc32c } from './crc32c.ts'
import { parseProxyHeader } from './proxy-protocol.ts'

const REQUEST = 'GET / HTTP/1.1\r\nHost: h\r\n\r\n'
const SIGNATURE = [0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a]

const v2 = (command: number, family: number, payload: readonly number[], length = payload.length): Buffer => Buffer.from([...SIGNATURE, command, family, length >> 8, length & 255, ...payload])
const TCP4 = [203, 0, 113, 9, 10, 0, 0, 1, 0x12, 0x34, 0x00, 0x50]
const TCP6 = [0x20, 0x01, 0x0d, 0xb8, ...Array.from({ length: 11 }, () => 0), 1, 0x20, 0x01, 0x0d, 0xb8, ...Array.from({ length: 11 }, () => 0), 2, 0x12, 0x34, 0x00, 0x50]
const MAPPED = [...Array.from({ length: 10 }, () => 0), 0xff, 0xff, 203, 0, 113, 9, ...Array.from({ length: 16 }, () => 0), 0, 1, 0, 2]

/** With the checksum that belongs to it, in front of other records. */
function checked(command: number, payload: readonly number[], ...more: readonly number[]): Buffer {
  const header = v2(command, 0x11, [...payload, 0x03, 0x00, 0x04, 0, 0, 0, 0, ...more])
  header.writeUInt32BE(crc32c(header), 16 + payload.length + 3)
  return header
}

const VALID: readonly (readonly [title: string, header: Buffer, source: string | undefined, local: boolean])[] = [
  ['v1 TCP4', Buffer.from('PROXY TCP4 203.0.113.9 10.0.0.1 4660 80\r\n'), '203.0.113.9', false],
  ['v1 TCP6', Buffer.from('PROXY TCP6 2001:DB8::1 2001:db8::2 4660 80\r\n'), '2001:db8:0:0:0:0:0:1', false],
  ['v1 TCP6, longest', Buffer.from('PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n'), 'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff', false],
  ['v1 TCP6, mapped', Buffer.from('PROXY TCP6 ::ffff:203.0.113.9 ::1 1 2\r\n'), '203.0.113.9', false],
  ['v1 UNKNOWN', Buffer.from('PROXY UNKNOWN\r\n'), undefined, false],
  ['v1 UNKNOWN with noise', Buffer.from('PROXY UNKNOWN ffff::1 ffff::2 65535 65535\r\n'), undefined, false],
  ['v2 TCP4', v2(0x21, 0x11, TCP4), '203.0.113.9', false],
  ['v2 TCP6', v2(0x21, 0x21, TCP6), '2001:db8:0:0:0:0:0:1', false],
  ['v2 TCP6, mapped', v2(0x21, 0x21, MAPPED), '203.0.113.9', false],
  ['v2 TCP4 with records', v2(0x21, 0x11, [...TCP4, 0x04, 0x00, 0x02, 0xaa, 0xbb, 0x01, 0x00, 0x00]), '203.0.113.9', false],
  ['v2 TCP4 with a checksum', checked(0x21, TCP4), '203.0.113.9', false],
  ['v2 TCP4 with a checksum among records', checked(0x21, TCP4, 0x04, 0x00, 0x01, 0xaa), '203.0.113.9', false],
  ['v2 of the greatest length', v2(0x21, 0x11, [...TCP4, 0x04, 0x01, 0xf9, ...Array.from({ length: 505 }, () => 0)]), '203.0.113.9', false],
  ['v2 LOCAL', v2(0x20, 0x00, []), undefined, true],
  ['v2 LOCAL with addresses', v2(0x20, 0x11, TCP4), undefined, true],
  ['v2 PROXY of an unspecified family', v2(0x21, 0x00, []), undefined, false],
]

describe('a valid header', () => {
  it.each(VALID)('%s', (_title, header, source, local) => {
    const expected = { kind: 'parsed', local, consumed: header.length, ...(source === undefined ? {} : { source }) }
    expect(parseProxyHeader(header)).toEqual(expected)
    expect(parseProxyHeader(Buffer.concat([header, Buffer.from(REQUEST)]))).toEqual(expected)
  })

  it.each(VALID)('%s is incomplete at every byte before its last', (_title, header) => {
    for (let length = 0; length < header.length; length += 1) expect(parseProxyHeader(header.subarray(0, length)).kind).toBe('incomplete')
  })
})

describe('anything else is invalid', () => {
  it.each([
    REQUEST, 'G', 'proxy TCP4 1.2.3.4 1.2.3.4 1 2\r\n', 'PROXY  TCP4 1.2.3.4 1.2.3.4 1 2\r\n', 'PROXY TCP4 1.2.3.4 1.2.3.4 1 2\n', 'PROXY TCP4 1.2.3.4 1.2.3.4 1\r\n',
    'PROXY TCP4 1.2.3.4 1.2.3.4 1 2 3\r\n', 'PROXY TCP4 1.2.3.4 1.2.3.4 01 2\r\n', 'PROXY TCP4 1.2.3.4 1.2.3.4 65536 2\r\n', 'PROXY TCP4 1.2.3.4 1.2.3.4 -1 2\r\n', 'PROXY TCP4 ::1 ::1 1 2\r\n', 'PROXY TCP4 ::1 1.2.3.4 1 2\r\n', 'PROXY TCP6 1.2.3.4 ::1 1 2\r\n', 'PROXY TCP6 1.2.3.4 1.2.3.4 1 2\r\n',
    'PROXY TCP4 01.2.3.4 1.2.3.4 1 2\r\n', 'PROXY TCP4 0x7f.1 1.2.3.4 1 2\r\n', 'PROXY TCP6 fe80::1%lo ::1 1 2\r\n', 'PROXY TCP4 1.2.3.4 nowhere 1 2\r\n', 'PROXY UDP4 1.2.3.4 1.2.3.4 1 2\r\n', 'PROXY UNKNOWNX\r\n', 'PROXY \r\n',
    'PROXY TCP4\t1.2.3.4 1.2.3.4 1 2\r\n', 'PROXY TCP4 1.2.3.4 1.2.3.4 1 2 \r\n', 'PROXY TCP4 1.2.3.4\u0000 1.2.3.4 1 2\r\n', `PROXY UNKNOWN ${'x'.repeat(92)}\r\n`, `PROXY ${'x'.repeat(200)}`,
  ])('%j', (text) => {
    expect(parseProxyHeader(Buffer.from(text, 'latin1')).kind).toBe('invalid')
  })

  it('a CR may be the first half of the CRLF', () => {
    expect(parseProxyHeader(Buffer.from('PROXY TCP4 1.2.3.4 1.2.3.4 1 2\r')).kind).toBe('incomplete')
    expect(parseProxyHeader(Buffer.from('PROXY TCP4 1.2.3.4 1.2.3.4 1 2\rG')).kind).toBe('invalid')
  })

  it.each([
    ['version 1', v2(0x11, 0x11, TCP4)], ['version 3', v2(0x31, 0x11, TCP4)], ['an unknown command', v2(0x22, 0x11, TCP4)], ['UDP', v2(0x21, 0x12, TCP4)], ['a unix address', v2(0x21, 0x31, Array.from({ length: 216 }, () => 0))],
    ['an unknown family', v2(0x21, 0x41, TCP4)], ['short addresses', v2(0x21, 0x11, TCP4.slice(0, 8))], ['IPv4 addresses called IPv6', v2(0x21, 0x21, TCP4)], ['records that overrun', v2(0x21, 0x11, [...TCP4, 0x04, 0x00, 0x05, 0xaa])],
    ['half a record', v2(0x21, 0x11, [...TCP4, 0x04, 0x00])], ['too long', v2(0x21, 0x11, TCP4, 521)], ['the greatest length field', v2(0x21, 0x11, TCP4, 65_535)],
  ])('v2 with %s', (_title, header) => {
    expect(parseProxyHeader(header).kind).toBe('invalid')
  })
})

describe('a checksum', () => {
  it('that does not fit is invalid, whichever byte behind the lengths is another one, but for that which says that it is a checksum', () => {
    const header = checked(0x21, TCP4, 0x04, 0x00, 0x01, 0xaa)
    for (let at = 16; at < header.length; at += 1) {
      if (at === 28) continue
      const changed = Buffer.from(header)
      changed[at] = (changed[at] ?? 0) ^ 0x01
      expect(parseProxyHeader(changed).kind, `byte ${at}`).toBe('invalid')
    }
  })

  it.each<[string, readonly number[]]>([['of three bytes', [0x03, 0, 3, 1, 2, 3]], ['of none', [0x03, 0, 0]]])('%s is invalid', (_what, record) => {
    expect(parseProxyHeader(v2(0x21, 0x11, [...TCP4, ...record]))).toEqual({ kind: 'invalid', reason: 'expected one checksum of four bytes' })
  })

  it('that stands there twice is invalid', () => {
    expect(parseProxyHeader(checked(0x21, TCP4, 0x03, 0, 4, 0, 0, 0, 0)).kind).toBe('invalid')
  })

  it('is the one that a real proxy writes', async ({ skip }) => {
    if (spawnSync('haproxy', ['-v']).status !== 0) return skip('haproxy is not installed')
    const header = await headerOfHaproxy()
    expect(header[28]).toBe(0x03)
    expect(parseProxyHeader(header)).toMatchObject({ kind: 'parsed', source: '127.0.0.1' })
    header[16] = 10
    expect(parseProxyHeader(header)).toEqual({ kind: 'invalid', reason: 'the checksum does not fit' })
  })
})

/** The first bytes that HAProxy sends to a server behind it. */
async function headerOfHaproxy(): Promise<Buffer> {
  const [folder, port] = [mkdtempSync(join(tmpdir(), 'postern-haproxy-')), await freePort()]
  const server = createServer()
  const received = new Promise<Buffer>((resolve) => server.once('connection', (socket) => socket.once('data', (bytes: Buffer) => {
    socket.destroy()
    resolve(bytes)
  })))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port: behind } = server.address() as AddressInfo
  writeFileSync(join(folder, 'haproxy.cfg'), `defaults\n mode tcp\n timeout connect 1s\n timeout client 5s\n timeout server 5s\nlisten one\n bind 127.0.0.1:${port}\n server two 127.0.0.1:${behind} send-proxy-v2 proxy-v2-options crc32c\n`)
  const haproxy = spawn('haproxy', ['-db', '-f', join(folder, 'haproxy.cfg')], { stdio: 'ignore' })
  const knock = setInterval(() => void connect(port, '127.0.0.1').on('error', () => undefined).end('hello'), 50)
  try {
    return await received
  } finally {
    clearInterval(knock)
    haproxy.kill('SIGKILL')
    server.close()
    rmSync(folder, { recursive: true })
  }
}

describe('parseProxyHeader on anything', () => {
  it('never throws, never waits for more than 536 bytes, and never takes more than there is', () => {
    const starts = fc.constantFrom('', 'PROXY ', 'PROXY TCP4 ', 'PROXY UNKNOWN', String.fromCharCode(...SIGNATURE), String.fromCharCode(...SIGNATURE, 0x21, 0x11))
    fc.assert(
      fc.property(starts, fc.uint8Array({ maxLength: 700 }), (start, rest) => {
        const bytes = Buffer.concat([Buffer.from(start, 'latin1'), rest])
        const header = parseProxyHeader(bytes)
        if (header.kind === 'incomplete') expect(bytes.length).toBeLessThan(536)
        if (header.kind === 'parsed') expect(header.consumed).toBeLessThanOrEqual(bytes.length)
      }),
      { numRuns: 2_000 },
    )
  })
})
