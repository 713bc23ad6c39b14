import { Worker } from 'node:worker_threads'
import type { DurationMs, EpochMs } from '../base/time.ts'

/** bcrypt reads 72 bytes and ignores the rest, so a longer key would be equal to every other with the same beginning. */
export const BCRYPT_MAX_BYTES = 72

/** Rows more costly than this are not imported: one comparison would take a second and more. */
export const BCRYPT_MAX_COST = 12

const BCRYPT = /^\$2[aby]\$(\d{2})\$[./A-Za-z0-9]{53}$/

/** The cost of a bcrypt text, or undefined when it is none. */
export function bcryptCostOf(hash: string): number | undefined {
  const cost = BCRYPT.exec(hash)?.[1]
  return cost === undefined ? undefined : Number(cost)
}

/** Could not be compared now; says nothing about the key. */
export class BcryptBusy extends Error {
  readonly retryAfterMs: DurationMs
  constructor(message: string, retryAfterMs: DurationMs) {
    super(message)
    this.name = 'BcryptBusy'
    this.retryAfterMs = retryAfterMs
  }
}

export interface BcryptVerifier {
  /**
   * Index of the hash that fits, or -1.
   *
   * @throws {BcryptBusy} when the budget is spent, too many wait, or the thread failed
   */
  readonly firstMatch: (key: string, hashes: readonly string[], now: EpochMs) => Promise<number>
  readonly close: () => void
}

export interface BcryptLimits {
  /** Guesses that may wait, the one being worked on included. */
  readonly maxWaiting: number
  /** Comparisons per minute, counted in those of cost 10: at some 60 ms each, 300 are a third of one core. */
  readonly comparisonsPerMinute: number
}

export const BCRYPT_LIMITS: BcryptLimits = { maxWaiting: 32, comparisonsPerMinute: 300 }

const workOf = (hashes: readonly string[]): number => hashes.reduce((sum, hash) => sum + 2 ** ((bcryptCostOf(hash) ?? 10) - 10), 0)

/** A fixed window, so that random keys cannot burn more than a stated share of a core. */
function createBudget(perMinute: number): (work: number, now: EpochMs) => DurationMs {
  let opensAt = -Infinity
  let spent = 0
  return (work, now) => {
    if (now >= opensAt + 60_000 || now < opensAt) {
      opensAt = now
      spent = 0
    }
    // One guess may be dearer than the budget; alone in its window it passes, or many rows could never be matched.
    if (spent > 0 && spent + work > perMinute) return opensAt + 60_000 - now
    spent += work
    return 0
  }
}

interface Waiting { readonly resolve: (index: number) => void; readonly reject: (error: Error) => void }

function indexOf(message: unknown): { id: number; index: number } | undefined {
  if (typeof message !== 'object' || message === null || !('id' in message) || !('index' in message)) return undefined
  return typeof message.id === 'number' && typeof message.index === 'number' ? { id: message.id, index: message.index } : undefined
}

/** Built, the worker lies beside this module as a script of its own; in a checkout it is run as it is written. */
const workerUrl = (): URL => new URL(import.meta.url.endsWith('.ts') ? './bcrypt-worker.ts' : './bcrypt-worker.js', import.meta.url)

/** One thread, started with the first guess, that works guesses off one after another. */
export function createBcryptVerifier(limits: BcryptLimits = BCRYPT_LIMITS): BcryptVerifier {
  const waiting = new Map<number, Waiting>()
  const spend = createBudget(limits.comparisonsPerMinute)
  let worker: Worker | undefined
  let count = 0

  const failAll = (thread: Worker): void => {
    // A thread tells its error and its exit; by the second, another one may be at work.
    if (worker !== thread) return
    worker = undefined
    for (const { reject } of waiting.values()) reject(new BcryptBusy('the bcrypt thread ended', 1_000))
    waiting.clear()
  }

  const started = (): Worker => {
    const thread = new Worker(workerUrl(), { stdout: false })
    thread.unref()
    thread.on('message', (message: unknown) => {
      const answer = indexOf(message)
      if (!answer) return
      waiting.get(answer.id)?.resolve(answer.index)
      waiting.delete(answer.id)
      // Without a guess under way the thread does not hold the process up.
      if (waiting.size === 0) thread.unref()
    })
    thread.on('error', () => failAll(thread))
    thread.on('exit', () => failAll(thread))
    return thread
  }

  return {
    firstMatch: async (key, hashes, now) => {
      if (Buffer.byteLength(key) > BCRYPT_MAX_BYTES || hashes.length === 0) return -1
      if (waiting.size >= limits.maxWaiting) throw new BcryptBusy('too many imported keys are being compared', 1_000)
      const wait = spend(workOf(hashes), now)
      if (wait > 0) throw new BcryptBusy('the budget for comparing imported keys is spent', wait)
      worker ??= started()
      worker.ref()
      count += 1
      const id = count
      const answer = new Promise<number>((resolve, reject) => {
        waiting.set(id, { resolve, reject })
      })
      // The empty list of transfers: the key is copied, and a linter does not take this for a window's message.
      worker.postMessage({ id, key, hashes }, [])
      return answer
    },
    close: () => {
      void worker?.terminate()
    },
  }
}
