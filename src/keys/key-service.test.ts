import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeEach, describe, expect, it } from 'vitest'
import { createKeyHasher } from './key-digest.ts'
import { parseKey } from './key-format.ts'
import { stateOf } from './key-record.ts'
import { KeyActRefused } from './key-request.ts'
import type { KeyAct, KeyService } from './key-service.ts'
import { createKeyService, DEFAULT_OVERLAP_MS } from './key-service.ts'
import type { KeyStore } from './key-store.ts'
import { createMemoryStore } from './memory-store.ts'
import { createSqliteStore } from './sqlite-store.ts'

const hasher = createKeyHasher({ pepper: 'sixteen-characters' })
const DAY = 86_400_000

let now = Date.UTC(2026, 0, 1)
let acts: KeyAct[]
let store: KeyStore
let service: KeyService

const serviceOn = (keyStore: KeyStore): KeyService =>
  createKeyService({ store: keyStore, hasher, prefix: 'acme_live', tiers: [], clock: () => now, onAct: (act) => acts.push(act) })
const refusal = (code: string) => expect.objectContaining({ name: KeyActRefused.name, code })

beforeEach(() => {
  now = Date.UTC(2026, 0, 1)
  acts = []
  store = createMemoryStore()
  service = serviceOn(store)
})

describe('issuing a key', () => {
  it('gives the plaintext once, with the configured prefix and a fitting checksum, and keeps only its digest', async () => {
    const { key, record } = await service.issue({ owner: 'user_1', scopes: ['a'] }, 'cli:alice')
    expect(parseKey(key)?.prefix).toBe('acme_live')
    expect(record).toMatchObject({ ...hasher.digestOf(key), owner: 'user_1', status: 'active', prefix: 'acme_live', last4: key.slice(-4), createdAt: now })
    expect(await store.byDigest([hasher.digestOf(key).digest])).toEqual(record)
    expect(JSON.stringify(record)).not.toContain(parseKey(key)?.secret)
  })

  it('is told to the audit with its actor and without the key', async () => {
    const { key, record } = await service.issue({ owner: 'user_1' }, 'cli:alice')
    expect(acts).toEqual([{ act: 'issued', actor: 'cli:alice', at: now, keyId: record.id, owner: 'user_1' }])
    expect(JSON.stringify(acts)).not.toContain(key)
  })

  it('refuses a request that will not do, and writes nothing', async () => {
    await expect(service.issue({ owner: '' }, 'x')).rejects.toEqual(refusal('request_invalid'))
    expect(acts).toEqual([])
  })
})

