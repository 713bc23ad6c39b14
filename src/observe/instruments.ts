import { Counter, Gauge, type Metric, Registry } from 'prom-client'
import { createDistribution, type Distribution } from './distribution.ts'
import { METRICS, type MetricDescription, type MetricName } from './metric-table.ts'
import { createTally, type Tally } from './tally.ts'

type Named<Type extends MetricDescription['type']> = { [Name in MetricName]: (typeof METRICS)[Name]['type'] extends Type ? Name : never }[MetricName]

export type CounterName = Named<'counter'>
export type GaugeName = Named<'gauge'>
export type HistogramName = Named<'histogram'>

type LabelValues = Readonly<Record<string, string>>

/** Every metric of the table, made once; written by name, with label values in the order of the table. */
export interface Instruments {
  /** Adds 1. Costs a map look-up: the library hears of it at the next scrape. */
  readonly count: (name: CounterName, ...values: readonly string[]) => void
  readonly increase: (name: CounterName, by: number) => void
  readonly observe: (name: HistogramName, value: number, ...values: readonly string[]) => void
  readonly set: (name: GaugeName, value: number, labels?: LabelValues) => void
  /** Drops all series of a gauge, so that names of an earlier config do not linger. */
  readonly forget: (name: GaugeName) => void
  /** Creates a series with 0. */
  readonly zero: (name: CounterName | HistogramName, ...values: readonly string[]) => void
  /** The exposition in the classic text format. */
  readonly text: () => Promise<string>
}

const TABLE: Readonly<Record<string, MetricDescription>> = METRICS

const labelsOf = (name: string, values: readonly string[]): Record<string, string> =>
  Object.fromEntries(Object.keys(TABLE[name]?.labels ?? {}).map((label, index) => [label, values[index] ?? '']))

interface Made {
  readonly registry: Registry
  readonly counters: ReadonlyMap<string, { readonly counter: Counter; readonly tally: Tally }>
  readonly gauges: ReadonlyMap<string, Gauge>
  readonly distributions: ReadonlyMap<string, Distribution>
}

function make(): Made {
  const registry = new Registry()
  const counters = new Map<string, { counter: Counter; tally: Tally }>()
  const gauges = new Map<string, Gauge>()
  const distributions = new Map<string, Distribution>()
  for (const [name, description] of Object.entries(TABLE)) {
    const settings = { name, help: description.help, labelNames: Object.keys(description.labels), registers: [registry] }
    if (description.type === 'counter') counters.set(name, { counter: new Counter(settings), tally: createTally() })
    else if (description.type === 'gauge') gauges.set(name, new Gauge(settings))
    else {
      const distribution = createDistribution({ name, help: description.help, labelNames: settings.labelNames, buckets: description.buckets ?? [] })
      distributions.set(name, distribution)
      // All that a registry asks of a metric is its name and its samples.
      registry.registerMetric({ name, get: distribution.get } as unknown as Metric)
    }
  }
  return { registry, counters, gauges, distributions }
}

export function createInstruments(): Instruments {
  const { registry, counters, gauges, distributions } = make()
  return {
    count: (name, ...values) => counters.get(name)?.tally.add(...values),
    increase: (name, by) => counters.get(name)?.counter.inc(by),
    observe: (name, value, ...values) => distributions.get(name)?.observe(value, ...values),
    set: (name, value, labels) => (labels ? gauges.get(name)?.set(labels, value) : gauges.get(name)?.set(value)),
    forget: (name) => gauges.get(name)?.reset(),
    zero: (name, ...values) => {
      counters.get(name)?.counter.inc(labelsOf(name, values), 0)
      distributions.get(name)?.zero(...values)
    },
    text: () => {
      for (const [name, { counter, tally }] of counters) tally.take((values, count) => counter.inc(labelsOf(name, values), count))
      return registry.metrics()
    },
  }
}
