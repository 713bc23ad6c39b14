import { describe, expect, it } from 'vitest'
import { checkKeyRequest, KeyActRefused, overlapOf } from './key-request.ts'

const NOW = Date.UTC(2026, 0, 1)
const check = (members: Record<string, unknown>, tiers: readonly string[] = []) => checkKeyRequest({ owner: 'user_1', ...members }, NOW, tiers)

describe('a request for a key', () => {
  it('needs nothing but an owner', () => {
    expect(check({})).toEqual({ owner: 'user_1', status: 'active', scopes: [], roles: [], allowedNetworks: [], limits: [] })
  })

  it('keeps everything that was asked for', () => {
    expect(check({ email: 'a@example.com', tier: 'pro', status: 'suspended', scopes: ['a:read', 'a:read', 'b'], roles: ['admin'], name: 'Jörg\'s job', notes: 'x', expires: '90d', environment: 'test', allowedNetworks: ['10.0.0.0/8'], limits: ['60/10s', '5/minute'] }))
      .toEqual({ owner: 'user_1', email: 'a@example.com', tier: 'pro', status: 'suspended', scopes: ['a:read', 'b'], roles: ['admin'], name: 'Jörg\'s job', notes: 'x', expiresAt: NOW + 90 * 86_400_000, environment: 'test', allowedNetworks: ['10.0.0.0/8'], limits: [{ quota: 60, windowMs: 10_000 }, { quota: 5, windowMs: 60_000 }] })
  })

  it.each([
    ['an empty owner', { owner: '' }],
    ['an owner with a line break, which would be another header', { owner: 'a\r\nX-Admin: 1' }],
    ['an owner of 256 characters', { owner: 'a'.repeat(256) }],
    ['a name that turns the terminal around', { name: '\u202egnp.exe' }],
    ['a name with an escape sequence', { name: '\u001b[2J' }],
    ['an e-mail without an @', { email: 'nobody' }],
    ['an unknown status', { status: 'banned' }],
    ['a scope with a blank', { scopes: ['a b'] }],
    ['a scope with a quote, which would break a challenge', { scopes: ['a"b'] }],
    ['an empty scope', { scopes: [''] }],
    ['a network that is none', { allowedNetworks: ['10.0.0.0/33'] }],
    ['a limit of nothing', { limits: ['0/minute'] }],
    ['a limit that is no limit', { limits: ['many'] }],
    ['an environment of two words', { environment: 'live_eu' }],
    ['an expiry in the past', { expires: '2025-01-01' }],
    ['an expiry that is no time', { expires: 'soon' }],
    ['a tier that the config does not have', { tier: 'gold' }],
  ])('is refused with %s', (_what, members) => {
    expect(() => check(members, ['free', 'pro'])).toThrow(KeyActRefused)
  })

  it('takes any tier when the config has none', () => expect(check({ tier: 'gold' }).tier).toBe('gold'))
})

describe('an overlap', () => {
  it.each([['6s', 6_000], ['24h', 86_400_000], ['0', 0]])('of %s is %d ms', (text, ms) => expect(overlapOf(text)).toBe(ms))
  it('is refused when it is no duration', () => expect(() => overlapOf('long')).toThrow(KeyActRefused))
})
