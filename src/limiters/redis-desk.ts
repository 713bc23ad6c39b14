import type { EpochMs } from '../base/time.ts'
import type { QuotaAlgorithm, QuotaPolicy } from '../model/quota.ts'
import { fieldOf } from './counter-keys.ts'
import { shownLimit, type LimitsDesk, type ShownLimit } from './limits-desk.ts'
import type { StoreClient } from './store-client.ts'

export interface RedisDesk extends LimitsDesk {
  /** Forgets what is refused locally when an operator reset something since the last time. Must not reject. */
  readonly noticeResets: () => Promise<void>
  /** Whether it has yet to learn how many resets there were. */
  readonly unaware: () => boolean
}

export interface RedisDeskSettings {
  readonly client: StoreClient
  readonly keyOf: (partition: string) => string
  /** Key that counts the resets. */
  readonly resets: string
  /** Forgets what this replica refuses locally. */
  readonly forget: () => void
}

const ALGORITHMS: ReadonlySet<string> = new Set<QuotaAlgorithm>(['fixed', 'sliding', 'calendar', 'gcra'])

/** A field's name taken apart; undefined for what is not ours. */
function partsOf(field: string): { readonly algorithm: QuotaAlgorithm; readonly windowMs: number; readonly id: string } | undefined {
  const [, algorithm = '', windowMs = '', id = ''] = /^([a-z]+):(\d+):(.*)$/s.exec(field) ?? []
  // The set holds nothing but algorithms.
  return ALGORITHMS.has(algorithm) ? { algorithm: algorithm as QuotaAlgorithm, windowMs: Number(windowMs), id } : undefined
}

function shown(field: string, value: string, policies: readonly QuotaPolicy[], now: EpochMs): ShownLimit[] {
  const parts = partsOf(field)
  const [startedAt = 0, used = 0, previous = 0] = value.split(' ').map(Number)
  if (!parts) return []
  const policy = policies.find((candidate) => fieldOf(candidate) === field)
  if (policy) return [shownLimit(policy, { startedAt, used, previous }, now)]
  const { algorithm, windowMs, id } = parts
  return [{ policyId: id, algorithm, windowMs, used: algorithm === 'gcra' ? Math.ceil(used / windowMs) : used, resetsAt: startedAt + windowMs }]
}

const texts = (answer: unknown): string[] => (Array.isArray(answer) ? answer.map(String) : [])

/** Counters in the store, for operators: reads and deletes whole keys, and tells the other replicas. */
export function createRedisDesk({ client, keyOf, resets, forget }: RedisDeskSettings): RedisDesk {
  let seen: string | undefined
  const countOf = async (): Promise<string> => String((await client.command('GET', resets)) ?? '0')

  return {
    showLimits: async (partition, policies) => {
      const [seconds = '0', micros = '0'] = texts(await client.command('TIME'))
      const now = Number(seconds) * 1_000 + Math.floor(Number(micros) / 1_000)
      const flat = texts(await client.command('HGETALL', keyOf(partition)))
      const pairs = flat.flatMap((field, index): [string, string][] => (index % 2 === 0 ? [[field, flat[index + 1] ?? '']] : []))
      return pairs.flatMap(([field, value]) => shown(field, value, policies, now)).toSorted((a, b) => a.windowMs - b.windowMs || (a.policyId < b.policyId ? -1 : 1))
    },
    resetLimits: async (partition, policyIds) => {
      const key = keyOf(partition)
      const fields = texts(await client.command('HKEYS', key)).filter((field) => policyIds === undefined || policyIds.includes(partsOf(field)?.id ?? ''))
      if (fields.length > 0) await client.command('HDEL', key, ...fields)
      await client.command('INCR', resets)
      forget()
      return fields.length
    },
    unaware: () => seen === undefined,
    noticeResets: async () => {
      try {
        const count = await countOf()
        if (seen !== undefined && seen !== count) forget()
        seen = count
      } catch {
        // The link notices by itself when the store is away.
      }
    },
  }
}
