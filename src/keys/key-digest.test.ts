import { createHmac } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { createKeyHasher, PepperError, pepperIdOf } from './key-digest.ts'

const NEW = 'the-new-pepper-of-today'
const OLD = 'the-old-pepper-of-yesterday'

describe('a key digest', () => {
  it('is HMAC-SHA-256 of the whole key under the current pepper', () => {
    const { digest, pepperId } = createKeyHasher({ pepper: NEW }).digestOf('acme_key')
    expect(digest).toBe(createHmac('sha256', NEW).update('acme_key').digest('hex'))
    expect(pepperId).toBe(pepperIdOf(NEW))
  })

  it('can also be made under previous peppers, newest first', () => {
    const hasher = createKeyHasher({ pepper: NEW, previous: [OLD, 'an-even-older-pepper'] })
    expect(hasher.previousDigestsOf('k').map((each) => each.pepperId)).toEqual([pepperIdOf(OLD), pepperIdOf('an-even-older-pepper')])
    expect(hasher.previousDigestsOf('k')[0]).toEqual(createKeyHasher({ pepper: OLD }).digestOf('k'))
  })

  it('is not computed twice when the current pepper is also listed as a previous one', () => {
    expect(createKeyHasher({ pepper: NEW, previous: [NEW] }).previousDigestsOf('k')).toEqual([])
  })

  it.each([['the pepper', { pepper: 'fifteen-chars-x' }], ['a previous pepper', { pepper: NEW, previous: [''] }]])('needs 16 characters of %s', (_which, peppers) => {
    expect(() => createKeyHasher(peppers)).toThrow(PepperError)
  })

  it('names a pepper by eight digits that do not contain it, nor does the complaint about a short one', () => {
    expect(pepperIdOf(NEW)).toMatch(/^[0-9a-f]{8}$/)
    expect(() => createKeyHasher({ pepper: 'short-secret' })).toThrow(expect.not.objectContaining({ message: expect.stringContaining('short-secret') }))
  })
})
