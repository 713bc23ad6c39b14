import type { Row } from './measure.ts'

/** What is compared, by the CPU time of one request. */
const PAIRS: readonly (readonly [name: string, row: string, other: string])[] = [
  ['postern jwt / nginx', 'postern jwt', 'nginx proxy_pass'],
  ['postern jwt / caddy', 'postern jwt', 'caddy reverse_proxy'],
  ['forward-auth / empty node:http', 'postern forward-auth', 'node:http empty'],
]

/** Ratios of CPU per request, and Postern beside the cheapest peer that authenticates by itself. Rows that were not measured give none. */
export function ratiosOf(rows: readonly Row[]): Readonly<Record<string, string>> {
  const cpuOf = (name: string): number | undefined => rows.find((row) => row.name === name)?.cpuUs
  const ratios: Record<string, string> = {}
  for (const [name, row, other] of PAIRS) {
    const [a, b] = [cpuOf(row), cpuOf(other)]
    if (a !== undefined && b !== undefined) ratios[name] = (a / b).toFixed(2)
  }
  const postern = cpuOf('postern jwt')
  const [cheapest] = rows.filter(({ kind, name }) => kind === 'guarded' && !/postern/i.test(name)).toSorted((a, b) => a.cpuUs - b.cpuUs)
  if (postern !== undefined && cheapest) ratios[`postern jwt / ${cheapest.name}`] = (postern / cheapest.cpuUs).toFixed(2)
  return ratios
}
