import { createSeries } from './series.ts'

/** Puts a value into one series of a histogram. */
export type Observe = (value: number) => void

/**
 * A histogram that costs two additions for each value. The metric library hashes labels and walks a record of named buckets every
 * time; here that is left to the scrape.
 */
export interface Distribution {
  /** The series of these label values, in the order of the label names; made, and from then on shown, when it is first asked for. */
  readonly of: (...series: readonly string[]) => Observe
  /** What the library's registry asks for at a scrape. */
  readonly get: () => Promise<Snapshot>
}

interface Sample { readonly metricName: string; readonly labels: Readonly<Record<string, string | number>>; readonly value: number }

export interface Snapshot {
  readonly name: string
  readonly help: string
  readonly type: 'histogram'
  readonly aggregator: 'sum'
  readonly values: readonly Sample[]
}

interface Observed { readonly values: readonly string[]; readonly counts: Float64Array; sum: number; readonly observe: Observe }

function observedIn(values: readonly string[], buckets: readonly number[]): Observed {
  const counts = new Float64Array(buckets.length + 1)
  const observed: Observed = {
    values,
    counts,
    sum: 0,
    observe: (value) => {
      let index = 0
      // A handful of bounds: walking them is cheaper than halving.
      while (index < buckets.length && value > (buckets[index] ?? Infinity)) index += 1
      counts[index] = (counts[index] ?? 0) + 1
      observed.sum += value
    },
  }
  return observed
}

export interface DistributionSettings {
  readonly name: string
  readonly help: string
  readonly labelNames: readonly string[]
  /** Upper bounds, ascending, without the infinite one. */
  readonly buckets: readonly number[]
}

export function createDistribution({ name, help, labelNames, buckets }: DistributionSettings): Distribution {
  const series = createSeries((values) => observedIn(values, buckets))
  if (labelNames.length === 0) series.of([])

  const samplesOf = ({ values, counts, sum }: Observed): Sample[] => {
    const labels = Object.fromEntries(labelNames.map((label, index) => [label, values[index] ?? '']))
    let total = 0
    const cumulated = [...counts].map((count, index) => ({ metricName: `${name}_bucket`, labels: { le: buckets[index] ?? '+Inf', ...labels }, value: (total += count) }))
    return [...cumulated, { metricName: `${name}_sum`, labels, value: sum }, { metricName: `${name}_count`, labels, value: total }]
  }

  return {
    of: (...values) => series.of(values).observe,
    get: () => Promise.resolve({ name, help, type: 'histogram', aggregator: 'sum', values: series.all().flatMap(samplesOf) }),
  }
}
