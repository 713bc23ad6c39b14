import type { KeyRecord } from './key-record.ts'
import { ImportError, type ImportReport } from './import-json.ts'
import { KeyStoreUnavailable, type KeyStore } from './key-store.ts'
import { recordOf, valuesOf, type Row } from './record-rows.ts'

/**
 * A whole store as JSON lines: what it is in the first, a record in each of the others. Holds digests and no key, and no pepper: where it is
 * imported the same peppers are needed.
 */
const HEADER = { format: 'postern-keys', layout: 1 } as const

const PAGE = 500
const BATCH = 200

/** Whether a text is such an export, by its first line. */
export const isExport = (text: string): boolean => text.startsWith('{"format":"postern-keys"')

/** Lines without their ends, in the order in which the keys were made. */
export async function* exportLines(store: KeyStore): AsyncGenerator<string> {
  yield JSON.stringify(HEADER)
  let after: string | undefined
  do {
    const page = await store.list({ limit: PAGE, after })
    for (const record of page.items) yield JSON.stringify(valuesOf(record))
    after = page.next
  } while (after !== undefined)
}

function readLine(line: string, number: number): KeyRecord {
  try {
    const row: unknown = JSON.parse(line)
    if (typeof row !== 'object' || row === null || Array.isArray(row)) throw new SyntaxError()
    // An object with whatever members; `recordOf` looks at each.
    return recordOf(row as Row)
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof KeyStoreUnavailable) throw new ImportError(`has a line ${number} that is not a record of a key`)
    throw error
  }
}

function parseExport(text: string): readonly KeyRecord[] {
  const [header = '', ...lines] = text.split('\n')
  if (header.trim() !== JSON.stringify(HEADER)) throw new ImportError('was exported by another version of Postern')
  return lines.flatMap((line, index) => (line.trim() === '' ? [] : [readLine(line, index + 2)]))
}

/** Of those that are not there by their id: how many could be written. One that cannot has the digest of another. */
async function insert(store: KeyStore, records: readonly KeyRecord[]): Promise<number> {
  if (records.length === 0) return 0
  if ((await store.commit(records.map((record) => ({ kind: 'insert', record }) as const))) === 'committed') return records.length
  if (records.length === 1) return 0
  let written = 0
  for (const record of records) written += await insert(store, [record])
  return written
}

/**
 * Brings an export into a store, whatever kind either is. Records that are there already stay as they are, so doing it again changes
 * nothing and undoes no revocation.
 *
 * @throws {ImportError} for another text, before anything was written; `KeyStoreUnavailable` when the store cannot be used
 */
export async function importExport(text: string, store: KeyStore): Promise<ImportReport> {
  const records = parseExport(text)
  const report = { added: 0, known: 0, refused: new Array<{ row: number; reason: string }>() }
  for (let at = 0; at < records.length; at += BATCH) {
    const batch = records.slice(at, at + BATCH)
    const known = await Promise.all(batch.map(async ({ id }) => (await store.byId(id)) !== undefined))
    const fresh = batch.filter((_record, index) => !known[index])
    report.known += batch.length - fresh.length
    const added = await insert(store, fresh)
    report.added += added
    if (added < fresh.length) report.refused.push({ row: at + 2, reason: `${fresh.length - added} keys of this batch are there under another id` })
  }
  return report
}
