import { beforeEach, describe, expect, it } from 'vitest'
import { SILENT } from '../model/event.ts'
import { createDenyList, type Proof } from './deny-list.ts'
import type { DenyEntry, KeyStore } from './key-store.ts'
import { KeyStoreUnavailable } from './key-store.ts'
import { createMemoryStore } from './memory-store.ts'

const NOW = 1_800_000_000_000
const HOUR = 3_600_000
const proof: Proof = { authenticator: 'jwt', jti: 't1', sub: ['alice'], sid: 's1', issuedAt: NOW - 60_000 }
const entry = (members: Partial<DenyEntry>): DenyEntry => ({ kind: 'jti', value: 't1', authenticator: '*', until: NOW + HOUR, issuedBefore: undefined, ...members })

let store: KeyStore
let broken: boolean
beforeEach(() => {
  broken = false
  const memory = createMemoryStore()
  const fail = (): never => {
    throw new KeyStoreUnavailable('gone')
  }
  store = { ...memory, generation: () => (broken ? fail() : memory.generation()), denied: (now) => (broken ? fail() : memory.denied(now)) }
})

describe('a deny list', () => {
  it.each<[string, Partial<DenyEntry>, string]>([
    ['the token', {}, 'denied'],
    ['another token', { value: 't2' }, 'clear'],
    ['the subject', { kind: 'sub', value: 'alice' }, 'denied'],
    ['the session', { kind: 'sid', value: 's1' }, 'denied'],
    ['a session that is called as the subject', { kind: 'sid', value: 'alice' }, 'clear'],
    ['the subject at this authenticator', { kind: 'sub', value: 'alice', authenticator: 'jwt' }, 'denied'],
    ['an equal subject at another authenticator', { kind: 'sub', value: 'alice', authenticator: 'partner' }, 'clear'],
    ['the token until a moment ago', { until: NOW }, 'clear'],
    ['what was issued before the token was', { issuedBefore: NOW - 120_000 }, 'clear'],
    ['what was issued until now', { issuedBefore: NOW }, 'denied'],
  ])('that names %s leaves it %s', async (_what, members, standing) => {
    await store.deny([entry(members)])
    expect(await createDenyList({ store, observer: SILENT }).check(proof, NOW)).toMatchObject({ kind: standing })
  })

  it('denies a token that does not say when it was issued', async () => {
    await store.deny([entry({ issuedBefore: 1 })])
    expect(await createDenyList({ store, observer: SILENT }).check({ ...proof, issuedAt: undefined }, NOW)).toMatchObject({ kind: 'denied', by: 'jti' })
  })

  it('hears of a new entry within a quarter of a second, and of its end at once', async () => {
    const list = createDenyList({ store, observer: SILENT })
    expect(await list.check(proof, NOW)).toEqual({ kind: 'clear' })
    await store.deny([entry({ until: NOW + 1_000 })])
    expect(await list.check(proof, NOW + 250)).toEqual({ kind: 'denied', by: 'jti' })
    expect(await list.check(proof, NOW + 1_000)).toEqual({ kind: 'clear' })
  })

  it('that was never read lets nobody in, and says that it could not be read', async () => {
    broken = true
    expect(await createDenyList({ store, observer: SILENT }).check(proof, NOW)).toEqual({ kind: 'unknown', cause: 'gone' })
  })

  it('that is known counts for five minutes without the store, and not longer', async () => {
    const list = createDenyList({ store, observer: SILENT })
    await store.deny([entry({ kind: 'sub', value: 'mallory' })])
    await list.check(proof, NOW)
    broken = true
    expect(await list.check(proof, NOW + 300_000)).toEqual({ kind: 'clear' })
    expect(await list.check({ ...proof, sub: ['mallory'] }, NOW + 300_000)).toMatchObject({ kind: 'denied' })
    expect(await list.check(proof, NOW + 300_301)).toMatchObject({ kind: 'unknown' })
  })
})
