import { randomBytes } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { secretFault } from './hmac-secret.ts'

describe('an HMAC secret', () => {
  it.each([
    ['', '0 bytes'],
    ['secret', '6 bytes'],
    ['x'.repeat(31), '31 bytes'],
    ['super-secret-jwt-token-with-at-least-32-characters-long', 'public manuals'],
    ['a-string-secret-at-least-256-bits-long', 'public manuals'],
    ['a'.repeat(40), 'guessed'],
    ['changeme'.repeat(5), 'guessed'],
    ['0123456789'.repeat(4), 'guessed'],
    ['abababababababababababababababababab', 'guessed'],
  ])('is refused when it is %j', (secret, why) => {
    expect(secretFault(secret)).toContain(why)
    if (secret.length > 6) expect(secretFault(secret)).not.toContain(secret)
  })

  it('is taken when it is random, in any encoding', () => {
    for (const encoding of ['hex', 'base64', 'base64url'] as const) {
      for (let round = 0; round < 200; round += 1) expect(secretFault(randomBytes(32).toString(encoding))).toBeUndefined()
    }
  })
})
