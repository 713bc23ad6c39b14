/** What a run of the benchmark leaves in `results/latest.json`. */
export interface BenchResult {
  readonly at: string
  readonly command: string
  readonly machine: { readonly cpu: string | undefined; readonly cores: number; readonly memoryGiB: number; readonly node: string; readonly loadAverage: number }
  readonly decideUs: number
  readonly rows: readonly { readonly name: string; readonly what: string; readonly cpuUs: number; readonly rps: number; readonly p50Ms: number; readonly p99Ms: number; readonly rssMiB: number }[]
  readonly ratios: Readonly<Record<string, string>>
}

/** The part of the README between its bench marks; a test compares it with the last result. */
export function benchText({ at, command, machine, decideUs, rows, ratios }: BenchResult): string {
  return [
    `\`${command}\`, ${at.slice(0, 10)}, ${machine.cores} × ${machine.cpu ?? 'unknown processor'}, Node ${machine.node}, load average ${machine.loadAverage.toFixed(1)} before the run:`,
    '',
    '| | | CPU µs/request | requests/s | p50 ms | p99 ms | RSS MiB |',
    '|---|---|---|---|---|---|---|',
    ...rows.map((row) => `| ${row.name} | ${row.what} | ${row.cpuUs.toFixed(1)} | ${row.rps.toFixed(0)} | ${row.p50Ms.toFixed(2)} | ${row.p99Ms.toFixed(2)} | ${row.rssMiB.toFixed(0)} |`),
    '',
    `The pipe alone decides in ${decideUs.toFixed(1)} µs. Ratios of CPU per request: ${Object.entries(ratios).map(([name, value]) => `${name} ${value}`).join(', ')}.`,
  ].join('\n')
}

const BLOCK = /<!-- bench -->\n[\s\S]*?<!-- \/bench -->/

/** A README with the block of this result. */
export const withBenchText = (readme: string, result: BenchResult): string => readme.replace(BLOCK, () => `<!-- bench -->\n${benchText(result)}\n<!-- /bench -->`)
