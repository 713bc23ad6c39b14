import { describe, expect, it } from 'vitest'
import { sampleRecord } from './key-store.contract.ts'
import { viewOf } from './key-view.ts'

describe('what is told of a key', () => {
  it('has every member, with null for what there is not, and neither digest nor pepper', () => {
    const record = sampleRecord({ id: 'key_1', createdAt: Date.UTC(2025, 0, 1, 0, 0, 0, 999), expiresAt: Date.UTC(2026, 0, 1) })
    const view = viewOf(record, Date.UTC(2026, 0, 1))
    expect(view).toEqual({
      id: 'key_1', display: 'acme_live_…c9Xk', state: 'expired', owner: 'user_1', email: null, tier: null, status: 'active', scopes: [], roles: [], name: null, notes: null,
      created_at: '2025-01-01T00:00:00Z', expires_at: '2026-01-01T00:00:00Z', revoked_at: null, last_used_at: null, uses: 0, environment: null, allowed_networks: [], limits: [], replaces: null, replaced_by: null, overlap_ends_at: null,
    })
    expect(JSON.stringify(view)).not.toContain(record.digest)
    expect(JSON.stringify(view)).not.toContain(record.pepperId)
  })
})
