import * as fc from 'fast-check'
import type { MaybePromise } from '../../src/base/time.ts'

/** What is fed to one part of Postern, what the result is held against, and what may become of it. */
export interface Definition<Input> {
  /** Short, as `--target` takes it. */
  readonly name: string
  /** What is fed, for the table of docs/fuzzing.md. */
  readonly subject: string
  /** What the result is held against; more than "nothing was thrown". */
  readonly oracle: string
  readonly where: 'in process' | 'sockets'
  /** Every word that `check` may give for an input. All of them must come up, or the comparison means little. */
  readonly verdicts: readonly string[]
  /** Cases of one batch: one seed of fast-check. */
  readonly batch: number
  /** Share of all cases, in process or over sockets: cheap ones get more. */
  readonly weight: number
  /** Patience for a case, ms; see `SLOW_MS`. */
  readonly slowMs?: number
  /** `check` gives a promise. */
  readonly asynchronous?: boolean
  /** Makes what the cases share; called for every batch. */
  readonly open: () => MaybePromise<Opened<Input>>
}

export interface Opened<Input> {
  readonly inputs: fc.Arbitrary<Input>
  /** Fed first in every batch: what has been found, and what is known to be hard. */
  readonly corpus?: readonly Input[]
  /** Gives what became of the input, or of each of its parts. @throws when the oracle disagrees */
  readonly check: (input: Input) => MaybePromise<string | readonly string[]>
  readonly close?: () => Promise<void>
}

/** Where fast-check found what is wrong, and with what. */
export interface Failure {
  readonly seed: number
  readonly path: string
  readonly counterexample: string
  readonly error: string
}

export interface Batch {
  readonly cases: number
  readonly verdicts: Readonly<Record<string, number>>
  /** The slowest case, repeated where that was doubtful; ms. */
  readonly slowestMs: number
  readonly failure?: Failure
}

export interface FuzzTarget extends Omit<Definition<never>, 'open'> {
  readonly run: (seed: number, runs?: number) => Promise<Batch>
}

/** Above this a case is repeated, because the machine may have been busy with something else. */
const DOUBTFUL_MS = 10
/** A case in process that takes longer, three times in a row, is a failure: inputs are at most 16 KiB, so it would be worse than linear. */
const SLOW_MS = 100
/** With sockets, the patience for a whole run. */
const SLOW_SOCKETS_MS = 20_000

interface Tally { cases: number; slowestMs: number; failed: boolean; readonly verdicts: Record<string, number> }

function count(tally: Tally, result: string | readonly string[], known: readonly string[]): void {
  // What shrinking tries are no cases.
  if (tally.failed) return
  for (const verdict of typeof result === 'string' ? [result] : result) {
    if (!known.includes(verdict)) throw new Error(`the target gives "${verdict}", which it does not declare`)
    tally.cases += 1
    tally.verdicts[verdict] = (tally.verdicts[verdict] ?? 0) + 1
  }
}

/** Only what is slow again and again is slow, and by the processor's clock: others may want it too. */
function settledTime(first: number, again: () => void): number {
  let least = first
  for (let nth = 0; nth < 2 && least > DOUBTFUL_MS; nth += 1) {
    const before = process.cpuUsage()
    again()
    const { user, system } = process.cpuUsage(before)
    least = Math.min(least, (user + system) / 1_000)
  }
  return least
}

function synchronous<Input>({ verdicts, slowMs = SLOW_MS }: Definition<Input>, check: Opened<Input>['check'], tally: Tally): (input: Input) => void {
  return (input) => {
    const startedAt = performance.now()
    try {
      // Nothing asynchronous is defined as synchronous.
      count(tally, check(input) as string, verdicts)
    } catch (error) {
      tally.failed = true
      throw error
    }
    const took = settledTime(performance.now() - startedAt, () => void check(input))
    tally.slowestMs = Math.max(tally.slowestMs, took)
    if (took > slowMs) throw new Error(`${took} ms, three times`)
  }
}

function asynchronous<Input>({ verdicts, where, slowMs = where === 'sockets' ? SLOW_SOCKETS_MS : SLOW_MS * 10 }: Definition<Input>, check: Opened<Input>['check'], tally: Tally): (input: Input) => Promise<void> {
  return async (input) => {
    const startedAt = performance.now()
    try {
      count(tally, await check(input), verdicts)
    } catch (error) {
      tally.failed = true
      throw error
    }
    const took = performance.now() - startedAt
    tally.slowestMs = Math.max(tally.slowestMs, took)
    if (took > slowMs) throw new Error(`${took} ms`)
  }
}

const failureOf = <Input>(details: fc.RunDetails<[Input]>): Failure | undefined =>
  details.failed ? { seed: details.seed, path: details.counterexamplePath ?? '', counterexample: fc.stringify(details.counterexample), error: details.errorInstance instanceof Error ? (details.errorInstance.stack ?? details.errorInstance.message) : String(details.errorInstance) } : undefined

async function runBatch<Input>(definition: Definition<Input>, seed: number, runs: number): Promise<Batch> {
  const { inputs, corpus = [], check, close } = await definition.open()
  const tally: Tally = { cases: 0, slowestMs: 0, failed: false, verdicts: {} }
  const parameters = { seed, numRuns: runs + corpus.length, examples: corpus.map((input): [Input] => [input]) }
  try {
    const details = definition.asynchronous === true
      ? await fc.check(fc.asyncProperty(inputs, asynchronous(definition, check, tally)), parameters)
      : fc.check(fc.property(inputs, synchronous(definition, check, tally)), parameters)
    const failure = failureOf(details)
    const { cases, slowestMs, verdicts } = tally
    return { cases, slowestMs, verdicts, ...(failure && { failure }) }
  } finally {
    await close?.()
  }
}

/** A target as the runner knows it. One seed always makes the same cases. */
export function fuzzTarget<Input>(definition: Definition<Input>): FuzzTarget {
  const { open: _open, ...rest } = definition
  return { ...rest, run: (seed, runs = definition.batch) => runBatch(definition, seed, runs) }
}
