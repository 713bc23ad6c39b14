import { LRUCache } from 'lru-cache'
import type { DurationMs, EpochMs } from '../base/time.ts'
import type { Charge, ServiceLimit } from '../model/quota.ts'
import { fieldOf } from './counter-keys.ts'

/** Partitions that are known to be blocked. Asking it costs no round trip, so a flood of refused requests costs the store nothing. */
export interface DenyCache {
  /** The refusal of a call that holds a blocked charge, or undefined when the store must be asked. */
  readonly look: (charges: readonly Charge[], now: EpochMs) => readonly ServiceLimit[] | undefined
  /** Remembers what the store said of a refused call; what it did not say is left out. */
  readonly learn: (charges: readonly Charge[], limits: readonly (ServiceLimit | undefined)[], now: EpochMs) => void
  readonly forget: () => void
  readonly size: () => number
}

export interface DenyCacheSettings {
  readonly keyOf: (partition: string) => string
  /** Longest time that an entry is believed; a cluster takes units back, so what it refused may open earlier than it said. */
  readonly maxMs?: DurationMs
  /** Most entries; default 10,000, about 5 MB. */
  readonly max?: number
}

interface Blocked {
  /** Charges of at least this cost are refused. */
  readonly cost: number
  readonly until: EpochMs
  readonly limit: ServiceLimit
  /** What the other windows of the refused call looked like. */
  readonly siblings: readonly ServiceLimit[]
}

/** The windows beside the blocked one spent nothing and are told as they were last seen; unknown ones as empty, never as more than there is. */
function told({ policy }: Charge, { siblings, limit }: Blocked): ServiceLimit {
  return siblings.find((sibling) => sibling.policy === policy && !sibling.exceeded) ?? { policy, remaining: 0, resetsAt: limit.resetsAt, exceeded: false, retryAt: limit.retryAt }
}

/** A blocked window opens at a known moment and nothing that others do opens it earlier, save an operator's reset. */
export function createDenyCache({ keyOf, maxMs = Number.MAX_SAFE_INTEGER, max = 10_000 }: DenyCacheSettings): DenyCache {
  const entries = new LRUCache<string, Blocked>({ max })
  // The quota is part of the name: a reload that raises it is not refused by what was known before.
  const nameOf = ({ policy, partition }: Charge): string => `${keyOf(partition)}${policy.quota} ${policy.burst ?? 0} ${fieldOf(policy)}`

  const blockOf = (charge: Charge, now: EpochMs): Blocked | undefined => {
    const name = nameOf(charge)
    const entry = entries.get(name)
    if (!entry) return undefined
    if (entry.until <= now) {
      entries.delete(name)
      return undefined
    }
    return Math.max(charge.cost, 1) >= entry.cost ? entry : undefined
  }

  return {
    look: (charges, now) => {
      if (entries.size === 0) return undefined
      const blocks = charges.map((charge) => (charge.policy.shadow ? undefined : blockOf(charge, now)))
      const first = blocks.find((block) => block !== undefined)
      return first && charges.map((charge, index) => (blocks[index] ? { ...blocks[index].limit, policy: charge.policy } : told(charge, first)))
    },
    learn: (charges, limits, now) => {
      const names = charges.map(nameOf)
      for (const [index, charge] of charges.entries()) {
        const limit = limits[index]
        const name = names[index]
        if (name === undefined || !limit?.exceeded || charge.policy.shadow || limit.retryAt <= now) continue
        // Charges that share a counter refuse each other: what one alone would meet is not known.
        if (names.indexOf(name) !== names.lastIndexOf(name)) continue
        entries.set(name, { cost: Math.max(charge.cost, 1), until: Math.min(limit.retryAt, now + maxMs), limit, siblings: limits.filter((sibling) => sibling !== undefined) })
      }
    },
    forget: () => entries.clear(),
    size: () => entries.size,
  }
}
