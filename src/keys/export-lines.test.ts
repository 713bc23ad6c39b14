import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { exportLines, importExport, isExport } from './export-lines.ts'
import { ImportError } from './import-json.ts'
import { sampleRecord } from './key-store.contract.ts'
import type { KeyStore } from './key-store.ts'
import { createMemoryStore } from './memory-store.ts'
import { createSqliteStore } from './sqlite-store.ts'

async function textOf(store: KeyStore): Promise<string> {
  const lines: string[] = []
  for await (const line of exportLines(store)) lines.push(line)
  return lines.join('\n')
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

  it('brings every record, whole and in order, into a store of another kind', async () => {
    const source = createMemoryStore()
    const records = Array.from({ length: 1_203 }, (_each, n) => sampleRecord({ name: `n${n}`, uses: n, lastUsedAt: n + 1, allowedNetworks: ['::1'], limits: [{ quota: 1, windowMs: 5 }] }))
    for (const record of records) await source.commit([{ kind: 'insert', record }])
    const text = await textOf(source)
    expect(isExport(text)).toBe(true)
    expect(await importExport(text, target)).toEqual({ added: 1_203, known: 0, refused: [] })
    expect(await textOf(target)).toBe(text)
  })

  it('changes nothing when it is brought in again, and undoes no revocation', async () => {
    const source = createMemoryStore()
    const record = sampleRecord()
    await source.commit([{ kind: 'insert', record }])
    const text = await textOf(source)
    await importExport(text, target)
    await target.commit([{ kind: 'update', record: { ...record, revokedAt: 7 } }])
    expect(await importExport(text, target)).toEqual({ added: 0, known: 1, refused: [] })
    expect((await target.byId(record.id))?.revokedAt).toBe(7)
  })

  it.each([
    ['of another version', '{"format":"postern-keys","layout":9}'],
    ['with a line that is no record', '{"format":"postern-keys","layout":1}\n{"id":"key_1"}'],
    ['that was cut off', '{"format":"postern-keys","layout":1}\n{"id":"ke'],
  ])('%s is refused before anything is written', async (_what, text) => {
    await expect(importExport(text, target)).rejects.toThrow(ImportError)
    expect((await target.list({ limit: 1 })).items).toEqual([])
  })
})
