import { spawn } from 'node:child_process'
import { chmodSync, existsSync, mkdtempSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { keyStoreContract, sampleRecord } from './key-store.contract.ts'
import { KeyStoreUnavailable } from './key-store.ts'
import { createSqliteStore } from './sqlite-store.ts'

const newFolder = (): string => mkdtempSync(join(tmpdir(), 'postern-keys-'))

keyStoreContract('the SQLite store', async () => {
  const folder = newFolder()
  const path = join(folder, 'keys.db')
  const [store, other] = [createSqliteStore({ path }), createSqliteStore({ path })]
  return {
    store,
    other,
    dispose: async () => {
      await store.close()
      await other.close()
      rmSync(folder, { recursive: true })
    },
  }
})

describe('the SQLite file', () => {
  let folder: string
  let path: string
  beforeEach(() => {
    folder = newFolder()
    path = join(folder, 'keys.db')
  })
  afterEach(() => rmSync(folder, { recursive: true }))
  const modeOf = (file: string): number => statSync(file).mode & 0o777
  const insertInto = (store: ReturnType<typeof createSqliteStore>) => {
    const record = sampleRecord()
    expect(store.commit([{ kind: 'insert', record }])).toBe('committed')
    return record
  }

  it('and its companions are readable by their owner alone, whatever the umask', () => {
    const before = process.umask(0)
    const store = createSqliteStore({ path })
    insertInto(store)
    process.umask(before)
    for (const file of [path, `${path}-wal`, `${path}-shm`]) expect(modeOf(file), file).toBe(0o600)
    store.close()
  })

  it('is narrowed when somebody had opened it to others', () => {
    createSqliteStore({ path }).close()
    chmodSync(path, 0o644)
    createSqliteStore({ path }).close()
    expect(modeOf(path)).toBe(0o600)
  })

  it('keeps what was committed across a restart', () => {
    const first = createSqliteStore({ path })
    const record = insertInto(first)
    first.close()
    const second = createSqliteStore({ path })
    expect(second.byId(record.id)).toEqual(record)
    second.close()
  })

  it.each([
    ['its folder does not exist', (file: string) => join(file, 'deeper', 'keys.db')],
    ['it is not a database', (file: string) => { writeFileSync(file, '[{"keyHash":"x"}]'.repeat(100)); return file }],
    ['it is from a newer version', (file: string) => { createSqliteStore({ path: file }).close(); const db = new DatabaseSync(file); db.exec('UPDATE postern_schema SET version = 99'); db.close(); return file }],
  ])('is refused when %s', (_why, arrange) => {
    const file = arrange(path)
    expect(() => createSqliteStore({ path: file })).toThrow(KeyStoreUnavailable)
  })

  it('with a status that this version does not know is unavailable, not active', () => {
    const store = createSqliteStore({ path })
    const record = insertInto(store)
    const db = new DatabaseSync(path)
    db.exec("UPDATE keys SET status = 'quarantined'")
    db.close()
    expect(() => store.byDigest([record.digest])).toThrow(KeyStoreUnavailable)
    store.close()
  })

  it('is followed when another file takes its name, such as a restored backup', () => {
    const backup = join(folder, 'backup.db')
    const made = createSqliteStore({ path: backup })
    const restored = insertInto(made)
    made.close()
    const store = createSqliteStore({ path })
    const lost = insertInto(store)
    const before = store.generation()
    renameSync(backup, path)
    for (const suffix of ['-wal', '-shm']) rmSync(`${path}${suffix}`, { force: true })
    expect(store.generation()).not.toBe(before)
    expect(store.byId(restored.id)).toBeDefined()
    expect(store.byId(lost.id)).toBeUndefined()
    store.close()
  })

  it('is unavailable while it is gone, and is not made anew', () => {
    const store = createSqliteStore({ path })
    rmSync(path)
    expect(() => store.generation()).toThrow(KeyStoreUnavailable)
    expect(() => store.byId('key_1')).toThrow(KeyStoreUnavailable)
    expect(existsSync(path)).toBe(false)
    store.close()
  })

  it('is unavailable once closed', () => {
    const store = createSqliteStore({ path })
    store.close()
    expect(() => store.byId('key_1')).toThrow(KeyStoreUnavailable)
  })

  it('loses nothing that was acknowledged when the process is killed in the middle of writing', async () => {
    const code = `
      import { createSqliteStore } from ${JSON.stringify(join(import.meta.dirname, 'sqlite-store.ts'))}
      import { writeSync } from 'node:fs'
      const store = createSqliteStore({ path: process.argv[1] })
      const base = JSON.parse(process.argv[2])
      for (let n = 0; ; n += 1) {
        const [old, fresh] = ['old', 'new'].map((which) => ({ ...base, id: which + n, digest: which + n }))
        store.commit([{ kind: 'insert', record: old }])
        store.commit([{ kind: 'insert', record: { ...fresh, replaces: old.id } }, { kind: 'update', record: { ...old, replacedBy: fresh.id } }])
        writeSync(1, n + '\\n')
      }`
    const child = spawn(process.execPath, ['--input-type=module', '-e', code, path, JSON.stringify(sampleRecord())], { stdio: ['ignore', 'pipe', 'inherit'] })
    let shown = ''
    child.stdout.on('data', (chunk: Buffer) => {
      shown += chunk.toString()
      if (shown.split('\n').length > 40) child.kill('SIGKILL')
    })
    await new Promise((resolve) => { child.on('close', resolve) })
    const last = Number(shown.trimEnd().split('\n').at(-1))
    expect(last).toBeGreaterThanOrEqual(39)

    const store = createSqliteStore({ path })
    for (let n = 0; n <= last; n += 1) {
      expect(store.byId(`old${n}`)).toMatchObject({ replacedBy: `new${n}` })
      expect(store.byId(`new${n}`)).toMatchObject({ replaces: `old${n}` })
    }
    // One further rotation may have been under way: it is whole or not there.
    const half = [store.byId(`old${last + 1}`), store.byId(`new${last + 1}`)] as unknown as ({ replacedBy?: string } | undefined)[]
    expect(half[1] === undefined).toBe(half[0]?.replacedBy === undefined)
    store.close()
  })

  it('can be opened by several processes that all find it missing', async () => {
    const code = `
      import { createSqliteStore } from ${JSON.stringify(join(import.meta.dirname, 'sqlite-store.ts'))}
      createSqliteStore({ path: process.argv[1] }).close()`
    const codes = await Promise.all(Array.from({ length: 4 }, () => new Promise((resolve) => {
      spawn(process.execPath, ['--input-type=module', '-e', code, path], { stdio: ['ignore', 'ignore', 'inherit'] }).on('close', resolve)
    })))
    expect(codes).toEqual([0, 0, 0, 0])
  })
})
