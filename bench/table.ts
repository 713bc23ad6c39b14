import type { AddedLatency } from './added-latency.ts'
import { type Machine, machineText } from './machine.ts'
import type { Row } from './measure.ts'

/** What a run of the benchmark leaves in `results/latest.json`, with peers in `results/peers.json`. */
export interface BenchResult {
  readonly at: string
  readonly command: string
  readonly machine: Machine
  /** Of the peers that were installed. */
  readonly versions: readonly string[]
  readonly decideUs: number
  readonly rows: readonly Row[]
  readonly ratios: Readonly<Record<string, string>>
  readonly added?: AddedLatency
  /** Targets that could not be measured, and why. */
  readonly failed: readonly string[]
}

function addedText(added: AddedLatency | undefined): string {
  if (!added) return ''
  const { perSecond, addedP50Ms, addedP99Ms, directP99Ms } = added
  return ` At ${perSecond} requests/s a hop through Postern adds ${addedP50Ms.toFixed(2)} ms to the median and ${addedP99Ms.toFixed(2)} ms to the 99th percentile (direct: ${directP99Ms.toFixed(2)} ms).`
}

const cells = ({ name, what, cpuUs, rps, p50Ms, p99Ms, rssMiB }: Row): string => `| ${name} | ${what} | ${cpuUs.toFixed(1)} | ${rps.toFixed(0)} | ${p50Ms.toFixed(2)} | ${p99Ms.toFixed(2)} | ${rssMiB.toFixed(0)} |`

/** A result in words and a table, for a page. */
export function benchText({ at, command, machine, versions, decideUs, rows, ratios, added, failed }: BenchResult): string {
  return [
    `\`${command}\`, ${at.slice(0, 10)}, ${machineText(machine)}:`,
    '',
    '| | | CPU µs/request | requests/s | p50 ms | p99 ms | RSS MiB |',
    '|---|---|---|---|---|---|---|',
    ...rows.map(cells),
    '',
    `The pipe alone decides in ${decideUs.toFixed(1)} µs. Ratios of CPU per request: ${Object.entries(ratios).map(([name, value]) => `${name} ${value}`).join(', ')}.${addedText(added)}`,
    ...(versions.length === 0 ? [] : ['', `Versions: ${versions.join('; ')}.`]),
    ...(failed.length === 0 ? [] : ['', `Not measured: ${failed.map((text) => text.split('\n')[0]).join('; ')}.`]),
  ].join('\n')
}

/** A page whose block of this name between two marks holds this text. */
export const withBlock = (page: string, name: string, text: string): string => page.replace(new RegExp(`<!-- ${name} -->\\n[\\s\\S]*?<!-- /${name} -->`), () => `<!-- ${name} -->\n${text}\n<!-- /${name} -->`)
