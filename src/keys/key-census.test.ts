import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { SILENT } from '../model/event.ts'
import { createKeyCensus, type KeyCensus } from './key-census.ts'
import { sampleRecord } from './key-store.contract.ts'
import type { KeyRecord } from './key-record.ts'
import type { KeyStore } from './key-store.ts'
import { createMemoryStore } from './memory-store.ts'

const DAY = 86_400_000
const NOW = 1_800_000_000_000

describe('the census of keys', () => {
  let store: KeyStore
  let census: KeyCensus
  let told: unknown[]
  beforeEach(() => {
    told = []
    store = createMemoryStore()
    census = createKeyCensus({ store, clock: () => NOW, observer: { ...SILENT, noticed: (level, code, _message, fields) => told.push([level, code, fields?.['key_id']]) }, pauseMs: 0 })
  })
  afterEach(() => census.close())
  const insert = async (members: Partial<KeyRecord>): Promise<KeyRecord> => {
    const record = sampleRecord(members)
    await store.commit([{ kind: 'insert', record }])
    return record
  }

  it('counts each state, over pages', async () => {
    for (let n = 0; n < 450; n += 1) await insert({})
    for (const members of [{ status: 'suspended' }, { revokedAt: 1 }, { revokedAt: 2 }, { expiresAt: NOW }, { expiresAt: NOW + DAY }] as const) await insert(members)
    expect(census.counts()).toBeUndefined()
    await census.take()
    expect(census.counts()).toEqual({ active: 451, suspended: 1, revoked: 2, expired: 1, expiring: 1 })
  })

  it('warns once of a key that expires within 14 days, and not of one that was replaced', async () => {
    const soon = await insert({ expiresAt: NOW + 14 * DAY })
    await insert({ expiresAt: NOW + 14 * DAY + 1 })
    await insert({ expiresAt: NOW + DAY, replacedBy: 'key_x' })
    await census.take()
    await census.take()
    expect(told).toEqual([['warn', 'key_expiring', soon.id]])
  })
})
