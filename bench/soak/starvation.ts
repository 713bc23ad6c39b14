import { readFileSync } from 'node:fs'

/** Tells when the machine gave us no time: what is late then says nothing about the process under the soak. */
export interface Starvation {
  /** Whether there was any since this instant of `performance.now()`. */
  readonly since: (instant: number) => boolean
  /** Seconds in which somebody had to wait for a core, as a share of all. */
  readonly share: () => number
  readonly stop: () => void
}

const LOOK_MS = 200
/** A look that comes so much too late, or a thread that waited so long for a core between two looks. */
const WAITED_MS = 150

/** Time for which the main thread was ready to run and did not, ms. Absent outside Linux. */
function waitedMs(pid: number): number {
  try {
    return Number(readFileSync(`/proc/${pid}/schedstat`, 'utf8').split(' ')[1]) / 1e6
  } catch {
    return 0
  }
}

export function watchStarvation(pid: number): Starvation {
  let last = Number.NEGATIVE_INFINITY
  let [lookedAt, waited] = [performance.now(), waitedMs(pid)]
  let [looks, starved] = [0, 0]
  const timer = setInterval(() => {
    const [now, waitedNow] = [performance.now(), waitedMs(pid)]
    looks += 1
    if (now - lookedAt > LOOK_MS + WAITED_MS || waitedNow - waited > WAITED_MS) {
      last = now
      starved += 1
    }
    ;[lookedAt, waited] = [now, waitedNow]
  }, LOOK_MS)
  timer.unref()
  return { since: (instant) => last >= instant, share: () => (looks === 0 ? 0 : starved / looks), stop: () => clearInterval(timer) }
}
