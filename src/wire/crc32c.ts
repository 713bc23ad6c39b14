/** Castagnoli's polynomial, reflected. The CRC-32 of `node:zlib` has another one. */
const POLYNOMIAL = 0x82f63b78

const shifted = (byte: number): number => {
  let value = byte
  for (let bit = 0; bit < 8; bit += 1) value = (value & 1) === 1 ? (value >>> 1) ^ POLYNOMIAL : value >>> 1
  return value >>> 0
}

const TABLE: Readonly<Uint32Array> = Uint32Array.from({ length: 256 }, (_none, byte) => shifted(byte))

/** CRC-32C of the bytes (RFC 3720 appendix B.4), as an unsigned number. */
export function crc32c(bytes: Uint8Array): number {
  let crc = 0xffffffff
  for (const byte of bytes) crc = (TABLE[(crc ^ byte) & 0xff] ?? 0) ^ (crc >>> 8)
  return (crc ^ 0xffffffff) >>> 0
}
