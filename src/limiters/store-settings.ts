import type { DurationMs } from '../base/time.ts'
import type { RedisSettings } from '../redis/redis-settings.ts'

/** Where shared counters live, and for how long a request waits for them. */
export interface StoreSettings extends RedisSettings {
  readonly deadlineMs: DurationMs
}
