import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { hashSync } from 'bcryptjs'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { SILENT } from '../model/event.ts'
import type { BcryptVerifier } from './bcrypt-verifier.ts'
import { BcryptBusy, createBcryptVerifier } from './bcrypt-verifier.ts'
import { createImportedKeys } from './imported-keys.ts'
import { createKeyHasher, pepperIdOf } from './key-digest.ts'
import { generateKey, MAX_KEY_LENGTH } from './key-format.ts'
import type { KeyAnswer, KeyLookup } from './key-lookup.ts'
import { createKeyLookup, KEY_LOOKUP_LIMITS } from './key-lookup.ts'
import type { KeyService } from './key-service.ts'
import { createKeyService } from './key-service.ts'
import { sampleRecord } from './key-store.contract.ts'
import type { KeyStore } from './key-store.ts'
import { KeyStoreUnavailable } from './key-store.ts'
import { createLastUses } from './last-uses.ts'
import { createMemoryStore } from './memory-store.ts'
import { createSqliteStore } from './sqlite-store.ts'

const PEPPER = 'the-pepper-of-today'
const hasher = createKeyHasher({ pepper: PEPPER })
const START = Date.UTC(2026, 0, 1)

let now = START
let lookups: KeyLookup[]
let notices: string[]
let reads: number
let broken: boolean

/** The same store, counted, and failing on demand. */
function breakable(store: KeyStore): KeyStore {
  const guarded = <A extends unknown[], R>(method: (...args: A) => R) => (...args: A): R => {
    if (broken) throw new KeyStoreUnavailable('the disk is gone')
    reads += 1
    return method(...args)
  }
  return { ...store, byDigest: guarded(store.byDigest), generation: guarded(store.generation), bcryptRecords: guarded(store.bcryptRecords) }
}

/** The same store, answering later, as one across a network does. */
const distant = (store: KeyStore): KeyStore => ({
  ...store,
  byDigest: async (digests) => { await nextTurn(); return store.byDigest(digests) },
  generation: async () => { await nextTurn(); return store.generation() },
})

const observer = { ...SILENT, noticed: (_level: string, code: string) => void notices.push(code) }

function lookupOn(store: KeyStore, more: { checksum?: 'crc32' | 'none'; verifier?: BcryptVerifier; peppers?: Parameters<typeof createKeyHasher>[0] } = {}): KeyLookup {
  const lookup = createKeyLookup({
    store, observer, checksum: more.checksum ?? 'crc32', hasher: more.peppers ? createKeyHasher(more.peppers) : hasher,
    imported: more.verifier && createImportedKeys({ store, verifier: more.verifier, observer }),
    lastUses: createLastUses({ store, everyMs: 10_000, observer }),
  })
  lookups.push(lookup)
  return lookup
}

const serviceOn = (store: KeyStore): KeyService => createKeyService({ store, hasher, prefix: 'acme', tiers: [], clock: () => now, onAct: () => undefined })
const kindOf = async (answer: ReturnType<KeyLookup['find']>): Promise<KeyAnswer['kind']> => (await answer).kind

beforeEach(() => {
  now = START
  lookups = []
  notices = []
  reads = 0
  broken = false
})
afterEach(() => Promise.all(lookups.map((lookup) => lookup.close())))

