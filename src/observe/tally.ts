import { createSeries } from './series.ts'

/** How often something was counted since the last scrape. Whoever counts often keeps it, and adds to it. */
export interface Cell {
  count: number
}

/**
 * Counts by a tuple of label values without touching the metric library, which hashes its labels every time. What came in since is handed
 * over when somebody scrapes.
 */
export interface Tally {
  /** The cell of these values; one that stays empty is never seen. */
  readonly of: (...values: readonly string[]) => Cell
  /** Gives every tuple with what came in since the last call, and forgets it. */
  readonly take: (each: (values: readonly string[], count: number) => void) => void
}

interface NamedCell extends Cell { readonly values: readonly string[] }

export function createTally(): Tally {
  const cells = createSeries((values): NamedCell => ({ values, count: 0 }))
  return {
    of: (...values) => cells.of(values),
    take: (each) => {
      for (const cell of cells.all()) {
        if (cell.count === 0) continue
        each(cell.values, cell.count)
        cell.count = 0
      }
    },
  }
}
