import type { DurationMs } from '../base/time.ts'

/** Asks again and again whether the store is back, with growing and scattered pauses, one question at a time. */
export interface Probe {
  readonly start: () => void
  /** Asks at once, because something speaks for it. */
  readonly soon: () => void
  readonly stop: () => void
}

const FIRST_PAUSE_MS = 100
const LONGEST_PAUSE_MS = 2_000
/** Replicas that see the same store come back do not ask in the same millisecond. */
const SOON_MS = 20

/** `attempt` says whether probing may end; it must not reject. */
export function createProbe({ attempt }: { readonly attempt: () => Promise<boolean> }): Probe {
  let timer: NodeJS.Timeout | undefined
  let active = false
  let asking = false
  let again = false
  let pause: DurationMs = FIRST_PAUSE_MS

  const after = (ms: DurationMs): void => {
    clearTimeout(timer)
    timer = setTimeout(() => void once(), ms * (0.5 + Math.random() / 2))
    timer.unref()
  }

  async function once(): Promise<void> {
    if (asking || !active) return
    asking = true
    again = false
    const done = await attempt()
    asking = false
    if (!active) return
    if (done && !again) {
      active = false
      pause = FIRST_PAUSE_MS
    } else {
      pause = Math.min(pause * 2, LONGEST_PAUSE_MS)
      after(pause)
    }
  }

  return {
    start: () => {
      again = asking
      if (active) return
      active = true
      pause = FIRST_PAUSE_MS
      after(pause)
    },
    soon: () => {
      if (active) after(SOON_MS)
    },
    stop: () => {
      active = false
      clearTimeout(timer)
    },
  }
}
