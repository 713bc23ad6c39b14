import { METRICS, type MetricDescription } from './metric-table.ts'

const labelsOf = (labels: Readonly<Record<string, string>>): string =>
  Object.keys(labels).length === 0 ? '–' : Object.entries(labels).map(([name, values]) => `\`${name}\`: ${values}`).join('; ')

const row = ([name, { type, labels, help }]: readonly [string, MetricDescription]): string => `| \`${name}\` | ${type} | ${labelsOf(labels)} | ${help} |`

/** The text of `docs/metrics.md`. A test fails when the page and the code differ, in either direction. */
export function metricsDocument(): string {
  return [
    '<!-- Generated from src/observe/metric-table.ts by `npm run docs`. -->',
    '# Metrics',
    '',
    '`GET /metrics` on the ops listener (`ops`, by default `127.0.0.1:9090`), as Prometheus text or, when the scraper asks for it,',
    'OpenMetrics. Labels hold only values from the code or the config: never a path, an address, a subject or a key id. Series that',
    'the config makes possible exist from the start with 0, so that a first failure is a rise and not a new series.',
    '',
    '| Metric | Type | Labels | Meaning |',
    '|---|---|---|---|',
    ...Object.entries<MetricDescription>(METRICS).map(row),
    '',
    'Times are in seconds, sizes in bytes, instants in seconds since the epoch.',
    '',
  ].join('\n')
}
