import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { hashSync } from 'bcryptjs'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { SILENT } from '../model/event.ts'
import { importRows, ImportError } from './import-json.ts'
import { createImportWatch } from './import-watch.ts'
import { createKeyHasher } from './key-digest.ts'
import { createKeyService } from './key-service.ts'
import type { KeyStore } from './key-store.ts'
import { createMemoryStore } from './memory-store.ts'

const NOW = Date.UTC(2026, 0, 1)
const clock = () => NOW
const hasher = createKeyHasher({ pepper: 'the-pepper-of-today' })
const KEY = 'a'.repeat(60)
const bcryptRow = { keyHash: hashSync(KEY, 4), userId: 'alice', createdAt: '2025-01-02T03:04:05.678Z' }
const plainRow = { key: 'plain-old-key-1', userId: 'bob', createdAt: '2024-01-01T00:00:00Z' }

let store: KeyStore
beforeEach(() => { store = createMemoryStore() })
const importing = (rows: unknown, peppers = hasher) => importRows(typeof rows === 'string' ? rows : JSON.stringify(rows), { store, hasher: peppers, clock })
const all = async () => (await store.list({ limit: 100 })).items

describe('importing an api-keys.json', () => {
  it('keeps bcrypt rows as they are and hashes plaintext rows', async () => {
    expect(await importing([bcryptRow, plainRow])).toEqual({ added: 2, known: 0, refused: [] })
    const [first, second] = await all()
    expect(first).toMatchObject({ alg: 'bcrypt', digest: bcryptRow.keyHash, owner: 'alice', createdAt: Date.parse(bcryptRow.createdAt), status: 'active' })
    expect(second).toMatchObject({ alg: 'hmac-sha256', ...hasher.digestOf(plainRow.key), owner: 'bob' })
    expect(JSON.stringify(await all())).not.toContain(plainRow.key)
  })

  it('changes nothing when it is done again', async () => {
    await importing([bcryptRow, plainRow])
    const before = await store.generation()
    expect(await importing([bcryptRow, plainRow])).toEqual({ added: 0, known: 2, refused: [] })
    expect(await store.generation()).toBe(before)
  })

  it('changes nothing after a row was rehashed or the pepper was changed', async () => {
    await importing([bcryptRow, plainRow])
    const [first] = await all()
    await store.commit([{ kind: 'update', record: { ...first!, ...hasher.digestOf(KEY), alg: 'hmac-sha256' } }])
    expect(await importing([bcryptRow, plainRow], createKeyHasher({ pepper: 'the-pepper-of-tomorrow', previous: ['the-pepper-of-today'] }))).toMatchObject({ added: 0, known: 2 })
  })

  it('does not bring a revoked key back', async () => {
    await importing([bcryptRow])
    const [first] = await all()
    await createKeyService({ store, hasher, prefix: 'a', tiers: [], clock, onAct: () => undefined }).revoke(first!.id, 'x')
    await importing([bcryptRow])
    expect((await all()).map(({ revokedAt }) => revokedAt)).toEqual([NOW])
  })

  it('adds what is new in the file and drops nothing', async () => {
    await importing([bcryptRow])
    expect(await importing([plainRow])).toMatchObject({ added: 1 })
    expect(await all()).toHaveLength(2)
  })

  it('takes a row that stands twice once, and hundreds of rows in few writes', async () => {
    const many = Array.from({ length: 450 }, (_each, n) => ({ ...plainRow, key: `plain-old-key-${n}` }))
    expect(await importing([...many, many[3], bcryptRow, bcryptRow])).toEqual({ added: 451, known: 2, refused: [] })
  })

  it('takes now for a date that cannot be read', async () => {
    await importing([{ ...plainRow, createdAt: 'yesterday' }])
    expect((await all())[0]?.createdAt).toBe(NOW)
  })

  it.each([
    ['a bcrypt cost that would take seconds', { ...bcryptRow, keyHash: `$2b$13$${'a'.repeat(53)}` }],
    ['a hash of another kind', { ...bcryptRow, keyHash: 'e'.repeat(64) }],
    ['neither hash nor key', { userId: 'x' }],
    ['a key of seven characters', { ...plainRow, key: '1234567' }],
    ['a key with blanks', { ...plainRow, key: 'open sesame please' }],
    ['no owner', { ...plainRow, userId: undefined }],
    ['an owner with a line break', { ...plainRow, userId: 'a\nb' }],
    ['nothing', null],
    ['a list', []],
  ])('refuses a row with %s, says which, and imports the others', async (_what, row) => {
    const report = await importing([row, plainRow])
    expect(report).toMatchObject({ added: 1, refused: [{ row: 1 }] })
    expect(JSON.stringify(report)).not.toContain('sesame')
  })

  it.each([['{"keys":[]}'], ['"text"'], ['[{"key": "leaky-secret-key"'], ['']])('refuses a file that is %j as a whole, without quoting it', async (text) => {
    const error = await importing(text).catch((caught: unknown) => caught)
    expect(error).toBeInstanceOf(ImportError)
    expect(String(error)).not.toContain('leaky')
  })
})

describe('watching the file', () => {
  let folder: string
  let path: string
  let notices: string[]
  const observer = { ...SILENT, noticed: (_level: string, code: string) => void notices.push(code) }
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'postern-import-'))
    path = join(folder, 'api-keys.json')
    notices = []
  })
  afterEach(() => rmSync(folder, { recursive: true }))
  const watch = (everyMs = 60_000) => createImportWatch({ path, into: { store, hasher, clock }, everyMs, observer })

  it('imports what is there, once per content', async () => {
    writeFileSync(path, JSON.stringify([plainRow]))
    const { refresh, close } = watch()
    await refresh()
    await refresh()
    expect(notices).toEqual(['keys_imported'])
    close()
  })

  it('waits for a file that does not exist yet', async () => {
    const { refresh, close } = watch(20)
    await refresh()
    expect(notices).toEqual(['key_import_missing'])
    writeFileSync(path, JSON.stringify([plainRow]))
    await vi.waitFor(async () => expect(await all()).toHaveLength(1), 5_000)
    close()
  })

  it('leaves everything as it was when the file is broken, and tries again when it is whole', async () => {
    writeFileSync(path, JSON.stringify([plainRow]))
    const { refresh, close } = watch()
    await refresh()
    writeFileSync(path, '')
    await refresh()
    writeFileSync(path, JSON.stringify([plainRow, bcryptRow]))
    await refresh()
    expect(notices).toEqual(['keys_imported', 'key_import_failed', 'keys_imported'])
    expect(await all()).toHaveLength(2)
    close()
  })
})
