import type { Observer } from '../model/event.ts'
import type { AuditLog } from './audit-log.ts'
import type { Log } from './log.ts'
import type { Metrics } from './metrics.ts'

export interface Watchers {
  readonly metrics: Metrics
  readonly log: Log
  readonly audit: AuditLog
}

/** Tells every watcher what concerns it. An observer must not throw: a request does not fail because it was not counted. */
export function createObserver({ metrics, log, audit }: Watchers): Observer {
  return {
    decided: (event) => {
      metrics.decided(event)
      audit.decided(event)
    },
    administered: audit.administered,
    exchanged: metrics.exchanged,
    answered: metrics.answered,
    called: (event) => {
      metrics.called(event)
      // The caller says once that a provider is down; here it would be a line for each request.
      if (event.outcome !== 'ok') log.write('debug', 'provider_call_failed', `${event.provider}: ${event.operation} failed`, { provider: event.provider, operation: event.operation, outcome: event.outcome, detail: event.detail })
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