describe('looking a key up', () => {
  it('finds the record of an issued key, at once with a local store', async () => {
    const store = createMemoryStore()
    const { key, record } = await serviceOn(store).issue({ owner: 'user_1' }, 'x')
    expect(lookupOn(store).find(key, now)).toEqual({ kind: 'active', record })
  })

  it('asks the store once for a key that is used many times', async () => {
    const store = breakable(createMemoryStore())
    const { key } = await serviceOn(store).issue({ owner: 'u' }, 'x')
    const { find } = lookupOn(store)
    find(key, now)
    const before = reads
    for (let n = 0; n < 100; n += 1) expect(await kindOf(find(key, now + 1))).toBe('active')
    expect(reads).toBe(before)
  })

  it.each([
    ['a wrong checksum', () => `${generateKey('acme').slice(0, -1)}_`],
    ['another shape', () => 'client-key-1'],
    ['too much length', () => 'a'.repeat(MAX_KEY_LENGTH + 1)],
    ['nothing in it', () => ''],
  ])('refuses a key with %s without asking the store', async (_what, make) => {
    const store = breakable(createMemoryStore())
    expect(lookupOn(store).find(make(), now)).toEqual({ kind: 'malformed' })
    expect(reads).toBe(0)
  })

  it('takes keys of any shape when no checksum is demanded', async () => {
    const store = createMemoryStore()
    await store.commit([{ kind: 'insert', record: sampleRecord({ ...hasher.digestOf('client-key-1') }) }])
    const { find } = lookupOn(store, { checksum: 'none' })
    expect(await kindOf(find('client-key-1', now))).toBe('active')
    expect(await kindOf(find('client-key-2', now))).toBe('unknown')
    expect(await kindOf(find('a'.repeat(MAX_KEY_LENGTH + 1), now))).toBe('malformed')
  })

  it('tells what a key is good for at that moment, also when it is remembered', async () => {
    const store = createMemoryStore()
    const service = serviceOn(store)
    const [expiring, suspended, revoked] = await Promise.all(['1s', undefined, undefined].map((expires) => service.issue({ owner: 'u', expires }, 'x')))
    await service.suspend(suspended!.record.id, 'x')
    await service.revoke(revoked!.record.id, 'x')
    const { find } = lookupOn(store)
    expect(await kindOf(find(expiring!.key, now + 999))).toBe('active')
    expect(await kindOf(find(expiring!.key, now + 1_000))).toBe('expired')
    expect(await kindOf(find(suspended!.key, now))).toBe('suspended')
    expect(await kindOf(find(revoked!.key, now))).toBe('revoked')
    expect(await kindOf(find(generateKey('acme'), now))).toBe('unknown')
  })

  it('accepts the old and the new key while a rotation overlaps, and the new one alone after it', async () => {
    const store = createMemoryStore()
    const service = serviceOn(store)
    const old = await service.issue({ owner: 'u' }, 'x')
    const fresh = await service.rotate(old.record.id, { overlapMs: 6_000 }, 'x')
    const { find } = lookupOn(store)
    expect([await kindOf(find(old.key, now)), await kindOf(find(fresh.key, now))]).toEqual(['active', 'active'])
    expect([await kindOf(find(old.key, now + 6_000)), await kindOf(find(fresh.key, now + 6_000))]).toEqual(['revoked', 'active'])
  })
})

describe('a revocation by another process', () => {
  let folder: string
  beforeEach(() => { folder = mkdtempSync(join(tmpdir(), 'postern-keys-')) })
  afterEach(() => rmSync(folder, { recursive: true }))

  it('ends a key that is in use within a second, and so do suspending and resuming', async () => {
    const path = join(folder, 'keys.db')
    const [here, there] = [createSqliteStore({ path }), createSqliteStore({ path })]
    const service = serviceOn(there)
    const { find } = lookupOn(here)
    const { key, record } = await service.issue({ owner: 'u' }, 'cli')
    for (const [act, expected] of [['suspend', 'suspended'], ['resume', 'active'], ['revoke', 'revoked']] as const) {
      expect(await kindOf(find(key, now))).not.toBe(expected)
      await service[act](record.id, 'cli')
      let lastOther = now
      for (const end = now + 1_000; now <= end; now += 10) if ((await kindOf(find(key, now))) !== expected) lastOther = now
      expect(lastOther).toBeLessThan(now - 1_000 + KEY_LOOKUP_LIMITS.maxAgeMs + 10)
    }
    await Promise.all([here.close(), there.close()])
  })

  it('is not undone by a record that was being read meanwhile', async () => {
    const memory = createMemoryStore()
    const service = serviceOn(memory)
    const { key, record } = await service.issue({ owner: 'u' }, 'x')
    const releases: (() => void)[] = []
    const slow: KeyStore = {
      ...memory,
      byDigest: async (digests) => {
        const found = await memory.byDigest(digests)
        await new Promise<void>((resolve) => { releases.push(resolve) })
        return found
      },
    }
    const { find } = lookupOn(slow)
    const first = find(key, now)
    await nextTurn()
    await service.revoke(record.id, 'x')
    const second = find(key, now + 300)
    await nextTurn()
    // The read that began before the revocation ends after the change was seen.
    releases[0]?.()
    await first
    const third = find(key, now + 301)
    await nextTurn()
    for (const release of releases) release()
    expect([await kindOf(second), await kindOf(third)]).toEqual(['revoked', 'revoked'])
  })

  it('is seen when the clock was set back', async () => {
    const store = createMemoryStore()
    const service = serviceOn(store)
    const { key, record } = await service.issue({ owner: 'u' }, 'x')
    const { find } = lookupOn(store)
    find(key, now)
    await service.revoke(record.id, 'x')
    expect(await kindOf(find(key, now - 3_600_000))).toBe('revoked')
  })
})

