import { describe, expect, it } from 'vitest'
import { endOf, stateOf } from './key-record.ts'
import { sampleRecord } from './key-store.contract.ts'

const NOW = 1_000

describe('the state of a key', () => {
  it.each([
    ['active without any end', {}, 'active'],
    ['active until the millisecond before it expires', { expiresAt: NOW + 1 }, 'active'],
    ['expired from its expiry on', { expiresAt: NOW }, 'expired'],
    ['suspended while its owner is', { status: 'suspended' }, 'suspended'],
    ['revoked once revoked, whatever the time', { revokedAt: NOW + 99 }, 'revoked'],
    ['revoked rather than expired or suspended', { revokedAt: 1, expiresAt: 2, status: 'suspended' }, 'revoked'],
    ['active while a rotation overlaps', { replacedBy: 'key_2', overlapEndsAt: NOW + 1 }, 'active'],
    ['revoked when the overlap ends', { replacedBy: 'key_2', overlapEndsAt: NOW }, 'revoked'],
    ['expired rather than suspended', { expiresAt: NOW, status: 'suspended' }, 'expired'],
  ] as const)('is %s', (_name, members, expected) => {
    expect(stateOf(sampleRecord(members), NOW)).toBe(expected)
  })

  it('ends with the earlier of expiry and overlap', () => {
    expect(endOf(sampleRecord())).toBeUndefined()
    expect(endOf(sampleRecord({ expiresAt: 5, overlapEndsAt: 3 }))).toBe(3)
  })
})
