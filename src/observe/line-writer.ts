import { closeSync, fchmodSync, fstatSync, openSync, write, writeSync } from 'node:fs'
import { withDeadline } from '../base/deadline.ts'
import { createLineBuffer, type LineBuffer } from './line-buffer.ts'

/** Where lines go: one of the standard streams, or a file that is appended to. */
export type LineTarget = 'stdout' | 'stderr' | { readonly file: string }

/**
 * Appends whole lines. Synchronous until `settle`, so that nothing said while starting is lost; from then on lines that come
 * within 20 ms share a write.
 */
export interface LineWriter {
  /** `line` has no line break. */
  readonly write: (line: string) => void
  /**
   * The same for a line that is put together a little later: 32 in a row cost half of what each costs in the midst of a
   * request. What it is made of must not change, and is kept for as long.
   */
  readonly writeLater: (line: () => string) => void
  /** Batched from now on. */
  readonly settle: () => void
  /** Writes at once what is still held; for the moment before the process ends. */
  readonly flush: () => void
  /** Writes what is held and closes a file; a standard stream stays open. */
  readonly close: () => Promise<void>
}

/** Held bytes beyond which lines are dropped: a reader that hangs must not take the memory with it. */
const MAX_HELD = 8 * 1_024 * 1_024

/** How long lines wait for company. */
const BATCH_MS = 20

/**
 * Lines that may wait to be put together. Each keeps all of its request: a busy gateway collects garbage every 10 ms, and what two
 * collections find in use becomes old.
 */
const MOST_WAITING = 32

/** How long the last writer waits for a full pipe. */
const PAUSE_MS = 10

/** How long closing waits for a reader. */
const MAX_CLOSE_MS = 1_000

/** Attempts of the last, synchronous write to a full pipe. */
const MAX_ATTEMPTS = 100

const isBusy = (error: unknown): boolean => error instanceof Error && 'code' in error && error.code === 'EAGAIN'

/** Blocks this thread; only for the moment before the process ends. */
const pause = (ms: number): void => void Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms)

/** Writes all of it now. A pipe that stays full, or that nobody reads any more, loses it. */
function writeAll(fd: number, bytes: Buffer): void {
  let rest = bytes
  for (let attempt = 0; rest.length > 0 && attempt < MAX_ATTEMPTS; attempt += 1) {
    try {
      rest = rest.subarray(writeSync(fd, rest))
    } catch (error) {
      if (!isBusy(error)) return
      pause(PAUSE_MS)
    }
  }
}

/** @throws when the file cannot be opened for appending */
function open(target: LineTarget): number {
  if (target === 'stdout') return 1
  if (target === 'stderr') return 2
  const fd = openSync(target.file, 'a', 0o600)
  // The mode of openSync is only for a new file: narrow one that existed. A device or pipe is left as it is.
  if (fstatSync(fd).isFile()) fchmodSync(fd, 0o600)
  return fd
}

interface Batch {
  /** Lines that are not put together yet; they come behind those that are held. */
  waiting: (() => string)[]
  held: LineBuffer
  /** What is being written. */
  leaving: Buffer
  busy: boolean
  lost: number
}

function putTogether(batch: Batch): void {
  const { waiting } = batch
  // A line that throws is not tried again.
  batch.waiting = []
  for (const line of waiting) batch.held.append(line())
}

/**
 * @param dropped is told how many lines were lost to a reader that hangs
 * @throws when the file cannot be opened for appending
 */
export function createLineWriter(target: LineTarget, dropped: (lines: number) => void = () => undefined): LineWriter {
  const fd = open(target)
  const batch: Batch = { waiting: [], held: createLineBuffer(), leaving: Buffer.alloc(0), busy: false, lost: 0 }
  const idle: (() => void)[] = []
  let settled = false
  let timer: NodeJS.Timeout | undefined

  const rested = (): void => idle.splice(0).forEach((resume) => resume())

  const send = (): void => {
    timer = undefined
    putTogether(batch)
    if (batch.busy) return
    if (batch.leaving.length === 0) {
      if (batch.lost > 0) dropped(batch.lost)
      batch.lost = 0
      batch.leaving = batch.held.take()
    }
    if (batch.leaving.length === 0) return rested()
    batch.busy = true
    write(fd, batch.leaving, (error, bytes) => {
      batch.busy = false
      // Any error but a full pipe (nobody reads it any more, the disk is full) loses this batch; the next one is tried again.
      batch.leaving = error && !isBusy(error) ? Buffer.alloc(0) : batch.leaving.subarray(bytes)
      if (!error && batch.leaving.length > 0) return send()
      // Not at once: under load something is always held, and a write for each turn of the loop wakes a thread each time.
      if (batch.held.length() > 0 || batch.leaving.length > 0) timer ??= setTimeout(send, BATCH_MS)
      if (batch.leaving.length === 0) rested()
    })
  }
  const flush = (): void => {
    putTogether(batch)
    // What the kernel already has is not written twice.
    if (!batch.busy) {
      writeAll(fd, batch.leaving)
      batch.leaving = Buffer.alloc(0)
    }
    writeAll(fd, batch.held.take())
    // The system may still read what it was given before.
    batch.held = createLineBuffer()
  }
  const hold = (line: () => string): void => {
    if (batch.held.length() > MAX_HELD) return void (batch.lost += 1)
    batch.waiting.push(line)
    if (batch.waiting.length >= MOST_WAITING) putTogether(batch)
    timer ??= setTimeout(send, BATCH_MS)
  }
  return {
    write: (line) => (settled ? hold(() => line) : writeAll(fd, Buffer.from(`${line}\n`))),
    writeLater: (line) => (settled ? hold(line) : writeAll(fd, Buffer.from(`${line()}\n`))),
    settle: () => {
      settled = true
    },
    flush,
    close: async () => {
      clearTimeout(timer)
      if (batch.busy) await withDeadline(MAX_CLOSE_MS, () => new Promise<void>((resolve) => idle.push(resolve))).catch(() => undefined)
      flush()
      settled = false
      if (fd > 2) closeSync(fd)
    },
  }
}
