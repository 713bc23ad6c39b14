import { readFileSync, unwatchFile, watchFile } from 'node:fs'
import { sha256Hex } from '../base/bytes.ts'
import type { DurationMs } from '../base/time.ts'
import type { Observer } from '../model/event.ts'
import { importRows } from './import-json.ts'
import type { ImportInto } from './import-json.ts'

/** An `api-keys.json` that is looked after while another system may still write to it. */
export interface ImportWatch {
  /** Imports the file when its content is new. Never rejects: an import that fails leaves everything as it was and is told. */
  readonly refresh: () => Promise<void>
  readonly close: () => void
}

export interface ImportWatchOptions {
  readonly path: string
  readonly into: ImportInto
  readonly everyMs: DurationMs
  readonly observer: Observer
}

const isMissing = (error: unknown): boolean => error instanceof Error && 'code' in error && error.code === 'ENOENT'

/** Imports once at the start and again when the file changes. The file may come later: the dashboard makes it with its first key. */
export function createImportWatch({ path, into, everyMs, observer }: ImportWatchOptions): ImportWatch {
  let seen: string | undefined

  const refresh = async (): Promise<void> => {
    try {
      const text = readFileSync(path, 'utf8')
      // Kept as a digest: the text may hold keys in clear, and need not stay in memory.
      const content = sha256Hex(text)
      if (content === seen) return
      const { added, known, refused } = await importRows(text, into)
      seen = content
      observer.noticed(refused.length > 0 ? 'warn' : 'info', 'keys_imported', `imported ${added} keys, ${known} were known, ${refused.length} cannot be used`, { refused: refused.slice(0, 20) })
    } catch (error) {
      if (isMissing(error)) observer.noticed('warn', 'key_import_missing', `${path}, the file of keys to import, does not exist yet`, { file: path })
      else observer.noticed('error', 'key_import_failed', `${path}, the file of keys to import, ${error instanceof Error ? error.message : 'cannot be read'}`)
    }
  }

  const onChange = (): void => void refresh()
  // Polled, since notifications do not reach files on mounted volumes, nor those that are replaced by renaming.
  watchFile(path, { interval: everyMs, persistent: false }, onChange)
  return { refresh, close: () => unwatchFile(path, onChange) }
}
