const MIN_BYTES = 32
const MIN_DISTINCT = 8
const MAX_PERIOD = 12

/** Secrets of manuals and default installations that are long enough to look like one. */
const KNOWN = new Set([
  'super-secret-jwt-token-with-at-least-32-characters-long',
  'your-super-secret-jwt-token-with-at-least-32-characters-long',
  'a-string-secret-at-least-256-bits-long',
  'a-string-secret-at-least-512-bits-long-which-is-very-long-for-a-secret',
  'a-valid-string-secret-that-is-at-least-512-bits-long-which-is-very-long',
  'your-256-bit-secret-your-256-bit-secret',
  'this-is-a-secret-key-that-should-be-changed',
  'please-change-this-secret-in-production',
  'change-this-super-secret-key-in-production',
])

/** Whether a text is one short piece written again and again. */
const isRepetition = (secret: string): boolean => Array.from({ length: MAX_PERIOD }, (_, index) => secret.slice(0, index + 1)).some((piece) => piece.repeat(Math.ceil(secret.length / piece.length)).slice(0, secret.length) === secret)

/**
 * Why an HMAC secret is too weak to be one, or undefined (RFC 7518 section 3.2: at least as long as the hash; T42). The text never
 * repeats the secret.
 */
export function secretFault(secret: string): string | undefined {
  const bytes = Buffer.byteLength(secret)
  if (bytes < MIN_BYTES) return `a secret of ${bytes} bytes; expected at least ${MIN_BYTES}, for example from: openssl rand -base64 48`
  if (KNOWN.has(secret)) return 'a secret that stands in public manuals; make one with: openssl rand -base64 48'
  if (new Set(secret).size < MIN_DISTINCT || isRepetition(secret)) return 'a secret that can be guessed; make one with: openssl rand -base64 48'
  return undefined
}
