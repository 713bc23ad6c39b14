import type { EpochMs } from '../base/time.ts'
import type { Charge, ServiceLimit } from '../model/quota.ts'
import { argumentOf } from './counter-keys.ts'
import { CHARGE_SCRIPT, GIVE_BACK_SCRIPT } from './counter-script.ts'
import { readAnswer, type ScriptAnswer } from './script-answer.ts'
import { StoreUnavailable, type StoreLink } from './store-link.ts'

/** Charges that one script call decides, with their places in the whole call. */
interface Shard { readonly keys: readonly string[]; readonly charges: readonly Charge[]; readonly places: readonly number[] }

/** A shard's answer, or that there was none. */
type Outcome = { readonly shard: Shard; readonly answer: ScriptAnswer | undefined }

/** Asks the store about a whole call. */
export interface Shards {
  /**
   * One entry per charge; undefined where the store gave no answer, which then is for the caller to decide. Everything was spent or, once the
   * answers are in, nothing is.
   */
  readonly charge: (charges: readonly Charge[], now: EpochMs) => Promise<Charged>
  /** Gives back what was spent, because the call was refused after all. */
  readonly giveBack: (charged: Charged) => void
}

export interface Charged {
  readonly limits: readonly (ServiceLimit | undefined)[]
  readonly now: EpochMs
  /** Answers that spent something. */
  readonly spent: readonly { readonly shard: Shard; readonly answer: ScriptAnswer }[]
}

export interface ShardsSettings {
  readonly link: StoreLink
  readonly keyOf: (partition: string) => string
  /** Each partition on its own: in a cluster they live in different slots. */
  readonly apart: boolean
  /** The clock that counts: the store's, the same for all replicas; `caller` is for tests, which cannot wait. */
  readonly time: 'store' | 'caller'
}

function shardsOf(charges: readonly Charge[], keyOf: (partition: string) => string, apart: boolean): Shard[] {
  const byKey = new Map<string, { charges: Charge[]; places: number[] }>()
  for (const [place, charge] of charges.entries()) {
    const key = keyOf(charge.partition)
    const known = byKey.get(key)
    if (known) {
      known.charges.push(charge)
      known.places.push(place)
    } else byKey.set(key, { charges: [charge], places: [place] })
  }
  if (!apart || byKey.size === 1) return [{ keys: [...byKey.keys()], charges, places: charges.map((_, place) => place) }]
  return [...byKey].map(([key, shard]) => ({ keys: [key], ...shard }))
}

/**
 * Where partitions live apart, a call takes two steps. First every shard takes its units, each atomically, all at once; then, when one
 * refused, the others give theirs back. Units are taken before anything is let through, so nothing is ever admitted beyond a quota; in
 * between others may see a unit as spent that is given back a moment later.
 */
export function createShards({ link, keyOf, apart, time }: ShardsSettings): Shards {
  let calls = 0
  const nextCall = (): string => String((calls = (calls + 1) % 1_000_000_000))
  const timeOf = (now: EpochMs): string => (time === 'store' ? '0' : String(now))

  const ask = async (shard: Shard, now: EpochMs): Promise<Outcome> => {
    const args = [nextCall(), timeOf(now), ...shard.charges.map((charge) => argumentOf(charge, shard.keys.indexOf(keyOf(charge.partition)) + 1))]
    try {
      return { shard, answer: readAnswer(await link.ask(CHARGE_SCRIPT, shard.keys, args), shard.charges, now) }
    } catch (error) {
      if (error instanceof StoreUnavailable) return { shard, answer: undefined }
      throw error
    }
  }

  const giveBack = ({ spent, now }: Charged): void => {
    for (const { shard, answer } of spent) {
      const args = shard.charges.flatMap((charge, index) => (charge.cost > 0 && !answer.limits[index]?.exceeded ? [argumentOf(charge, 1, answer.tokens[index])] : []))
      // Lost units come back when their window ends; nobody waits for it.
      if (args.length > 0) link.ask(GIVE_BACK_SCRIPT, shard.keys, [nextCall(), timeOf(now), ...args]).catch(() => undefined)
    }
  }

  return {
    giveBack,
    charge: async (charges, now) => {
      const [first, ...others] = shardsOf(charges, keyOf, apart)
      if (!first) return { limits: [], now, spent: [] }
      // Almost every call is of one shard, and needs no giving back.
      if (others.length === 0) {
        const { shard, answer } = await ask(first, now)
        return { limits: answer?.limits ?? charges.map(() => undefined), now, spent: answer?.spent ? [{ shard, answer }] : [] }
      }
      const outcomes = await Promise.all([first, ...others].map((shard) => ask(shard, now)))
      const limits: (ServiceLimit | undefined)[] = charges.map(() => undefined)
      for (const { shard, answer } of outcomes) for (const [index, place] of shard.places.entries()) limits[place] = answer?.limits[index]
      const charged = { limits, now, spent: outcomes.flatMap(({ shard, answer }) => (answer?.spent ? [{ shard, answer }] : [])) }
      if (!outcomes.some(({ answer }) => answer && !answer.spent)) return charged
      giveBack(charged)
      return { limits: restored(charges, charged), now, spent: [] }
    },
  }
}

/** What is left after everything was given back. */
function restored(charges: readonly Charge[], { limits, spent }: Charged): (ServiceLimit | undefined)[] {
  const places = new Set(spent.flatMap(({ shard }) => shard.places))
  return limits.map((limit, place) => (limit && places.has(place) && !limit.exceeded ? { ...limit, remaining: limit.remaining + (charges[place]?.cost ?? 0) } : limit))
}
