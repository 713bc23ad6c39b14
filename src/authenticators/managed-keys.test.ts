import { describe, expect, it } from 'vitest'
import type { KeyAnswer } from '../keys/key-lookup.ts'
import { sampleRecord } from '../keys/key-store.contract.ts'
import type { Credential } from '../model/credential.ts'
import { createManagedKeyCheck } from './managed-keys.ts'

const credential: Credential = { kind: 'credential', value: 'the-key', locations: [{ kind: 'header', name: 'x-api-key' }] }
const check = (answer: KeyAnswer) => createManagedKeyCheck({ authenticatorId: 'keys', lookup: { find: () => answer, ended: () => false, close: async () => undefined } })(credential, 1)
const record = sampleRecord({ id: 'key_1', owner: 'user_abc123', email: 'developer@example.com', tier: 'pro', scopes: ['a'], roles: ['r'], name: 'n', createdAt: Date.UTC(2025, 0, 1) })

describe('a managed key', () => {
  it('stands for its owner, with everything that its record says about it', () => {
    expect(check({ kind: 'active', record })).toEqual({
      kind: 'authenticated',
      principal: {
        kind: 'identified', subject: 'user_abc123', authenticatorId: 'keys', credentialId: 'key_1', scopes: new Set(['a']), roles: ['r'], tier: 'pro', email: 'developer@example.com',
        carrier: { kind: 'header', name: 'x-api-key' }, locations: credential.locations,
        attributes: { id: 'user_abc123', key_id: 'key_1', owner: 'user_abc123', email: 'developer@example.com', tier: 'pro', name: 'n', created_at: '2025-01-01T00:00:00Z', status: 'active', scopes: ['a'], roles: ['r'] },
      },
    })
  })

  it('ends with its expiry or its overlap, so that tunnels are closed then', () => {
    expect(check({ kind: 'active', record: { ...record, expiresAt: 9, overlapEndsAt: 5 } })).toMatchObject({ principal: { expiresAt: 5 } })
  })

  it('hands on neither digest nor pepper', () => {
    expect(JSON.stringify(check({ kind: 'active', record }))).not.toMatch(new RegExp(`${record.digest}|${record.pepperId}`))
  })

  it.each<[KeyAnswer, object]>([
    [{ kind: 'suspended', record }, { kind: 'rejected', reason: 'account_suspended', evidence: { key_id: 'key_1' } }],
    [{ kind: 'revoked', record }, { kind: 'rejected', reason: 'key_revoked', evidence: { key_id: 'key_1' } }],
    [{ kind: 'expired', record }, { kind: 'rejected', reason: 'key_expired', evidence: { key_id: 'key_1' } }],
    [{ kind: 'unknown' }, { kind: 'rejected', reason: 'key_unknown' }],
    [{ kind: 'malformed' }, { kind: 'rejected', reason: 'key_malformed' }],
    [{ kind: 'unavailable', cause: 'gone' }, { kind: 'unavailable', dependency: 'key_store', cause: 'gone' }],
    [{ kind: 'unavailable', cause: 'busy', retryAfterMs: 7 }, { kind: 'unavailable', dependency: 'key_store', cause: 'busy', retryAfterMs: 7 }],
  ])('that is $kind is told as such', (answer, expected) => {
    expect(check(answer)).toEqual(expected)
  })
})
