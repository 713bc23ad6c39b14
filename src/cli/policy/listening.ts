import { type Observer, SILENT } from '../../model/event.ts'

/** What a run hears of: bugs, and files of keys that were brought in. */
export interface Listening {
  readonly observer: Observer
  /** The faults since it was last asked. */
  readonly faults: () => readonly unknown[]
  /** Resolves when so many files were brought in, or could not be; after 5 s in any case. */
  readonly imported: (files: number) => Promise<void>
}

const LONGEST_MS = 5_000

const IMPORTS: ReadonlySet<string> = new Set(['keys_imported', 'key_import_missing', 'key_import_failed'])

export function createListening(): Listening {
  let faults: unknown[] = []
  let heard = 0
  let tell = (): void => undefined
  return {
    observer: {
      ...SILENT,
      faulted: (error) => void faults.push(error),
      noticed: (_level, code) => {
        if (!IMPORTS.has(code)) return
        heard += 1
        tell()
      },
    },
    faults: () => {
      const taken = faults
      faults = []
      return taken
    },
    imported: (files) =>
      new Promise((resolve) => {
        const done = (): void => {
          clearTimeout(timer)
          resolve()
        }
        const timer = setTimeout(done, LONGEST_MS)
        tell = () => {
          if (heard >= files) done()
        }
        tell()
      }),
  }
}
