import type { Observer } from '../model/event.ts'
import type { AuditLog } from './audit-log.ts'
import type { Log } from './log.ts'
import type { Metrics } from './metrics.ts'
import type { UpstreamHealth } from './upstream-health.ts'

export interface Watchers {
  readonly metrics: Metrics
  readonly log: Log
  readonly audit: AuditLog
  readonly upstreams?: UpstreamHealth
}

/** Tells every watcher what concerns it. An observer must not throw: a request does not fail because it was not counted. */
export function createObserver({ metrics, log, audit, upstreams }: Watchers): Observer {
  return {
    decided: (event) => {
      metrics.decided(event)
      audit.decided(event)
    },
    exchanged: (event) => {
      metrics.exchanged(event)
      upstreams?.exchanged(event)
    },
    answered: metrics.answered,
    called: (event) => {
      metrics.called(event)
      if (event.outcome !== 'ok') log.write('warn', 'provider_call_failed', `${event.provider}: ${event.operation} failed`, { provider: event.provider, operation: event.operation, outcome: event.outcome, detail: event.detail })
    },
    cached: metrics.cached,
    stripped: metrics.stripped,
    opened: metrics.opened,
    closed: metrics.closed,
    failedOpen: metrics.failedOpen,
    faulted: (error, stage) => {
      metrics.faulted()
      log.write('error', 'fault', 'a bug: the request was refused', { stage, error })
    },
    noticed: log.write,
  }
}
