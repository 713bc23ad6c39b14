import type { Clock } from '../base/time.ts'
import type { CounterDesk } from '../config/compile-limits.ts'
import { PartitionTextError } from '../config/partition-text.ts'
import type { LimitsService } from '../faces/admin/limits-routes.ts'
import { KeyActRefused } from '../keys/key-request.ts'
import { LimiterUnavailable } from '../model/ports.ts'
import { KeyStoreUnavailable } from '../keys/key-store.ts'
import type { Observer } from '../model/event.ts'

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

/** Counters for the admin API: instants in RFC 3339, each reset in the audit. */
export function adminLimits(desk: CounterDesk, observer: Observer, clock: Clock): LimitsService {
  return {
    show: (partition) =>
      asked(async () =>
        (await desk.show(partition)).map(({ policyId, algorithm, windowMs, used, quota, remaining, resetsAt }) => ({ policy: policyId, algorithm, window_ms: windowMs, used, quota: quota ?? null, remaining: remaining ?? null, resets_at: new Date(resetsAt).toISOString() })),
      ),
    reset: (partition, policy, actor) =>
      asked(async () => {
        const reset = await desk.reset(partition, policy)
        observer.administered?.({ act: 'limits_reset', actor, at: clock(), target: partition, details: { policy } })
        return reset
      }),
  }
}
