import { Counter, Gauge, type Metric, Registry } from 'prom-client'
import { createDistribution, type Distribution, type Observe } from './distribution.ts'
import { METRICS, type MetricDescription, type MetricName } from './metric-table.ts'
import { type Cell, createTally, type Tally } from './tally.ts'

type Named<Type extends MetricDescription['type']> = { [Name in MetricName]: (typeof METRICS)[Name]['type'] extends Type ? Name : never }[MetricName]

export type CounterName = Named<'counter'>
export type GaugeName = Named<'gauge'>
export type HistogramName = Named<'histogram'>

type LabelValues = Readonly<Record<string, string>>

/** Every metric of the table, made once; written by name, with label values in the order of the table. */
export interface Instruments {
  /** Where events of these values are counted: the library hears of them at the next scrape. */
  readonly cell: (name: CounterName, ...values: readonly string[]) => Cell
  /** Adds 1, for what is rare. */
  readonly count: (name: CounterName, ...values: readonly string[]) => void
  readonly increase: (name: CounterName, by: number) => void
  /** One series of a histogram, shown from now on, with zeros until something is put in. */
  readonly series: (name: HistogramName, ...values: readonly string[]) => Observe
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

function named<T>(all: ReadonlyMap<string, T>, name: string): T {
  const one = all.get(name)
  if (one === undefined) throw new Error(`there is no metric ${name} of this type`)
  return one
}

export function createInstruments(): Instruments {
  const { registry, counters, gauges, distributions } = make()
  const cell: Instruments['cell'] = (name, ...values) => named(counters, name).tally.of(...values)
  return {
    cell,
    count: (name, ...values) => {
      cell(name, ...values).count += 1
    },
    increase: (name, by) => named(counters, name).counter.inc(by),
    series: (name, ...values) => named(distributions, name).of(...values),
    set: (name, value, labels) => (labels ? named(gauges, name).set(labels, value) : named(gauges, name).set(value)),
    forget: (name) => named(gauges, name).reset(),
    zero: (name, ...values) => {
      counters.get(name)?.counter.inc(labelsOf(name, values), 0)
      distributions.get(name)?.of(...values)
    },
    text: () => {
      for (const [name, { counter, tally }] of counters) tally.take((values, count) => counter.inc(labelsOf(name, values), count))
      return registry.metrics()
    },
  }
}
