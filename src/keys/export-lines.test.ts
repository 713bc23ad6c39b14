import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { EXPORT_HEADER, exportEnd, exportLines } from './export-lines.ts'
import { importFile } from './import-file.ts'
import { ImportError, type ImportReport } from './import-json.ts'
import { createKeyHasher } from './key-digest.ts'
import { sampleRecord } from './key-store.contract.ts'
import { KeyStoreUnavailable, type KeyStore } from './key-store.ts'
import { createMemoryStore } from './memory-store.ts'
import { valuesOf } from './record-rows.ts'
import { createSqliteStore } from './sqlite-store.ts'

async function textOf(store: KeyStore): Promise<string> {
  const lines: string[] = []
  for await (const line of exportLines(store)) lines.push(line)
  return `${lines.join('\n')}\n`
}

describe('an export', () => {
  let folder: string
  let target: KeyStore
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'postern-export-'))
    target = createSqliteStore({ path: join(folder, 'keys.db') })
  })
  afterEach(async () => {
    await target.close()
    rmSync(folder, { recursive: true })
  })

  const importText = (text: string, store = target): Promise<ImportReport> => {
    const path = join(folder, 'keys.jsonl')
    writeFileSync(path, text)
    return importFile(path, { store, hasher: createKeyHasher({ pepper: 'sixteen-characters' }), clock: Date.now })
  }
  const textWith = (...lines: readonly string[]): string => `${[EXPORT_HEADER, ...lines, exportEnd(lines.length)].join('\n')}\n`
  const lineOf = (members: Parameters<typeof sampleRecord>[0] = {}): string => JSON.stringify(valuesOf(sampleRecord(members)))

  it('brings every record, whole and in order, into a store of another kind', async () => {
    const source = createMemoryStore()
    const records = Array.from({ length: 1_203 }, (_each, n) => sampleRecord({ name: `n${n} für \u2028`, uses: n, lastUsedAt: n + 1, allowedNetworks: ['::1'], limits: [{ quota: 1, windowMs: 5 }] }))
    for (const record of records) await source.commit([{ kind: 'insert', record }])
    const text = await textOf(source)
    expect(await importText(text)).toEqual({ added: 1_203, known: 0, refused: [] })
    expect(await textOf(target)).toBe(text)
  })

  it('changes nothing when it is brought in again, and undoes no revocation', async () => {
    const source = createMemoryStore()
    const record = sampleRecord()
    await source.commit([{ kind: 'insert', record }])
    const text = await textOf(source)
    await importText(text)
    await target.commit([{ kind: 'update', record: { ...record, revokedAt: 7 } }])
    expect(await importText(text)).toEqual({ added: 0, known: 1, refused: [] })
    expect((await target.byId(record.id))?.revokedAt).toBe(7)
  })

  it('names every line that is wrong and why, and then nothing is written', async () => {
    const bad = ['{"id":"key_1"}', 'not json, a_live_secret', '[]', lineOf({ digest: 'F'.repeat(64) }), lineOf({ alg: 'bcrypt', digest: 'plain' }), lineOf({ id: '../x' }), lineOf({ allowedNetworks: ['10.0.0.0/99'] }), lineOf().replace('"active"', '"banned"')]
    const failure = await importText(textWith(lineOf(), ...bad, lineOf())).catch((error: unknown) => error)
    expect(failure).toBeInstanceOf(ImportError)
    expect(failure).toMatchObject({
      message: 'has 8 lines that cannot be used; nothing was imported',
      lines: [
        { row: 3, reason: 'it has no readable alg' }, { row: 4, reason: 'it is not JSON' }, { row: 5, reason: 'it is not a record of a key' }, { row: 6, reason: 'its digest is not one' },
        { row: 7, reason: 'its digest is not a bcrypt text' }, { row: 8, reason: 'its id is not the id of a key' }, { row: 9, reason: 'its networks cannot be read' }, { row: 10, reason: 'it has no readable status' },
      ],
    })
    expect((await target.list({ limit: 1 })).items).toEqual([])
  })

  it('lists a hundred of many mistakes and counts the others', async () => {
    const failure = await importText(textWith(...Array.from({ length: 150 }, () => '{}'))).catch((error: unknown) => error)
    expect(failure).toMatchObject({ message: expect.stringContaining('has 150 lines') })
    expect(failure).toHaveProperty('lines.length', 100)
  })

  it.each([
    ['of another version', '{"format":"postern-keys","layout":9}\n', /another version/],
    ['that was cut off in a line', `${EXPORT_HEADER}\n${lineOf()}\n{"id":"ke`, /cut off/],
    ['that was cut off between two lines', `${EXPORT_HEADER}\n${lineOf()}\n`, /cut off/],
    ['of which lines are missing', `${EXPORT_HEADER}\n${lineOf()}\n${exportEnd(2)}\n`, /has 1 records/],
    ['with a line without end', `${EXPORT_HEADER}\n${'x'.repeat(1_200_000)}`, /1 lines that cannot be used/],
  ])('%s is refused before anything is written', async (_what, text, message) => {
    await expect(importText(text)).rejects.toThrow(message)
    expect((await target.list({ limit: 1 })).items).toEqual([])
  })

  it('is read with line ends of Windows and blank lines, too', async () => {
    expect(await importText(textWith(lineOf()).replaceAll('\n', '\r\n\r\n'))).toMatchObject({ added: 1 })
  })

  it('whose keys are there under other ids says which lines, and brings in the rest', async () => {
    const twin = sampleRecord()
    await target.commit([{ kind: 'insert', record: twin }])
    expect(await importText(textWith(lineOf(), lineOf({ digest: twin.digest }), lineOf()))).toEqual({ added: 2, known: 0, refused: [{ row: 3, reason: 'its digest is there under another id' }] })
  })

  it('goes on where the store failed in the middle, and says where that was; no batch is there by half', async () => {
    const text = textWith(...Array.from({ length: 1_300 }, () => lineOf()))
    let writes = 0
    const failing: KeyStore = { ...target, commit: (changes) => {
      writes += 1
      if (writes === 2) throw new KeyStoreUnavailable('the key store cannot be used: no connection')
      return target.commit(changes)
    } }
    await expect(importText(text, failing)).rejects.toThrow('no connection. The lines before 502 are in the store; run it again to bring in the others')
    expect((await target.list({ limit: 1_000 })).items).toHaveLength(500)
    expect(await importText(text)).toEqual({ added: 800, known: 500, refused: [] })
  })
})
