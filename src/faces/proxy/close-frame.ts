import { randomBytes } from 'node:crypto'

/** Reasons we close a tunnel for (RFC 6455 section 7.4.1). */
export const GOING_AWAY = 1001
export const POLICY_VIOLATION = 1008

const FIN_CLOSE = 0x88
const MASKED = 0x80

/** A close frame as a server sends it: not masked. */
export function closeFrameFromServer(code: number): Buffer {
  return Buffer.from([FIN_CLOSE, 2, code >> 8, code & 0xff])
}

/** A close frame as a client sends it: masked (RFC 6455 section 5.3). */
export function closeFrameFromClient(code: number): Buffer {
  const mask = randomBytes(4)
  const payload = [code >> 8, code & 0xff].map((byte, index) => byte ^ (mask[index] ?? 0))
  return Buffer.concat([Buffer.from([FIN_CLOSE, MASKED | 2]), mask, Buffer.from(payload)])
}
