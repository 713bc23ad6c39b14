import type { Clock } from '../base/time.ts'
import type { Observer } from '../model/event.ts'
import { readKeySet, removedKids, type KeySet } from './key-set.ts'
import type { KeySource } from './key-source.ts'
import type { Schedule } from './schedule.ts'
import { createWatchedFile } from './watched-file.ts'

export interface KeyFileDeps {
  readonly clock: Clock
  readonly observer: Observer
  readonly schedule?: Schedule
}

/**
 * Keys from a JWK set in a local file, read again when it changes. A version that is not a key set leaves the last good one in use.
 *
 * @throws {KeySetError | Error} when the file cannot be read or is not a JWK set
 */
export function createKeyFile(path: string, { clock, observer, schedule }: KeyFileDeps): KeySource {
  let readAt = clock()
  let before: KeySet | undefined
  const file = createWatchedFile<KeySet>({
    path,
    read: (text) => {
      const document: unknown = JSON.parse(text)
      return readKeySet(document)
    },
    onError: (message) => observer.noticed('warn', 'jwks_unavailable', `the keys in ${path} are not usable: ${message}`, { file: path }),
    onChange: (set) => {
      readAt = clock()
      observer.noticed('info', 'jwks_file_read', `the keys in ${path} were read again`, { file: path, keys: set.size, removed: removedKids(before, set) })
      before = set
    },
    ...(schedule && { schedule }),
  })
  before = file.value()
  for (const { kid, why } of before.dropped) observer.noticed('warn', 'jwks_key_dropped', `a key in ${path} is not used: ${why}`, { file: path, kid })
  return {
    id: path,
    current: file.value,
    keys: file.value,
    refetched: async () => {
      await file.check()
      return file.value()
    },
    ready: async () => undefined,
    state: () => {
      const error = file.error()
      return { keys: file.value().size, lastSuccessAt: readAt, ageMs: clock() - readAt, ...(error !== undefined && { lastError: error }) }
    },
    close: file.close,
  }
}
