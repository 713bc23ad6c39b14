import { describe, expect, it } from 'vitest'
import { principal } from '../../test/support/described.ts'
import type { Credential } from '../model/credential.ts'
import { createVerificationCache } from './verification-cache.ts'

const cache = (more = {}) => createVerificationCache({ authenticatorId: 'jwt', ttlMs: 60_000, maxEntries: 3, ...more })
const credential = (value: string): Credential => ({ kind: 'credential', value, locations: [] })
const entry = (until: number) => ({ principal: principal('alice'), until })

describe('the verification cache', () => {
  it.each([
    ['for its time to live', 1_000_000, 59_999, true],
    ['no longer than that', 1_000_000, 60_000, false],
    ['never past the expiry of the token', 30_000, 30_000, false],
    ['until just before it', 30_000, 29_999, true],
  ])('remembers %s', (_title, until, later, expected) => {
    const tokens = cache()
    tokens.set(credential('token'), entry(until), 0)
    expect(tokens.get(credential('token'), later) !== undefined).toBe(expected)
  })

  it('remembers nothing when it is turned off, or the token has expired', () => {
    const off = cache({ ttlMs: 0 })
    off.set(credential('token'), entry(1_000_000), 0)
    const on = cache()
    on.set(credential('token'), entry(5), 5)
    expect([off.get(credential('token'), 0), off.size(), on.size()]).toEqual([undefined, 0, 0])
  })

  it('forgets what has run out, on request, and all of it', () => {
    const tokens = cache()
    for (const token of ['a', 'b', 'c']) tokens.set(credential(token), entry(100), 0)
    tokens.get(credential('a'), 100)
    tokens.delete(credential('b'))
    expect(tokens.size()).toBe(1)
    tokens.clear()
    expect(tokens.size()).toBe(0)
  })

  it('tells tokens apart that differ in one character', () => {
    const tokens = cache()
    tokens.set(credential('token'), entry(100), 0)
    expect(tokens.get(credential('tokeN'), 0)).toBeUndefined()
  })

  it('is bounded by entries and by size, and keeps what was used last', () => {
    const tokens = cache()
    for (const token of ['a', 'b', 'c', 'd']) tokens.set(credential(token), entry(100), 0)
    expect([tokens.size(), tokens.get(credential('a'), 0)]).toEqual([3, undefined])
    const large = cache({ maxEntries: 100_000 })
    for (let index = 0; index < 5_000; index += 1) large.set(credential(`${index}${'x'.repeat(8_192)}`), entry(100), 0)
    expect(large.size()).toBeLessThan(4_200)
  })

  it('works out a digest once for a credential, whoever asks', () => {
    const [tokens, others, asked] = [cache(), cache({ authenticatorId: 'other' }), credential('token')]
    tokens.set(credential('token'), entry(100), 0)
    expect(tokens.get(asked, 0)).toBeDefined()
    const { digest } = asked
    expect(digest).toMatch(/^[0-9a-f]{64}$/)
    expect([tokens.get(asked, 0) !== undefined, others.get(asked, 0)]).toEqual([true, undefined])
    expect(asked.digest).toBe(digest)
  })

  it('never tells what another authenticator believes, though both know the token by one digest (T39)', () => {
    const [tokens, others, asked] = [cache(), cache({ authenticatorId: 'other' }), credential('token')]
    tokens.set(asked, entry(100), 0)
    expect([tokens.get(asked, 0)?.principal.authenticatorId, others.get(asked, 0)]).toEqual(['jwt', undefined])
    others.set(asked, entry(100), 0)
    expect([others.get(asked, 0), others.size()]).toEqual([undefined, 0])
  })
})
