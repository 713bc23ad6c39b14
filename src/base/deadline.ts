import type { DurationMs } from './time.ts'

/** The work took longer than it may. It may still be running: give it the signal. */
export class DeadlineExceeded extends Error {
  constructor(ms: DurationMs) {
    super(`no answer within ${ms} ms`)
    this.name = 'DeadlineExceeded'
  }
}

/**
 * Runs `work` for at most `ms`; the signal aborts when the time is up.
 *
 * @throws {DeadlineExceeded} when it took longer, whatever `work` does with the signal
 */
export async function withDeadline<T>(ms: DurationMs, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const controller = new AbortController()
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => {
      const error = new DeadlineExceeded(ms)
      reject(error)
      controller.abort(error)
    }, ms)
  })
  try {
    return await Promise.race([work(controller.signal), late])
  } finally {
    clearTimeout(timer)
  }
}
