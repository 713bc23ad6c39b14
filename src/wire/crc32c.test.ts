import { describe, expect, it } from 'vitest'
import { crc32c } from './crc32c.ts'

const READ_COMMAND = '01c000000000000000000000000000001400000000000400000000140000001828000000000000000200000000000000'

describe('CRC-32C', () => {
  it.each<[string, Buffer, number]>([
    ['32 bytes of zeros', Buffer.alloc(32), 0x8a9136aa],
    ['32 bytes of ones', Buffer.alloc(32, 0xff), 0x62a8ab43],
    ['32 bytes that rise from 0', Buffer.from(Array.from({ length: 32 }, (_none, index) => index)), 0x46dd794e],
    ['32 bytes that fall to 0', Buffer.from(Array.from({ length: 32 }, (_none, index) => 31 - index)), 0x113fdb5c],
    ['a command to read, as SCSI has it', Buffer.from(READ_COMMAND, 'hex'), 0xd9963a56],
    ['the digits 1 to 9', Buffer.from('123456789'), 0xe3069283],
    ['nothing', Buffer.alloc(0), 0],
  ])('of %s is that of RFC 3720, appendix B.4, or of the catalogues', (_what, bytes, expected) => {
    expect(crc32c(bytes).toString(16)).toBe(expected.toString(16))
  })
})
