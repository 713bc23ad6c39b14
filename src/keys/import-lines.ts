import { EXPORT_HEADER, exportEnd } from './export-lines.ts'
import { recordInLine } from './export-record.ts'
import { LineTooLong, type FileLine } from './file-lines.ts'
import { ImportError, type ImportReport } from './import-json.ts'
import type { KeyRecord } from './key-record.ts'
import { KeyStoreUnavailable, type KeyStore } from './key-store.ts'

/** Records per write: each is one step, and waits for the disk once. */
const BATCH = 500

/** Mistakes that are told; the others are counted. */
const MAX_TOLD = 100

/** Opens the file from its beginning; called twice. */
export type OpenLines = () => AsyncIterable<FileLine>

interface Numbered { readonly record: KeyRecord; readonly line: number }

/** Whether a first line is that of an export, of whichever version. */
export const isExport = (firstLine: string): boolean => firstLine.startsWith('{"format":"postern-keys"')

/** Lists what is wrong, line by line; counts what it does not list. */
function createMistakes() {
  const told: { row: number; reason: string }[] = []
  let more = 0
  return {
    add: (row: number, reason: string): void => {
      if (told.length < MAX_TOLD) told.push({ row, reason })
      else more += 1
    },
    told, more: () => more,
  }
}

/** The last line that is not blank must say how many records there were. */
function endMistake(last: FileLine | undefined, records: number): string | undefined {
  if (last && last.text === exportEnd(records)) return undefined
  return last?.text.startsWith('{"end":') ? `has ${records} records and says that it had another number of them` : 'was cut off: its last line is missing'
}

/** Reads all of it and writes nothing. @throws {ImportError} with every mistake and its line */
async function check(lines: AsyncIterable<FileLine>): Promise<void> {
  const mistakes = createMistakes()
  let [records, first] = [0, true]
  let last: FileLine | undefined
  try {
    for await (const line of lines) {
      if (first && line.text !== EXPORT_HEADER) throw new ImportError('was exported by another version of Postern')
      if (!first && line.text.trim() !== '') {
        // One behind: the last line is no record.
        if (last) {
          const found = recordInLine(last.text)
          if (typeof found === 'string') mistakes.add(last.number, found)
          records += 1
        }
        last = line
      }
      first = false
    }
  } catch (error) {
    if (!(error instanceof LineTooLong)) throw error
    mistakes.add(error.line, 'it is too long to be a record')
  }
  if (mistakes.told.length > 0) throw new ImportError(`has ${mistakes.told.length + mistakes.more()} lines that cannot be used; nothing was imported`, mistakes.told)
  const end = endMistake(last, records)
  if (end !== undefined) throw new ImportError(`${end}; nothing was imported`)
}

async function* batches(lines: AsyncIterable<FileLine>): AsyncGenerator<readonly Numbered[]> {
  let batch: Numbered[] = []
  for await (const { number, text } of lines) {
    if (number === 1 || text.trim() === '' || text.startsWith('{"end":')) continue
    const record = recordInLine(text)
    if (typeof record === 'string') throw new ImportError(`changed while it was read, at line ${number}`)
    batch.push({ record, line: number })
    if (batch.length < BATCH) continue
    yield batch
    batch = []
  }
  if (batch.length > 0) yield batch
}

const insert = async (store: KeyStore, records: readonly Numbered[]): Promise<boolean> =>
  records.length === 0 || (await store.commit(records.map(({ record }) => ({ kind: 'insert', record }) as const))) === 'committed'

interface Progress { added: number; known: number; readonly refused: ReturnType<typeof createMistakes> }

/** In one step where none of them is there; else those that are not, and where that fails one by one. */
async function bringIn(store: KeyStore, batch: readonly Numbered[], progress: Progress): Promise<void> {
  if (await insert(store, batch)) return void (progress.added += batch.length)
  const known = await Promise.all(batch.map(async ({ record: { id } }) => (await store.byId(id)) !== undefined))
  const fresh = batch.filter((_each, index) => !known[index])
  progress.known += batch.length - fresh.length
  if (await insert(store, fresh)) return void (progress.added += fresh.length)
  for (const each of fresh) {
    if (await insert(store, [each])) progress.added += 1
    // The same id twice in the file, or another import at the same time.
    else if (await store.byId(each.record.id)) progress.known += 1
    else progress.refused.add(each.line, 'its digest is there under another id')
  }
}

/**
 * Brings an export into a store, whatever kind either is, with the memory of one batch. The whole file is checked before anything is
 * written. Records that are there already stay as they are, so doing it again changes nothing, undoes no revocation, and goes on where a
 * store failed in the middle: whole batches are there then, and no half one.
 *
 * @throws {ImportError} with every line that is wrong, before anything was written; {KeyStoreUnavailable} that says how far it came
 */
export async function importLines(open: OpenLines, store: KeyStore): Promise<ImportReport> {
  await check(open())
  const progress: Progress = { added: 0, known: 0, refused: createMistakes() }
  for await (const batch of batches(open())) {
    try {
      await bringIn(store, batch, progress)
    } catch (error) {
      if (!(error instanceof KeyStoreUnavailable)) throw error
      throw new KeyStoreUnavailable(`${error.message}. The lines before ${batch[0]?.line ?? 1} are in the store; run it again to bring in the others`, { cause: error })
    }
  }
  const { added, known, refused } = progress
  return { added, known, refused: refused.told, ...(refused.more() > 0 && { moreRefused: refused.more() }) }
}
