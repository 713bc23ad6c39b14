import { createHash } from 'node:crypto'
import { readFileSync, watch, type FSWatcher } from 'node:fs'
import { dirname } from 'node:path'

export interface WatchInput {
  /** Absolute paths; asked again after every change, since a new config may name other files. */
  readonly files: () => readonly string[]
  /** Called when the content of any of them is another than at the last look. Must not throw. */
  readonly onChange: () => void
  /** Quiet time before a look; a swap of a Kubernetes volume is several events. */
  readonly debounceMs?: number
  /** A look without any event, for file systems that send none (NFS, CSI). */
  readonly pollMs?: number
}

export interface ConfigWatch {
  /** Looks now. Whether something had changed. */
  readonly look: () => boolean
  readonly close: () => void
}

/** Events without an end put a look off for so many quiet times at most. */
const MOST_DEBOUNCES = 4

/** Digest of a file's content; a file that cannot be read has one of its own, so that its return is a change. */
function digestOf(file: string): string {
  try {
    return createHash('sha256').update(readFileSync(file)).digest('hex')
  } catch {
    return 'unreadable'
  }
}

type Digests = ReadonlyMap<string, string>

const digestsOf = (files: readonly string[]): Digests => new Map(files.map((file) => [file, digestOf(file)]))

/** Whether a file has another content than before. One that was not looked at before is not a change: what named it has just read it. */
const differ = (before: Digests, now: Digests): boolean => [...now].some(([file, digest]) => before.has(file) && before.get(file) !== digest)

/**
 * Watches the directories of files, not the files: editors replace files and kubelet renames the `..data` link above them, so a
 * watch on the file itself would look at the old one for ever. Contents are compared, so that a touch is no change.
 */
export function watchConfig({ files, onChange, debounceMs = 250, pollMs = 60_000 }: WatchInput): ConfigWatch {
  const watchers = new Map<string, FSWatcher>()
  let known = digestsOf(files())
  let pending: NodeJS.Timeout | undefined
  let latest = 0

  /** A log that is written in the same directory is never quiet: then it is looked all the same. */
  const soon = (): void => {
    const now = performance.now()
    if (pending === undefined) latest = now + MOST_DEBOUNCES * debounceMs
    clearTimeout(pending)
    pending = setTimeout(look, Math.max(0, Math.min(debounceMs, latest - now)))
    pending.unref()
  }

  const forget = (directory: string): void => {
    watchers.get(directory)?.close()
    watchers.delete(directory)
  }

  const follow = (): void => {
    const wanted = new Set(files().map((file) => dirname(file)))
    for (const directory of watchers.keys()) if (!wanted.has(directory)) forget(directory)
    for (const directory of wanted) {
      if (watchers.has(directory)) continue
      // A directory that cannot be watched (gone, no inotify left) is still polled, and tried again then.
      try {
        const watcher = watch(directory, { persistent: false }, soon)
        watcher.on('error', () => forget(directory))
        watchers.set(directory, watcher)
      } catch {
        forget(directory)
      }
    }
  }

  function look(): boolean {
    clearTimeout(pending)
    pending = undefined
    const now = digestsOf(files())
    const changed = differ(known, now)
    known = now
    if (changed) {
      onChange()
      const named = files().filter((file) => !now.has(file))
      // Not those of `now`: a write between the look and the reload would be missed.
      known = new Map([...now, ...digestsOf(named)])
    }
    follow()
    return changed
  }

  follow()
  const poll = setInterval(look, pollMs)
  poll.unref()
  return {
    look,
    close: () => {
      clearInterval(poll)
      clearTimeout(pending)
      for (const directory of watchers.keys()) forget(directory)
    },
  }
}
