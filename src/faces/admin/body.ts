import type { IncomingMessage } from 'node:http'

/** Far more than a key's members need. */
export const MAX_BODY_BYTES = 16_384

/** There is more of it than {@link MAX_BODY_BYTES}; the connection must end with the answer. */
export class BodyTooLarge extends Error {
  constructor() {
    super(`more than ${MAX_BODY_BYTES} bytes`)
    this.name = 'BodyTooLarge'
  }
}

/**
 * The text of a body, read from the message itself: what the adapter hands on as a Request cannot be copied while the global Request
 * stays Node's own.
 *
 * @throws {BodyTooLarge} without having kept the body
 */
export function textOf(incoming: IncomingMessage): Promise<string> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = []
    let bytes = 0
    incoming.on('data', (chunk: Buffer) => {
      bytes += chunk.length
      if (bytes <= MAX_BODY_BYTES) return void chunks.push(chunk)
      incoming.pause()
      reject(new BodyTooLarge())
    })
    incoming.on('end', () => resolve(Buffer.concat(chunks).toString('utf8')))
    incoming.on('error', reject)
  })
}
