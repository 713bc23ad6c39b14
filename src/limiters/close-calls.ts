import type { EpochMs } from '../base/time.ts'
import type { Limiter } from '../model/ports.ts'
import type { Charge, ServiceLimit } from '../model/quota.ts'

/** One counter that is at its end, or near it, as it was when somebody was counted last. */
export interface CloseCall {
  readonly partition: string
  readonly policyId: string
  readonly exceeded: boolean
  /** Units left then. */
  readonly remaining: number
  readonly quota: number
  readonly at: EpochMs
  readonly resetsAt: EpochMs
}

/** Who is near or over a limit, as far as this process has seen: a shared store holds digests, and cannot say whose they are. */
export interface CloseCalls {
  /** The same limiter, whose answers are remembered where little is left. */
  readonly watch: (limiter: Limiter) => Limiter
  /** Those whose window has not ended, refused ones first, then those with the least left. */
  readonly list: (now: EpochMs) => readonly CloseCall[]
  readonly forget: (partition: string) => void
}

const MAX_KEPT = 500

/** A fifth of the quota or less. */
const isClose = ({ exceeded, remaining, policy: { quota } }: ServiceLimit): boolean => exceeded || remaining * 5 <= quota

const shareOf = ({ remaining, quota }: CloseCall): number => remaining / quota

export function createCloseCalls(): CloseCalls {
  // The end of the map is where the newest are.
  const kept = new Map<string, CloseCall>()

  const note = (charges: readonly Charge[], limits: readonly ServiceLimit[], at: EpochMs): void => {
    for (const [index, limit] of limits.entries()) {
      const partition = charges[index]?.partition
      if (partition === undefined || !isClose(limit)) continue
      const { policy: { id, quota }, remaining, exceeded, resetsAt, retryAt } = limit
      const key = `${id.length}:${id}${partition}`
      kept.delete(key)
      kept.set(key, { partition, policyId: id, quota, remaining, exceeded, at, resetsAt: Math.max(resetsAt, exceeded ? retryAt : 0) })
      const [oldest] = kept.keys()
      if (kept.size > MAX_KEPT && oldest !== undefined) kept.delete(oldest)
    }
  }

  return {
    watch: (limiter) => ({
      consume: (charges, now) => {
        const answer = limiter.consume(charges, now)
        if (!(answer instanceof Promise)) {
          note(charges, answer, now)
          return answer
        }
        // Whoever waits for it waits for nothing else.
        answer.then((limits) => note(charges, limits, now), () => undefined)
        return answer
      },
    }),
    list: (now) => {
      for (const [key, { resetsAt }] of kept) if (resetsAt <= now) kept.delete(key)
      return [...kept.values()].toSorted((a, b) => Number(b.exceeded) - Number(a.exceeded) || shareOf(a) - shareOf(b) || b.at - a.at)
    },
    forget: (partition) => {
      for (const [key, call] of kept) if (call.partition === partition) kept.delete(key)
    },
  }
}
