import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createKeyHasher } from './key-digest.ts'
import { createKeyService } from './key-service.ts'
import { KeyStoreUnavailable, type KeyStore } from './key-store.ts'
import { openStoreToLook } from './looking-store.ts'
import { openKeyStore } from './open-store.ts'

let folder: string
let path: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'postern-looking-'))
  path = join(folder, 'keys.db')
})
afterEach(() => rmSync(folder, { recursive: true }))

const service = (store: KeyStore) => createKeyService({ store, hasher: createKeyHasher({ pepper: 'sixteen-characters', previous: [] }), prefix: 'ak_live', environment: 'live', prefixOf: () => undefined, tiers: [], clock: () => 1_000, onAct: () => undefined })
const bytes = (): Record<string, string> => Object.fromEntries(readdirSync(folder).map((name) => [name, `${statSync(join(folder, name)).mtimeMs} ${readFileSync(join(folder, name)).toString('base64')}`]))

describe('a store that is only looked at', () => {
  it('is not made when it does not exist: it is empty, and what is brought in stays in memory', async () => {
    const store = openStoreToLook({ kind: 'sqlite', path })
    await service(store).issue({ owner: 'u' }, 'cli:test')
    expect((await store.list({ limit: 10 })).items).toHaveLength(1)
    await store.close()
    expect(readdirSync(folder)).toEqual([])
  })

  it('shows what is in it, takes no write, and leaves every byte and every file as they were', async () => {
    const real = openKeyStore({ kind: 'sqlite', path })
    const { record } = await service(real).issue({ owner: 'u' }, 'cli:test')
    await real.close()
    const before = bytes()
    const store = openStoreToLook({ kind: 'sqlite', path })
    expect(await store.byId(record.id)).toMatchObject({ owner: 'u' })
    expect(await store.commit([{ kind: 'update', record: { ...record, owner: 'x' } }])).toBe('conflict')
    await store.touch(new Map([[record.id, { at: 5, count: 1 }]]))
    await store.deny([{ kind: 'sub', value: 'u', authenticator: '*', until: 9e15, issuedBefore: undefined }])
    expect(await store.byId(record.id)).toMatchObject({ owner: 'u', uses: 0 })
    await store.close()
    expect(bytes()).toEqual(before)
  })

  it('shows what a running process wrote a moment ago', async () => {
    const real = openKeyStore({ kind: 'sqlite', path })
    const { record } = await service(real).issue({ owner: 'u' }, 'cli:test')
    const store = openStoreToLook({ kind: 'sqlite', path })
    expect(await store.byId(record.id)).toMatchObject({ owner: 'u' })
    await store.close()
    await real.close()
  })

  it('is refused where a start could not make it either, and when it is something else', () => {
    expect(() => openStoreToLook({ kind: 'sqlite', path: join(folder, 'absent', 'keys.db') })).toThrow(/its folder does not exist/)
    mkdirSync(join(folder, 'dir.db'))
    expect(() => openStoreToLook({ kind: 'sqlite', path: join(folder, 'dir.db') })).toThrow(KeyStoreUnavailable)
    writeFileSync(path, 'no database at all, but long enough to be looked at')
    expect(() => openStoreToLook({ kind: 'sqlite', path })).toThrow(KeyStoreUnavailable)
  })
})
