import type { Charge, QuotaPolicy } from '../../src/model/quota.ts'

/**
 * What limiters promise, written as simply as it can be said: a list of what was let through, and for each question a walk through all of
 * it. Slow, and without a line in common with what it judges.
 */
export interface LimitModel {
  /** By charge, whether its policy refuses; what is let through is remembered. */
  readonly judge: (charges: readonly Charge[], now: number) => readonly boolean[]
}

interface Spent { readonly at: number; readonly cost: number }

/** Opens with the first charge after the one before is over; a window spent whole makes the next twice as long, if it comes soon. */
function fixedUsed({ quota, windowMs, backoffMs }: QuotaPolicy, spent: readonly Spent[], now: number): number {
  const length = (strikes: number): number => (backoffMs === undefined ? windowMs : Math.max(windowMs, Math.min(backoffMs, windowMs * 2 ** strikes)))
  let window: { start: number; used: number; strikes: number } | undefined
  const advance = (at: number): void => {
    if (window && at < window.start + length(window.strikes)) return
    const again = window && backoffMs !== undefined && window.used >= quota && at < window.start + length(window.strikes) + length(window.strikes + 1)
    window = { start: at, used: 0, strikes: again && window ? window.strikes + 1 : 0 }
  }
  for (const { at, cost } of spent) {
    advance(at)
    if (window) window.used += cost
  }
  advance(now)
  return window?.used ?? 0
}

const within = (spent: readonly Spent[], from: number, to: number): number => spent.filter(({ at }) => at >= from && at < to).reduce((sum, { cost }) => sum + cost, 0)

function slidingUsed({ windowMs }: QuotaPolicy, spent: readonly Spent[], now: number): number {
  const start = Math.floor(now / windowMs) * windowMs
  const before = BigInt(within(spent, start - windowMs, start)) * BigInt(windowMs - (now - start))
  // Rounded up, in whole numbers.
  return within(spent, start, now + 1) + Number((before + BigInt(windowMs) - 1n) / BigInt(windowMs))
}

/** A bucket that leaks `quota` units per window: its level in units, times the window, so that it is exact. */
function bucketLevel({ quota, windowMs }: QuotaPolicy, spent: readonly Spent[], now: number): bigint {
  let level = 0n
  let at = 0
  for (const next of [...spent, { at: now, cost: 0 }]) {
    level -= BigInt(quota) * BigInt(next.at - at)
    if (level < 0n) level = 0n
    level += BigInt(next.cost) * BigInt(windowMs)
    at = next.at
  }
  return level
}

function refuses(policy: QuotaPolicy, spent: readonly Spent[], cost: number, now: number): boolean {
  const wanted = Math.max(cost, 1)
  const { quota, windowMs, burst = quota } = policy
  switch (policy.algorithm) {
    case 'fixed':
      return fixedUsed(policy, spent, now) + wanted > quota
    case 'calendar':
      return within(spent, Math.floor(now / windowMs) * windowMs, now + 1) + wanted > quota
    case 'sliding':
      return slidingUsed(policy, spent, now) + wanted > quota
    case 'gcra':
      return bucketLevel(policy, spent, now) + BigInt(wanted * windowMs) > BigInt(burst) * BigInt(windowMs)
  }
}

export function createLimitModel(): LimitModel {
  const log = new Map<string, Spent[]>()
  const keyOf = ({ policy, partition }: Charge): string => JSON.stringify([policy.id, partition])
  return {
    judge: (charges, now) => {
      const trial = new Map<string, Spent[]>()
      const answers = charges.map((charge) => {
        const key = keyOf(charge)
        const spent = trial.get(key) ?? [...(log.get(key) ?? [])]
        const refused = refuses(charge.policy, spent, charge.cost, now)
        if (charge.cost > 0 && !refused) spent.push({ at: now, cost: charge.cost })
        trial.set(key, spent)
        return refused
      })
      if (answers.every((refused, index) => !refused || charges[index]?.policy.shadow)) for (const [key, spent] of trial) log.set(key, spent)
      return answers
    },
  }
}