describe('while the store is down', () => {
  it.each([['a local store', (store: KeyStore) => store], ['a distant store', distant]])('known keys of %s work for five minutes, unknown ones cannot be checked, nobody is refused', async (_which, wrap) => {
    const store = breakable(createMemoryStore())
    const service = serviceOn(store)
    const [known, other] = [await service.issue({ owner: 'u' }, 'x'), await service.issue({ owner: 'v' }, 'x')]
    const { find } = lookupOn(wrap(store))
    await find(known.key, now)
    broken = true
    expect(await kindOf(find(known.key, now + 1_000))).toBe('active')
    expect(await find(other.key, now + 1_000)).toEqual({ kind: 'unavailable', cause: 'the disk is gone' })
    expect(await kindOf(find(known.key, now + KEY_LOOKUP_LIMITS.graceMs))).toBe('active')
    expect(await kindOf(find(known.key, now + KEY_LOOKUP_LIMITS.graceMs + 300))).toBe('unavailable')
    broken = false
    // A distant store is asked beside the request that finds it lost: the next one sees the answer.
    await find(other.key, now + KEY_LOOKUP_LIMITS.graceMs + 600)
    await new Promise(setImmediate)
    expect(await kindOf(find(other.key, now + KEY_LOOKUP_LIMITS.graceMs + 601))).toBe('active')
    expect(notices).toEqual(['key_store_unavailable', 'key_store_back'])
  })

  it('expiry still counts', async () => {
    const store = breakable(createMemoryStore())
    const { key } = await serviceOn(store).issue({ owner: 'u', expires: '1m' }, 'x')
    const { find } = lookupOn(store)
    find(key, now)
    broken = true
    expect(await kindOf(find(key, now + 60_000))).toBe('expired')
  })

  it('no key is known that was never looked up', async () => {
    broken = true
    const { find } = lookupOn(breakable(createMemoryStore()))
    expect(await kindOf(find(generateKey('acme'), now))).toBe('unavailable')
  })

  it('a rejecting store is no different from a throwing one', async () => {
    const rejecting: KeyStore = { ...createMemoryStore(), byDigest: async () => { throw new KeyStoreUnavailable('late') } }
    expect(await lookupOn(rejecting).find(generateKey('acme'), now)).toEqual({ kind: 'unavailable', cause: 'late' })
  })
})

describe('changing the pepper', () => {
  it('accepts keys of the previous pepper and stores them under the current one with their next use', async () => {
    const store = createMemoryStore()
    const { key, record } = await serviceOn(store).issue({ owner: 'u' }, 'x')
    const peppers = { pepper: 'the-pepper-of-tomorrow', previous: [PEPPER] }
    expect(await kindOf(lookupOn(store, { peppers }).find(key, now))).toBe('active')
    await nextTurn()
    expect(await store.byId(record.id)).toMatchObject({ pepperId: pepperIdOf('the-pepper-of-tomorrow'), version: 2 })
    expect(await kindOf(lookupOn(store, { peppers: { pepper: 'the-pepper-of-tomorrow' } }).find(key, now))).toBe('active')
    expect(await kindOf(lookupOn(store).find(key, now))).toBe('unknown')
  })

  it('does not undo a revocation that came first', async () => {
    const store = createMemoryStore()
    const service = serviceOn(store)
    const { key, record } = await service.issue({ owner: 'u' }, 'x')
    lookupOn(store, { peppers: { pepper: 'the-pepper-of-tomorrow', previous: [PEPPER] } }).find(key, now)
    await service.revoke(record.id, 'x')
    await nextTurn()
    expect((await store.byId(record.id))?.revokedAt).toBe(now)
  })
})

