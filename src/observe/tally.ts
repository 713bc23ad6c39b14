import { createSeries } from './series.ts'

/**
 * Counts by a tuple of label values without touching the metric library: an increment is a map look-up per label (the library
 * hashes its labels every time). What came in since is handed over when somebody scrapes.
 */
export interface Tally {
  readonly add: (...values: readonly string[]) => void
  /** Gives every tuple with what came in since the last call, and forgets it. */
  readonly take: (each: (values: readonly string[], count: number) => void) => void
}

interface Cell { readonly values: readonly string[]; count: number }

/** Keeps one label's values finite: the first `max` distinct ones as they are, every later one as `_OTHER` (T56). */
export function createBoundedLabel(max: number): (value: string) => string {
  const known = new Set<string>()
  return (value) => {
    if (known.has(value)) return value
    if (known.size >= max) return '_OTHER'
    known.add(value)
    return value
  }
}

export function createTally(): Tally {
  const cells = createSeries((values): Cell => ({ values, count: 0 }))
  return {
    add: (...values) => {
      cells.of(values).count += 1
    },
    take: (each) => {
      for (const cell of cells.all()) {
        if (cell.count === 0) continue
        each(cell.values, cell.count)
        cell.count = 0
      }
    },
  }
}
