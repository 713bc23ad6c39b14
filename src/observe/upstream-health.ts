import type { ExchangedEvent } from '../model/event.ts'

/** What real requests say about the upstreams. No probe of our own opens a connection. */
export interface UpstreamHealth {
  readonly exchanged: (event: ExchangedEvent) => void
  /** Ids of upstreams that refused the last few connections. */
  readonly failing: () => readonly string[]
}

/** Refused connections in a row after which an upstream counts as failing. */
const FAILURES = 3

/**
 * @param report is told whenever the set of failing upstreams changes
 */
export function createUpstreamHealth(report: (failing: readonly string[]) => void = () => undefined): UpstreamHealth {
  const failures = new Map<string, number>()
  const failing = (): string[] => [...failures].filter(([, count]) => count >= FAILURES).map(([id]) => id)
  return {
    exchanged: ({ upstream, outcome }) => {
      // A client that goes away, or a timeout of a slow answer, says nothing about the door.
      if (outcome === 'client_abort') return
      const before = failures.get(upstream) ?? 0
      if (outcome !== 'connect_error' && before === 0) return
      failures.set(upstream, outcome === 'connect_error' ? before + 1 : 0)
      if (before + 1 === FAILURES || before >= FAILURES) report(failing())
    },
    failing,
  }
}
