import { readFileSync, statSync } from 'node:fs'
import { readFile, stat } from 'node:fs/promises'
import type { DurationMs } from '../base/time.ts'
import { systemSchedule, type Schedule } from './schedule.ts'

/** A file that is read again when it changes. */
export interface WatchedFile<T> {
  /** What the last good version says. */
  readonly value: () => T
  /** Looks now; answers when it has looked. Never rejects. */
  readonly check: () => Promise<void>
  /** Why the newest version is not the one in use. */
  readonly error: () => string | undefined
  readonly close: () => void
}

export interface WatchedFileSettings<T> {
  readonly path: string
  /** Understands the text; throws when it is not usable. */
  readonly read: (text: string) => T
  /** Told once per version that was not usable. */
  readonly onError: (message: string) => void
  readonly onChange?: (value: T) => void
  readonly intervalMs?: DurationMs
  readonly schedule?: Schedule
}

const MAX_BYTES = 4_194_304
const INTERVAL_MS = 1_000

interface Stamp { readonly mtimeMs: number; readonly ctimeMs: number; readonly size: number; readonly ino: number }

/** Two versions with equal stamps are one: a renamed file has another inode, an edited one another ctime. */
function versionOf({ mtimeMs, ctimeMs, size, ino }: Stamp, path: string): string {
  if (size > MAX_BYTES) throw new Error(`${path} has more than ${MAX_BYTES} bytes`)
  return `${ino} ${size} ${mtimeMs} ${ctimeMs}`
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : 'could not be read')

/**
 * Reads a file and keeps reading it. Looks by its name once a second, so that a renamed file and Kubernetes' switched links are
 * seen. A version that cannot be read or understood never replaces a good one (T48).
 *
 * @throws whatever `read` throws, or the system's error, when the first version is not usable
 */
export function createWatchedFile<T>(settings: WatchedFileSettings<T>): WatchedFile<T> {
  const { path, read, onError, onChange, intervalMs = INTERVAL_MS, schedule = systemSchedule } = settings
  let version = versionOf(statSync(path), path)
  let value = read(readFileSync(path, 'utf8'))
  let error: string | undefined
  let cancel = (): void => undefined
  let closed = false

  const look = async (): Promise<void> => {
    const seen = versionOf(await stat(path), path)
    if (seen === version) return
    value = read(await readFile(path, 'utf8'))
    version = seen
    error = undefined
    onChange?.(value)
  }

  const check = async (): Promise<void> => {
    try {
      await look()
    } catch (cause) {
      const message = messageOf(cause)
      if (message !== error) onError(message)
      error = message
    }
    cancel()
    if (!closed) cancel = schedule(intervalMs, () => void check())
  }

  cancel = schedule(intervalMs, () => void check())
  return {
    value: () => value,
    check,
    error: () => error,
    close: () => {
      closed = true
      cancel()
    },
  }
}
