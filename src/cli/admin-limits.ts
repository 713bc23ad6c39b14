import type { Clock } from '../base/time.ts'
import type { CounterDesk } from '../config/compile-limits.ts'
import { PartitionTextError } from '../config/partition-text.ts'
import type { CloseCallView, LimitsService, LimitView } from '../faces/admin/limits-routes.ts'
import { KeyActRefused } from '../keys/key-request.ts'
import { KeyStoreUnavailable } from '../keys/key-store.ts'
import type { CloseCall } from '../limiters/close-calls.ts'
import type { ShownLimit } from '../limiters/limits-desk.ts'
import type { Observer } from '../model/event.ts'
import { LimiterUnavailable } from '../model/ports.ts'

/** What the desk refuses, as the admin API says it. */
async function asked<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (error instanceof PartitionTextError) throw new KeyActRefused('request_invalid', error.message)
    if (error instanceof LimiterUnavailable) throw new KeyStoreUnavailable('the store of the limits cannot be asked', { cause: error })
    throw error
  }
}

/** Partitions whose counters are asked for anew; more than that nobody reads. */
const MAX_LIVE = 50

const instant = (at: number): string => new Date(at).toISOString()

const viewOf = ({ policyId, algorithm, windowMs, used, quota, remaining, resetsAt }: ShownLimit): LimitView =>
  ({ policy: policyId, algorithm, window_ms: windowMs, used, quota: quota ?? null, remaining: remaining ?? null, resets_at: instant(resetsAt) })

/** A remembered counter as it is now; undefined when it is not there any more, and as it was where the store cannot be asked. */
function nowOf({ partition, policyId, exceeded, remaining, quota, resetsAt, at }: CloseCall, live: readonly ShownLimit[] | undefined): CloseCallView | undefined {
  const known = live?.find((limit) => limit.policyId === policyId)
  if (live && !known) return undefined
  const left = known?.remaining ?? remaining
  return { partition, policy: policyId, exceeded: known ? left === 0 : exceeded, remaining: left, quota: known?.quota ?? quota, resets_at: instant(known?.resetsAt ?? resetsAt), seen_at: instant(at) }
}

async function closeCalls(desk: CounterDesk): Promise<readonly CloseCallView[]> {
  const calls = desk.closeCalls()
  const partitions = [...new Set(calls.map(({ partition }) => partition))].slice(0, MAX_LIVE)
  const live = new Map(await Promise.all(partitions.map(async (partition) => [partition, await desk.show(partition).catch(() => undefined)] as const)))
  return calls.filter(({ partition }) => live.has(partition)).map((call) => nowOf(call, live.get(call.partition))).filter((view) => view !== undefined)
}

/** Counters for the admin API: instants in RFC 3339, each reset in the audit. */
export function adminLimits(desk: CounterDesk, observer: Observer, clock: Clock): LimitsService {
  return {
    show: (partition) => asked(async () => (await desk.show(partition)).map(viewOf)),
    closeCalls: () => asked(() => closeCalls(desk)),
    reset: (partition, policy, actor) =>
      asked(async () => {
        const reset = await desk.reset(partition, policy)
        observer.administered?.({ act: 'limits_reset', actor, at: clock(), target: partition, details: { policy } })
        return reset
      }),
  }
}
