import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Batch } from './fuzz-target.ts'

/** What one target has been through, over all runs. Seeds are used one after the other, a batch each. */
export interface Kept {
  readonly cases: number
  readonly firstSeed: number
  /** Where the next run goes on. */
  readonly nextSeed: number
  readonly verdicts: Readonly<Record<string, number>>
  /** The slowest case in process, or run of cases over sockets, ms. */
  readonly slowestMs: number
  /** Days of the first and of the last batch, UTC. */
  readonly since: string
  readonly until: string
}

export type Results = Readonly<Record<string, Kept>>

export const RESULTS_FILE = join(import.meta.dirname, 'results.json')

/** Nothing yet is an empty result. */
export const readResults = (file = RESULTS_FILE): Results => (existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as Results) : {})

/** Whole or not at all, since it may be read at any time. */
export function writeResults(results: Results, file = RESULTS_FILE): void {
  const sorted = Object.fromEntries(Object.entries(results).toSorted(([a], [b]) => (a < b ? -1 : 1)))
  writeFileSync(`${file}.new`, `${JSON.stringify(sorted, null, 2)}\n`)
  renameSync(`${file}.new`, file)
}

const summed = (a: Kept['verdicts'], b: Kept['verdicts']): Kept['verdicts'] => Object.fromEntries([...new Set([...Object.keys(a), ...Object.keys(b)])].map((word) => [word, (a[word] ?? 0) + (b[word] ?? 0)]))

/** Seed that the next batch of a target takes. */
export const nextSeed = (kept: Kept | undefined): number => kept?.nextSeed ?? 1

/** Adds one good batch. */
export function withBatch(kept: Kept | undefined, { cases, verdicts, slowestMs }: Batch, day: string): Kept {
  const seed = nextSeed(kept)
  return {
    cases: (kept?.cases ?? 0) + cases,
    firstSeed: kept?.firstSeed ?? seed,
    nextSeed: seed + 1,
    verdicts: summed(kept?.verdicts ?? {}, verdicts),
    slowestMs: Math.max(kept?.slowestMs ?? 0, Math.ceil(slowestMs)),
    since: kept?.since ?? day,
    until: day,
  }
}