describe('rotating a key', () => {
  it('makes a successor with the same rights, and the old key works until the overlap ends', async () => {
    const old = await service.issue({ owner: 'user_1', email: 'a@example.com', tier: 'pro', scopes: ['a'], roles: ['r'], name: 'n', notes: 'm' }, 'x')
    const fresh = await service.rotate(old.record.id, { overlapMs: 6_000 }, 'admin')
    expect(fresh.key).not.toBe(old.key)
    expect(fresh.record).toMatchObject({ owner: 'user_1', email: 'a@example.com', tier: 'pro', scopes: ['a'], roles: ['r'], name: 'n', notes: 'm', replaces: old.record.id })
    const replaced = await service.show(old.record.id)
    expect(replaced.replacedBy).toBe(fresh.record.id)
    expect(stateOf(replaced, now + 5_999)).toBe('active')
    expect(stateOf(replaced, now + 6_000)).toBe('revoked')
    expect(acts.at(-1)).toEqual({ act: 'rotated', actor: 'admin', at: now, keyId: old.record.id, owner: 'user_1', newKeyId: fresh.record.id })
  })

  it('overlaps for a day unless told otherwise', async () => {
    const old = await service.issue({ owner: 'u' }, 'x')
    await service.rotate(old.record.id, {}, 'x')
    expect((await service.show(old.record.id)).overlapEndsAt).toBe(now + DEFAULT_OVERLAP_MS)
  })

  it('gives the successor as long a life as the old key had', async () => {
    const old = await service.issue({ owner: 'u', expires: '90d' }, 'x')
    now += 80 * DAY
    expect((await service.rotate(old.record.id, {}, 'x')).record.expiresAt).toBe(now + 90 * DAY)
  })

  it('does not free a suspended owner', async () => {
    const old = await service.issue({ owner: 'u', status: 'suspended' }, 'x')
    expect((await service.rotate(old.record.id, {}, 'x')).record.status).toBe('suspended')
  })

  it('is refused a second time, for a revoked, an expired and an unknown key', async () => {
    const [twice, gone, expired] = await Promise.all(['a', 'b', 'c'].map((owner) => service.issue({ owner, ...(owner === 'c' ? { expires: '1s' } : {}) }, 'x')))
    await service.rotate(twice!.record.id, {}, 'x')
    await service.revoke(gone!.record.id, 'x')
    now += 1_000
    await expect(service.rotate(twice!.record.id, {}, 'x')).rejects.toEqual(refusal('key_replaced'))
    await expect(service.rotate(gone!.record.id, {}, 'x')).rejects.toEqual(refusal('key_ended'))
    await expect(service.rotate(expired!.record.id, {}, 'x')).rejects.toEqual(refusal('key_ended'))
    await expect(service.rotate('key_nobody', {}, 'x')).rejects.toEqual(refusal('key_not_found'))
  })

  it('leaves one successor when two do it at once', async () => {
    const old = await service.issue({ owner: 'u' }, 'x')
    const results = await Promise.allSettled([service.rotate(old.record.id, {}, 'x'), service.rotate(old.record.id, {}, 'y')])
    expect(results.map(({ status }) => status).toSorted()).toEqual(['fulfilled', 'rejected'])
    expect((await service.list({ limit: 10 })).items).toHaveLength(2)
  })
})

describe('ending a key', () => {
  it('is for good, told once, and done already is done', async () => {
    const { record } = await service.issue({ owner: 'u' }, 'x')
    const first = await service.revoke(record.id, 'admin')
    now += 5_000
    expect((await service.revoke(record.id, 'admin')).revokedAt).toBe(first.revokedAt)
    expect(acts.map(({ act }) => act)).toEqual(['issued', 'revoked'])
    await expect(service.resume(record.id, 'x')).rejects.toEqual(refusal('key_ended'))
  })

  it('refuses an id that does not exist', async () => {
    await expect(service.revoke('key_nobody', 'x')).rejects.toEqual(refusal('key_not_found'))
  })

  it('wins against a change that is under way', async () => {
    const { record } = await service.issue({ owner: 'u' }, 'x')
    await Promise.all([service.suspend(record.id, 'x'), service.revoke(record.id, 'y')])
    expect(await service.show(record.id)).toMatchObject({ status: 'suspended', revokedAt: now })
  })
})

describe('suspending a key', () => {
  it('can be undone, and is told both times', async () => {
    const { record } = await service.issue({ owner: 'u' }, 'x')
    expect((await service.suspend(record.id, 'x')).status).toBe('suspended')
    await service.suspend(record.id, 'x')
    expect((await service.resume(record.id, 'x')).status).toBe('active')
    expect(acts.map(({ act }) => act)).toEqual(['issued', 'suspended', 'resumed'])
  })
})

describe('the store file', () => {
  it('contains no key and no pepper after a whole life of keys', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'postern-keys-'))
    const sqlite = createSqliteStore({ path: join(folder, 'keys.db') })
    const onDisk = serviceOn(sqlite)
    const first = await onDisk.issue({ owner: 'user_1', name: 'n' }, 'x')
    const second = await onDisk.rotate(first.record.id, {}, 'x')
    await onDisk.revoke(first.record.id, 'x')
    const bytes = Buffer.concat(readdirSync(folder).map((name) => readFileSync(join(folder, name)))).toString('latin1')
    expect(bytes).toContain('user_1')
    for (const key of [first.key, second.key]) {
      expect(bytes).not.toContain(parseKey(key)?.secret)
      expect(bytes).not.toContain(parseKey(key)?.secret.slice(0, 16))
    }
    expect(bytes).not.toContain('sixteen-characters')
    await sqlite.close()
    rmSync(folder, { recursive: true })
  })
})
