import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { base62Of } from './key-format.ts'
import type { KeyRecord } from './key-record.ts'
import type { KeyStore } from './key-store.ts'

let made = 0

/** A record like any other, with the members that a test cares about. */
export function sampleRecord(members: Partial<KeyRecord> = {}): KeyRecord {
  made += 1
  const id = `key_${base62Of(Buffer.from(String(made)), 16)}`
  return {
    id, alg: 'hmac-sha256', digest: made.toString(16).padStart(64, '0'), pepperId: 'abcdef01', prefix: 'acme_live', last4: 'c9Xk',
    owner: 'user_1', email: undefined, tier: undefined, status: 'active', scopes: [], roles: [], name: undefined, notes: undefined,
    createdAt: 1_700_000_000_000, expiresAt: undefined, revokedAt: undefined, replacedBy: undefined, replaces: undefined,
    overlapEndsAt: undefined, environment: undefined, allowedNetworks: [], limits: [], lastUsedAt: undefined, uses: 0, version: 1, ...members,
  }
}

/** A store to test, and a second handle on the same data as another process would have it; stores that live in one process give none. */
export interface StoreUnderTest {
  readonly store: KeyStore
  readonly other?: KeyStore
  readonly dispose: () => Promise<void>
}

/** What every key store promises. */
export function keyStoreContract(name: string, open: () => Promise<StoreUnderTest>): void {
  describe(`${name} as a key store`, () => {
    let subject: StoreUnderTest
    let store: KeyStore
    beforeEach(async () => {
      subject = await open()
      store = subject.store
    })
    afterEach(() => subject.dispose())

    const insert = async (...records: KeyRecord[]): Promise<void> => {
      expect(await store.commit(records.map((record) => ({ kind: 'insert', record })))).toBe('committed')
    }

    it('gives back a whole record by its digest and by its id', async () => {
      const record = sampleRecord({
        email: 'dev@example.com', tier: 'pro', status: 'suspended', scopes: ['a:read', 'b'], roles: ['admin'], name: 'billing "job"', notes: 'für Ünï\n2',
        expiresAt: 1, revokedAt: 2, replacedBy: 'key_x', replaces: 'key_y', overlapEndsAt: 3, lastUsedAt: 4,
        environment: 'live', allowedNetworks: ['10.0.0.0/8', '::1'], limits: [{ quota: 5, windowMs: 60_000 }], uses: 7,
      })
      await insert(record)
      expect(await store.byDigest([record.digest])).toEqual(record)
      expect(await store.byId(record.id)).toEqual(record)
    })

    it('knows nothing of other digests and ids', async () => {
      await insert(sampleRecord())
      expect(await store.byDigest(['f'.repeat(64)])).toBeUndefined()
      expect(await store.byDigest([])).toBeUndefined()
      expect(await store.byId('key_nobody')).toBeUndefined()
    })

    it('prefers the earlier of several digests', async () => {
      const [first, second] = [sampleRecord(), sampleRecord()]
      await insert(first, second)
      expect((await store.byDigest(['0', second.digest, first.digest]))?.id).toBe(second.id)
    })

    it('never finds a bcrypt row by its digest: whoever read the file could present it', async () => {
      const record = sampleRecord({ alg: 'bcrypt', digest: `$2b$10$${'a'.repeat(53)}`, pepperId: '' })
      await insert(record)
      expect(await store.byDigest([record.digest])).toBeUndefined()
    })

    it('lists bcrypt rows that are not revoked, oldest first, up to a bound', async () => {
      const rows = ['1', '2', '3', '4'].map((digest) => sampleRecord({ alg: 'bcrypt', digest, revokedAt: digest === '1' ? 5 : undefined }))
      await insert(...rows, sampleRecord())
      expect((await store.bcryptRecords(2)).map(({ digest }) => digest)).toEqual(['2', '3'])
    })

    it('updates the record that was read, and counts its version', async () => {
      const record = sampleRecord()
      await insert(record)
      expect(await store.commit([{ kind: 'update', record: { ...record, digest: 'e'.repeat(64), status: 'suspended' } }])).toBe('committed')
      expect(await store.byId(record.id)).toMatchObject({ status: 'suspended', version: 2 })
      expect(await store.byDigest([record.digest])).toBeUndefined()
      expect((await store.byDigest(['e'.repeat(64)]))?.id).toBe(record.id)
    })

    it('refuses an update of a version that is not the newest', async () => {
      const record = sampleRecord()
      await insert(record)
      await store.commit([{ kind: 'update', record: { ...record, name: 'first' } }])
      expect(await store.commit([{ kind: 'update', record: { ...record, name: 'second' } }])).toBe('conflict')
      expect((await store.byId(record.id))?.name).toBe('first')
    })

    it.each([
      ['an id that exists', (known: KeyRecord) => sampleRecord({ id: known.id })],
      ['a digest that exists', (known: KeyRecord) => sampleRecord({ digest: known.digest })],
    ])('refuses %s', async (_what, make) => {
      const known = sampleRecord()
      await insert(known)
      expect(await store.commit([{ kind: 'insert', record: make(known) }])).toBe('conflict')
      expect(await store.byId(known.id)).toEqual(known)
    })

    it('refuses an update of what does not exist', async () => {
      expect(await store.commit([{ kind: 'update', record: sampleRecord() }])).toBe('conflict')
    })

    it('writes all of several changes or none', async () => {
      const [old, fresh] = [sampleRecord(), sampleRecord()]
      await insert(old)
      const before = await store.generation()
      expect(await store.commit([{ kind: 'insert', record: fresh }, { kind: 'update', record: { ...old, version: 7 } }])).toBe('conflict')
      expect(await store.byId(fresh.id)).toBeUndefined()
      expect(await store.generation()).toBe(before)
    })

    it('makes no more keys than an owner has room for: those that have ended make room, suspended ones do not, and others do not count', async () => {
      const now = 1_700_000_000_000
      const room = { owner: 'me', max: 2, now }
      const add = (members: Partial<KeyRecord> = {}): Promise<unknown> => Promise.resolve(store.commit([{ kind: 'insert', record: sampleRecord({ owner: 'me', ...members }) }], room))
      await insert(sampleRecord({ owner: 'you' }), sampleRecord({ owner: 'me', revokedAt: 5 }), sampleRecord({ owner: 'me', expiresAt: now }), sampleRecord({ owner: 'me', overlapEndsAt: now }))
      const working = sampleRecord({ owner: 'me', expiresAt: now + 1, overlapEndsAt: now + 1 })
      await insert(working)
      expect(await add({ status: 'suspended' })).toBe('committed')
      const before = await store.generation()
      expect(await add()).toBe('full')
      expect(await store.generation()).toBe(before)
      await store.commit([{ kind: 'update', record: { ...working, revokedAt: now } }])
      expect(await add()).toBe('committed')
      expect((await store.list({ owner: 'me', limit: 10 })).items).toHaveLength(6)
    })

    it('keeps to that room when two processes ask at the same time', async () => {
      const room = { owner: 'me', max: 3, now: 1_700_000_000_000 }
      const both = [store, subject.other ?? store]
      const outcomes = await Promise.all(Array.from({ length: 12 }, async (_, n) => both[n % 2]!.commit([{ kind: 'insert', record: sampleRecord({ owner: 'me' }) }], room)))
      expect(outcomes.toSorted()).toEqual([...Array<string>(3).fill('committed'), ...Array<string>(9).fill('full')])
    })

    it('pages through everything once, in the order of creation', async () => {
      const records = Array.from({ length: 7 }, () => sampleRecord())
      for (const record of records) await insert(record)
      const seen: string[] = []
      let after: string | undefined
      do {
        const page = await store.list({ after, limit: 3 })
        expect(page.items.length).toBeLessThanOrEqual(3)
        seen.push(...page.items.map(({ id }) => id))
        after = page.next
      } while (after !== undefined)
      expect(seen).toEqual(records.map(({ id }) => id))
    })

    it('has no next page when the last one is exactly full, and none after an unknown id', async () => {
      await insert(sampleRecord(), sampleRecord())
      expect(await store.list({ limit: 2 })).toMatchObject({ next: undefined })
      expect(await store.list({ after: 'key_nobody', limit: 2 })).toEqual({ items: [], next: undefined })
    })

    it('lists one owner only', async () => {
      const [mine, others, mineToo] = [sampleRecord({ owner: 'me' }), sampleRecord({ owner: 'you' }), sampleRecord({ owner: 'me' })]
      await insert(mine, others, mineToo)
      const first = await store.list({ owner: 'me', limit: 1 })
      expect(first.items.map(({ id }) => id)).toEqual([mine.id])
      expect((await store.list({ owner: 'me', limit: 1, after: first.next })).items.map(({ id }) => id)).toEqual([mineToo.id])
    })

    it('counts uses without moving one back, without a change of version and without losing one to an update', async () => {
      const record = sampleRecord()
      await insert(record)
      const before = await store.generation()
      await store.touch(new Map([[record.id, { at: 200, count: 3 }], ['key_nobody', { at: 1, count: 1 }]]))
      await store.touch(new Map([[record.id, { at: 100, count: 2 }]]))
      expect(await store.generation()).toBe(before)
      await store.commit([{ kind: 'update', record: { ...record, name: 'n' } }])
      expect(await store.byId(record.id)).toMatchObject({ lastUsedAt: 200, uses: 5, version: 2, name: 'n' })
    })

    it('tells by its generation that something was written', async () => {
      const before = await store.generation()
      expect(await store.generation()).toBe(before)
      await insert(sampleRecord())
      expect(await store.generation()).not.toBe(before)
    })

    it('keeps a deny list of entries that end, where the last word stands', async () => {
      const entry = { kind: 'sub', value: 'user_1', authenticator: '*', until: 2_000_000_000_000, issuedBefore: undefined } as const
      const other = { ...entry, kind: 'jti', value: 'é"1', authenticator: 'jwt', until: 2_000_000_000_005, issuedBefore: 17 } as const
      const before = await store.generation()
      await store.deny([entry, other])
      expect(await store.generation()).not.toBe(before)
      expect(new Set(await store.denied(1_999_999_999_999))).toEqual(new Set([entry, other]))
      expect(await store.denied(2_000_000_000_000)).toEqual([other])
      await store.deny([{ ...entry, until: 2_000_000_000_009, issuedBefore: 5 }])
      expect(await store.denied(2_000_000_000_006)).toEqual([{ ...entry, until: 2_000_000_000_009, issuedBefore: 5 }])
    })

    it('sees at once what another process committed, and only that counts as a change', async () => {
      const { other } = subject
      if (!other) return
      const record = sampleRecord()
      await insert(record)
      const before = await other.generation()
      await store.touch(new Map([[record.id, { at: 5, count: 1 }]]))
      expect(await other.generation()).toBe(before)
      await store.commit([{ kind: 'update', record: { ...record, revokedAt: 6 } }])
      expect(await other.generation()).not.toBe(before)
      expect((await other.byDigest([record.digest]))?.revokedAt).toBe(6)
      expect(await other.commit([{ kind: 'update', record }])).toBe('conflict')
    })
  })
}
