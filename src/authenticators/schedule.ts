import type { DurationMs } from '../base/time.ts'

/** Runs something later; the answer cancels it. Injected, so that tests decide when later is. */
export type Schedule = (delayMs: DurationMs, run: () => void) => () => void

/** Does not keep the process alive. */
export const systemSchedule: Schedule = (delayMs, run) => {
  const timer = setTimeout(run, delayMs)
  timer.unref()
  return () => clearTimeout(timer)
}
