import type { EpochMs } from '../base/time.ts'
import type { QuotaPolicy } from '../model/quota.ts'
import { forgettableAt, type Counter } from './windows.ts'

/** Counters of one process, by policy and partition. */
export interface CounterTable {
  readonly find: (policyId: string, partition: string) => Counter | undefined
  /** Writes a counter and forgets some that mean nothing any more, or the one that was written longest ago when there are too many. */
  readonly keep: (policy: QuotaPolicy, partition: string, counter: Counter, now: EpochMs) => void
  /** Forgets the counters of a partition, all or those of the named policies; gives how many there were. */
  readonly forget: (partition: string, policyIds?: readonly string[]) => number
  readonly size: () => number
}

/** Written in place: an old object that points to a new one with each request would keep the garbage collector busy. */
interface Kept {
  policy: QuotaPolicy
  readonly partition: string
  startedAt: EpochMs
  used: number
  previous: number
  /** In the order of writing. */
  older: Kept | undefined
  newer: Kept | undefined
}

/** How many others each write looks at, so that memory follows the live partitions. */
const SWEPT = 2

/** The counters in the order in which they were written, and a place in it that goes round. */
interface WriteOrder {
  readonly oldest: () => Kept | undefined
  /** Puts a new one at the end. */
  readonly append: (kept: Kept) => void
  /** Puts a known one at the end. */
  readonly renew: (kept: Kept) => void
  readonly remove: (kept: Kept) => void
  /** The next one on the way round. */
  readonly pass: () => Kept | undefined
}

function createWriteOrder(): WriteOrder {
  let oldest: Kept | undefined
  let newest: Kept | undefined
  let passing: Kept | undefined

  const remove = (kept: Kept): void => {
    const { older, newer } = kept
    if (passing === kept) passing = newer
    if (older) older.newer = newer
    else oldest = newer
    if (newer) newer.older = older
    else newest = older
  }
  const append = (kept: Kept): void => {
    kept.older = newest
    kept.newer = undefined
    if (newest) newest.newer = kept
    else oldest = kept
    newest = kept
  }

  return {
    oldest: () => oldest,
    append,
    renew: (kept) => {
      if (kept === newest) return
      remove(kept)
      append(kept)
    },
    remove,
    pass: () => {
      const kept = passing ?? oldest
      passing = kept?.newer
      return kept
    },
  }
}

export function createCounterTable(maxCounters: number): CounterTable {
  // A map in a map: nothing has to be joined into one key, and so no id and partition can be composed into another pair (T39).
  const byPolicy = new Map<string, Map<string, Kept>>()
  const order = createWriteOrder()
  let size = 0

  const remove = (kept: Kept): void => {
    const { policy, partition } = kept
    const partitions = byPolicy.get(policy.id)
    order.remove(kept)
    size -= 1
    partitions?.delete(partition)
    if (partitions?.size === 0) byPolicy.delete(policy.id)
  }

  const sweep = (now: EpochMs): void => {
    for (let steps = 0; steps < SWEPT; steps += 1) {
      const kept = order.pass()
      if (kept && forgettableAt(kept.policy, kept) <= now) remove(kept)
    }
  }

  const add = (policy: QuotaPolicy, partition: string, { startedAt, used, previous }: Counter): void => {
    const oldest = size >= maxCounters ? order.oldest() : undefined
    if (oldest) remove(oldest)
    const kept: Kept = { policy, partition, startedAt, used, previous, older: undefined, newer: undefined }
    const partitions = byPolicy.get(policy.id)
    if (partitions) partitions.set(partition, kept)
    else byPolicy.set(policy.id, new Map([[partition, kept]]))
    order.append(kept)
    size += 1
  }

  return {
    find: (policyId, partition) => byPolicy.get(policyId)?.get(partition),
    keep: (policy, partition, counter, now) => {
      sweep(now)
      const kept = byPolicy.get(policy.id)?.get(partition)
      if (!kept) return add(policy, partition, counter)
      kept.policy = policy
      kept.startedAt = counter.startedAt
      kept.used = counter.used
      kept.previous = counter.previous
      return order.renew(kept)
    },
    forget: (partition, policyIds) => {
      // Rare, so a walk through all policies is fine and finds those that the config has no longer.
      const gone = [...byPolicy].flatMap(([policyId, partitions]) => (policyIds?.includes(policyId) === false ? [] : (partitions.get(partition) ?? [])))
      for (const kept of gone) remove(kept)
      return gone.length
    },
    size: () => size,
  }
}
