import { parseArgs } from 'node:util'
import type { Failure, FuzzTarget } from './fuzz-target.ts'
import { nextSeed, readResults, RESULTS_FILE, type Results, withBatch, writeResults } from './results.ts'
import { TARGETS } from './targets.ts'

/**
 * `npm run fuzz`: goes on where the last run stopped and keeps what it has done. Stops at the first disagreement, with what makes it
 * again. A run with `--seed` repeats one batch and keeps nothing.
 */

const USAGE = `npm run fuzz -- [--target NAME,…] [--runs CASES] [--seed SEED] [--minutes M] [--results FILE]

  --target   one or several of: ${TARGETS.map(({ name }) => name).join(', ')}
  --runs     at least so many more cases of each target; default: one batch
  --seed     repeats the batch of this seed, with --runs cases if given
  --minutes  runs for so long, always what has had the least for its weight
  --results  where counts and seeds are kept; default: test/fuzz/results.json
`

interface Wish { readonly targets: readonly FuzzTarget[]; readonly runs: number | undefined; readonly seed: number | undefined; readonly minutes: number | undefined; readonly file: string }

function numberOf(name: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  if (!/^\d+(\.\d+)?$/.test(text)) throw new TypeError(`--${name} ${text}: expected a number`)
  return Number(text)
}

function targetsOf(text: string | undefined): readonly FuzzTarget[] {
  return text === undefined ? TARGETS : text.split(',').map((name) => {
    const target = TARGETS.find((each) => each.name === name)
    if (!target) throw new TypeError(`--target ${name}: expected one of ${TARGETS.map((each) => each.name).join(', ')}`)
    return target
  })
}

function wishOf(args: readonly string[]): Wish {
  const { values } = parseArgs({ args: [...args], options: { target: { type: 'string' }, runs: { type: 'string' }, seed: { type: 'string' }, minutes: { type: 'string' }, results: { type: 'string' } } })
  return { targets: targetsOf(values.target), runs: numberOf('runs', values.runs), seed: numberOf('seed', values.seed), minutes: numberOf('minutes', values.minutes), file: values.results ?? RESULTS_FILE }
}

const say = (text: string): void => void process.stdout.write(`${text}\n`)

function report({ name }: FuzzTarget, { seed, path, counterexample, error }: Failure): void {
  say(`\n${name}: WRONG\n  again: npm run fuzz -- --target ${name} --seed ${seed}\n  path: ${path}\n  input: ${counterexample}\n  ${error}`)
}

async function repeat({ targets, seed = 1, runs }: Wish): Promise<boolean> {
  let good = true
  for (const target of targets) {
    const { cases, verdicts, failure } = await target.run(seed, runs)
    say(`${target.name}: seed ${seed}, ${cases} cases, ${JSON.stringify(verdicts)}`)
    if (failure) report(target, failure)
    good &&= !failure
  }
  return good
}

/** Its share of the cases that are wanted: slow ones and the cheap get about the same time. */
const hunger = (results: Results) => (a: FuzzTarget, b: FuzzTarget): number => (results[a.name]?.cases ?? 0) / a.weight - (results[b.name]?.cases ?? 0) / b.weight

interface Progress { results: Results; readonly done: Map<string, number> }

/** One more batch; false when something is wrong. */
async function batch(target: FuzzTarget, progress: Progress, file: string): Promise<boolean> {
  const kept = progress.results[target.name]
  const startedAt = performance.now()
  const result = await target.run(nextSeed(kept))
  if (result.failure) {
    report(target, result.failure)
    return false
  }
  const after = withBatch(kept, result, new Date().toISOString().slice(0, 10))
  progress.results = { ...progress.results, [target.name]: after }
  progress.done.set(target.name, (progress.done.get(target.name) ?? 0) + result.cases)
  writeResults(progress.results, file)
  say(`${target.name}: seed ${nextSeed(kept)}, ${result.cases} cases in ${((performance.now() - startedAt) / 1_000).toFixed(1)} s, ${after.cases} in all`)
  return true
}

async function goOn({ targets, minutes, runs = 1, file }: Wish): Promise<boolean> {
  const progress: Progress = { results: readResults(file), done: new Map() }
  const endsAt = performance.now() + (minutes ?? 0) * 60_000
  const broken = new Set<FuzzTarget>()
  for (;;) {
    const left = targets.filter((target) => !broken.has(target) && (minutes !== undefined || (progress.done.get(target.name) ?? 0) < runs))
    const [next] = left.toSorted(hunger(progress.results))
    if (!next || (minutes !== undefined && performance.now() > endsAt)) return broken.size === 0
    if (!(await batch(next, progress, file))) broken.add(next)
  }
}

try {
  const wish = wishOf(process.argv.slice(2))
  process.exitCode = (await (wish.seed === undefined ? goOn(wish) : repeat(wish))) ? 0 : 1
} catch (error) {
  if (!(error instanceof TypeError)) throw error
  process.stderr.write(`${error.message}\n\n${USAGE}`)
  process.exitCode = 2
}