describe('imported bcrypt rows', () => {
  const KEY = 'f'.repeat(64)
  const row = (key: string, members = {}) => sampleRecord({ alg: 'bcrypt', digest: hashSync(key, 4), pepperId: '', prefix: '', last4: '', owner: 'alice', ...members })
  let verifier: BcryptVerifier
  let guesses: number
  beforeEach(() => {
    guesses = 0
    const real = createBcryptVerifier()
    verifier = { ...real, firstMatch: (...args) => { guesses += 1; return real.firstMatch(...args) } }
  })
  afterEach(() => verifier.close())

  it('are matched once, and are HMAC from then on', async () => {
    const store = createMemoryStore()
    await store.commit([row('other'), row(KEY)].map((record) => ({ kind: 'insert', record })))
    const { find } = lookupOn(store, { checksum: 'none', verifier })
    expect(await find(KEY, now)).toMatchObject({ kind: 'active', record: { owner: 'alice', alg: 'hmac-sha256', ...hasher.digestOf(KEY), last4: 'ffff' } })
    expect(await kindOf(find(KEY, now + 1_000))).toBe('active')
    expect(guesses).toBe(1)
    expect(await kindOf(lookupOn(store, { checksum: 'none' }).find(KEY, now))).toBe('active')
  })

  it('cost a wrong key one comparison, however often it is sent', async () => {
    const store = createMemoryStore()
    await store.commit([{ kind: 'insert', record: row(KEY) }])
    const { find } = lookupOn(store, { checksum: 'none', verifier })
    const answers = await Promise.all(Array.from({ length: 20 }, () => kindOf(find('wrong-key', now))))
    expect(new Set(answers)).toEqual(new Set(['unknown']))
    expect(await kindOf(find('wrong-key', now + 3_600_000))).toBe('unknown')
    expect(guesses).toBe(1)
  })

  it('do not cost a wrong key again because other keys were made, used or revoked', async () => {
    const store = createMemoryStore()
    await store.commit(['one', 'two'].map((key) => ({ kind: 'insert', record: row(key) })))
    const { find } = lookupOn(store, { checksum: 'none', verifier })
    expect(await kindOf(find('wrong-key', now))).toBe('unknown')
    const { record } = await serviceOn(store).issue({ owner: 'u' }, 'x')
    await serviceOn(store).revoke(record.id, 'x')
    expect(await kindOf(find('two', now + 300))).toBe('active')
    expect(await kindOf(find('wrong-key', now + 600))).toBe('unknown')
    expect(guesses).toBe(2)
  })

  it('that were added later are compared with keys that were wrong before', async () => {
    const store = createMemoryStore()
    await store.commit([{ kind: 'insert', record: row('other') }])
    const { find } = lookupOn(store, { checksum: 'none', verifier })
    expect(await kindOf(find(KEY, now))).toBe('unknown')
    await store.commit([{ kind: 'insert', record: row(KEY) }])
    expect(await kindOf(find(KEY, now + 300))).toBe('active')
  })

  it.each([['suspended', { status: 'suspended' }], ['expired', { expiresAt: 5 }]] as const)('are %s as their record says', async (kind, members) => {
    const store = createMemoryStore()
    await store.commit([{ kind: 'insert', record: row(KEY, members) }])
    expect(await kindOf(lookupOn(store, { checksum: 'none', verifier }).find(KEY, now))).toBe(kind)
  })

  it('that were revoked match nothing any more', async () => {
    const store = createMemoryStore()
    await store.commit([{ kind: 'insert', record: row(KEY, { revokedAt: 5 }) }])
    expect(await kindOf(lookupOn(store, { checksum: 'none', verifier }).find(KEY, now))).toBe('unknown')
  })

  it('that cannot be compared now make the answer unavailable, not unknown', async () => {
    const store = createMemoryStore()
    await store.commit([{ kind: 'insert', record: row(KEY) }])
    const busy: BcryptVerifier = { firstMatch: async () => { throw new BcryptBusy('busy', 1_000) }, close: () => undefined }
    expect(await lookupOn(store, { checksum: 'none', verifier: busy }).find(KEY, now)).toEqual({ kind: 'unavailable', cause: 'busy', retryAfterMs: 1_000 })
  })

  it('are compared up to a bound, and it is said when there are more', async () => {
    const store = createMemoryStore()
    await store.commit(Array.from({ length: 103 }, (_each, n) => ({ kind: 'insert', record: row('x', { digest: `$2b$04$${String(n).padStart(53, 'a')}` }) })))
    let compared = 0
    const counting: BcryptVerifier = { firstMatch: async (_key, hashes) => { compared = hashes.length; return -1 }, close: () => undefined }
    await lookupOn(store, { checksum: 'none', verifier: counting }).find(KEY, now)
    expect(compared).toBe(100)
    expect(notices).toContain('key_import_unreachable')
  })
})

describe('last uses', () => {
  it('are written when the lookup closes at the latest, for accepted keys alone', async () => {
    const store = createMemoryStore()
    const service = serviceOn(store)
    const [used, revoked] = [await service.issue({ owner: 'u' }, 'x'), await service.issue({ owner: 'v' }, 'x')]
    await service.revoke(revoked.record.id, 'x')
    const lookup = lookupOn(store)
    lookup.find(used.key, now + 7)
    lookup.find(revoked.key, now + 7)
    expect((await store.byId(used.record.id))?.lastUsedAt).toBeUndefined()
    await lookup.close()
    expect((await store.byId(used.record.id))?.lastUsedAt).toBe(now + 7)
    expect((await store.byId(revoked.record.id))?.lastUsedAt).toBeUndefined()
  })

  it('that cannot be written harm nobody', async () => {
    const store: KeyStore = { ...createMemoryStore(), touch: () => { throw new KeyStoreUnavailable('gone') } }
    const { key } = await serviceOn(store).issue({ owner: 'u' }, 'x')
    const lookup = lookupOn(store)
    lookup.find(key, now)
    await lookup.close()
    expect(notices).toEqual(['key_last_use_lost'])
  })
})
