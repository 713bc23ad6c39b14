import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { chart } from './chart.ts'
import { type BenchResult, benchText, withBlock } from './table.ts'
import { type GrowthResult, growthText } from './table-growth.ts'

const ROOT = join(import.meta.dirname, '..')

/** What the runs left; undefined where there was none. */
export interface Results {
  readonly latest: BenchResult | undefined
  readonly peers: BenchResult | undefined
  readonly growth: GrowthResult | undefined
}

const resultOf = <T>(name: string): T | undefined => {
  const file = join(import.meta.dirname, 'results', `${name}.json`)
  return existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as T) : undefined
}

export const keptResults = (): Results => ({ latest: resultOf('latest'), peers: resultOf('peers'), growth: resultOf('growth') })

export const README = 'README.md'
export const PAGE = join('docs', 'benchmarks.md')
export const CHART = join('docs', 'benchmark.svg')

const filled = (page: string, name: string, text: string | undefined): string => (text === undefined ? page : withBlock(page, name, text))

/** Every page with numbers in it, by path, as the results want it; `read` gives what is there now. The chart is of the run with peers, where there was one. */
export function pagesOf({ latest, peers, growth }: Results, read: (file: string) => string): ReadonlyMap<string, string> {
  const page = filled(filled(read(PAGE), 'peers', peers && benchText(peers)), 'growth', growth && growthText(growth))
  return new Map([
    [README, filled(read(README), 'bench', latest && benchText(latest))],
    [PAGE, page],
    ...[peers ?? latest].filter((result) => result !== undefined).map((result) => [CHART, chart(result)] as const),
  ])
}

/** Brings the pages up to the results. */
export function writePages(): void {
  for (const [file, text] of pagesOf(keptResults(), (name) => readFileSync(join(ROOT, name), 'utf8'))) writeFileSync(join(ROOT, file), text)
}
