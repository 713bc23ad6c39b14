import type { Clock, EpochMs } from '../../base/time.ts'
import type { Observer } from '../../model/event.ts'
import type { UpstreamSettings } from '../../model/gateway.ts'
import { createPool, type UpstreamPool } from './pool.ts'

/** What is known of an upstream without asking it: what became of the last exchanges. */
export interface UpstreamState {
  /** Attempts to connect that failed since the last answer; 0 means that it is reachable as far as known. */
  readonly consecutiveFailures: number
  readonly lastError?: { readonly at: EpochMs; readonly cause: string } | undefined
  readonly lastAnswerAt?: EpochMs | undefined
}

/** The connections of the process, by what makes them; they survive a reload. */
export interface UpstreamPools {
  readonly of: (settings: UpstreamSettings) => UpstreamPool
  /** By upstream id, for /readyz. */
  readonly state: (id: string) => UpstreamState
  readonly reached: (id: string) => void
  readonly missed: (id: string, cause: string) => void
  /** After a swap: closes the pools that no upstream uses any more, once their requests are done. */
  readonly retain: (upstreams: Iterable<UpstreamSettings>) => void
  readonly close: () => Promise<void>
}

/** What is remembered of an upstream, written on each answer. */
interface Remembered { consecutiveFailures: number; lastError: UpstreamState['lastError']; lastAnswerAt: EpochMs | undefined }

export function createUpstreamPools({ observer, clock }: { observer: Observer; clock: Clock }): UpstreamPools {
  const pools = new Map<string, UpstreamPool>()
  const states = new Map<string, Remembered>()
  const stateOf = (id: string): Remembered => {
    const known = states.get(id)
    if (known) return known
    const made: Remembered = { consecutiveFailures: 0, lastError: undefined, lastAnswerAt: undefined }
    states.set(id, made)
    return made
  }

  return {
    of: (settings) => {
      const known = pools.get(settings.key)
      if (known) return known
      const pool = createPool(settings)
      pools.set(settings.key, pool)
      return pool
    },
    state: stateOf,
    reached: (id) => {
      const state = stateOf(id)
      if (state.consecutiveFailures > 0) observer.noticed('info', 'upstream_reachable', 'the upstream answers again', { upstream: id })
      state.consecutiveFailures = 0
      state.lastAnswerAt = clock()
    },
    missed: (id, cause) => {
      const state = stateOf(id)
      // Once per outage: under load the same line would come a thousand times.
      if (state.consecutiveFailures === 0) observer.noticed('warn', 'upstream_unreachable', 'the upstream cannot be connected to', { upstream: id, cause })
      state.consecutiveFailures += 1
      state.lastError = { at: clock(), cause }
    },
    retain: (upstreams) => {
      const wanted = new Set([...upstreams].map(({ key }) => key))
      for (const [key, pool] of pools) {
        if (wanted.has(key)) continue
        pools.delete(key)
        pool.retire()
      }
    },
    close: async () => {
      const closing = [...pools.values()]
      pools.clear()
      await Promise.all(closing.map((pool) => pool.destroy()))
    },
  }
}
