import { describe, expect, it } from 'vitest'
import { createDenyList } from '../keys/deny-list.ts'
import { createMemoryStore } from '../keys/memory-store.ts'
import { SILENT } from '../model/event.ts'
import type { Authenticator, Verification } from '../model/ports.ts'
import type { IdentifiedPrincipal } from '../model/principal.ts'
import { proofOf, withDenyList } from './with-deny-list.ts'

const NOW = 1_800_000_000_000
const carrier = { kind: 'header', name: 'authorization' } as const
const principal: IdentifiedPrincipal = {
  kind: 'identified', subject: 'acme|alice', authenticatorId: 'jwt', credentialId: 't1', scopes: new Set(), roles: [], carrier, locations: [carrier],
  attributes: { sub: 'alice', sid: 's1', iat: NOW / 1_000 - 60 },
}
const saying = (verification: Verification, kind: Authenticator['kind'] = 'jwt'): Authenticator => ({
  id: 'jwt', kind, challenge: { scheme: 'Bearer', parameters: [] }, carriers: [], forwardCredential: 'strip', extract: () => undefined, verify: () => verification,
})
const credential = { kind: 'credential', value: 'x', locations: [carrier] } as const

describe('an authenticator with a deny list', () => {
  it.each([['jti', 't1'], ['sub', 'alice'], ['sub', 'acme|alice'], ['sid', 's1']] as const)('refuses as revoked what is denied by its %s %s', async (kind, value) => {
    const store = createMemoryStore()
    await store.deny([{ kind, value, authenticator: '*', until: NOW + 1, issuedBefore: undefined }])
    const { verify, ended } = withDenyList(saying({ kind: 'authenticated', principal }), createDenyList({ store, observer: SILENT }))
    expect(await verify(credential, NOW)).toEqual({ kind: 'rejected', reason: 'token_revoked', evidence: { denied_by: kind } })
    expect(await ended?.(principal, NOW)).toBe(true)
  })

  it('answers at once when the list is at hand, and leaves alone what nobody denies', () => {
    const accepted = { kind: 'authenticated', principal } as const
    const { verify, ended } = withDenyList(saying(accepted), createDenyList({ store: createMemoryStore(), observer: SILENT }))
    expect(verify(credential, NOW)).toBe(accepted)
    expect(ended?.(principal, NOW)).toBe(false)
  })

  it('cannot check while the list cannot be read, and ends nothing that is open for it', async () => {
    const list = { check: () => ({ kind: 'unknown', cause: 'gone' }) as const }
    const { verify, ended } = withDenyList(saying({ kind: 'authenticated', principal }), list)
    expect(await verify(credential, NOW)).toEqual({ kind: 'unavailable', dependency: 'deny_list', cause: 'gone' })
    expect(await ended?.(principal, NOW)).toBe(false)
  })

  it('does not ask about refusals', async () => {
    const refusal = { kind: 'rejected', reason: 'jwt_expired' } as const
    const list = { check: () => { throw new Error('asked') } }
    expect(await withDenyList(saying(refusal), list).verify(credential, NOW)).toBe(refusal)
  })

  it('keeps keys alive when earlier logins are ended', () => {
    expect(proofOf(principal, 'api_key').issuedAt).toBe(Infinity)
    expect(proofOf(principal, 'jwt').issuedAt).toBe(NOW - 60_000)
  })
})
