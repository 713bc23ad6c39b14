import { LRUCache } from 'lru-cache'
import { hmacSha256 } from '../base/bytes.ts'
import type { Charge, QuotaPolicy } from '../model/quota.ts'

/** How counters are named in a store. */
export interface CounterKeys {
  /** The key that holds every counter of a partition: one hash, so that all its windows are in one slot and one script call. */
  readonly keyOf: (partition: string) => string
  /** Counts the resets by operators; replicas that see it change forget which partitions they refuse locally. */
  readonly resets: string
  /** Where a probe writes to find out whether the store takes writes. */
  readonly probe: string
}

/** Longer partitions are not remembered, so that the memory of the names stays below a few megabytes. */
const LONGEST_REMEMBERED = 256

/**
 * Names by a keyed digest: a store, its dumps and its logs hold no address and no subject. 132 bits, so that no two partitions ever
 * meet. The braces are the hash tag of a cluster.
 */
export function createCounterKeys({ prefix, secret }: { readonly prefix: string; readonly secret: Uint8Array }): CounterKeys {
  const known = new LRUCache<string, string>({ max: 10_000 })
  const nameOf = (partition: string): string => `${prefix}:{${hmacSha256(secret, `partition:${partition}`).toString('base64url').slice(0, 22)}}`
  return {
    keyOf: (partition) => {
      const remembered = known.get(partition)
      if (remembered !== undefined) return remembered
      const name = nameOf(partition)
      if (partition.length <= LONGEST_REMEMBERED) known.set(partition, name)
      return name
    },
    resets: `${prefix}:resets`,
    probe: `${prefix}:probe`,
  }
}

/**
 * The field of a policy within its partition. The kind of window is part of it: a policy that changes from minutes to hours starts
 * afresh, one that only changes its number of units goes on counting.
 */
export const fieldOf = ({ id, algorithm, windowMs }: QuotaPolicy): string => `${algorithm}:${windowMs}:${id}`

/** What the script needs of a policy: before the token, and after it. Written once per policy. */
interface Spec { readonly head: string; readonly more: string; readonly plain: boolean; readonly field: string }

const specs = new WeakMap<QuotaPolicy, Spec>()

function specOf(policy: QuotaPolicy): Spec {
  const known = specs.get(policy)
  if (known) return known
  const { algorithm, quota, windowMs, burst = quota, backoffMs = 0, shadow } = policy
  const spec = { head: `${algorithm} ${quota} ${windowMs}`, more: `${burst},${backoffMs},${shadow ? 1 : 0}`, plain: algorithm !== 'gcra' && backoffMs === 0 && !shadow, field: fieldOf(policy) }
  specs.set(policy, spec)
  return spec
}

/** One charge as the script reads it. `key` counts from 1; `token` names the window that units are given back to. */
export function argumentOf({ policy, cost }: Charge, key: number, token = 0): string {
  const { head, more, plain, field } = specOf(policy)
  return `${key} ${cost} ${head} ${plain && token === 0 ? '-' : `${more},${token}`} ${field}`
}
