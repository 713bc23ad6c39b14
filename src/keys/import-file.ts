import { open } from 'node:fs/promises'
import { fileLines } from './file-lines.ts'
import { ImportError, importRows, type ImportInto, type ImportReport } from './import-json.ts'
import { importLines, isExport } from './import-lines.ts'

/** Far more than its 10,000 rows take. */
const MAX_ROWS_BYTES = 16 * 1_048_576

/** Its first bytes, and all of it when it is short enough to be a list of rows. */
async function beginning(path: string): Promise<{ readonly start: string; readonly all: () => Promise<string> }> {
  const file = await open(path)
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(64), 0, 64, 0)
    const { size } = await file.stat()
    return {
      start: buffer.subarray(0, bytesRead).toString('utf8'),
      all: async () => {
        if (size > MAX_ROWS_BYTES) throw new ImportError(`is neither an export nor a list of keys of at most ${MAX_ROWS_BYTES / 1_048_576} MiB`)
        const whole = await open(path)
        try {
          return await whole.readFile('utf8')
        } finally {
          await whole.close()
        }
      },
    }
  } finally {
    await file.close()
  }
}

/**
 * Imports a file of either form: an export of ours, line by line, or an `api-keys.json`.
 *
 * @throws {ImportError}, `KeyStoreUnavailable`, and whatever opening the file says
 */
export async function importFile(path: string, into: ImportInto): Promise<ImportReport> {
  const { start, all } = await beginning(path)
  return isExport(start) ? importLines(() => fileLines(path), into.store) : importRows(await all(), into)
}
