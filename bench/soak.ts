import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { cpus } from 'node:os'
import { join } from 'node:path'
import { flatnessTable, type KeptSoak, withSoak } from './soak/page.ts'
import { runSoak } from './soak/run.ts'

/** `npm run soak [-- --minutes 30] [--rate 200] [--try]`: mixed traffic with everything that goes wrong, and a look at what is left. `--try` writes no results. */

const option = (name: string, fallback: number): number => {
  const at = process.argv.indexOf(`--${name}`)
  const value = at === -1 ? fallback : Number(process.argv[at + 1])
  if (!Number.isFinite(value) || value <= 0) throw new Error(`--${name} wants a number above 0`)
  return value
}

const [minutes, rate] = [option('minutes', 30), option('rate', 200)]
const told = (line: string): void => void process.stdout.write(`${line}\n`)

const result = await runSoak({ seconds: minutes * 60, rate, sampleEveryMs: Math.min(10_000, minutes * 1_500), faultEveryMs: 10_000, reloadEveryMs: 7_000, told })
const { requests, surprises, letIn, restedAfterMs, exitCode, complaints, faults, reloads, reloadsTaken, keyActs, skipped, starved, starvedShare, outcomes } = result
const whole = surprises.length === 0 && letIn.length === 0 && restedAfterMs !== undefined && exitCode === 0 && complaints.length === 0 && result.flatness.every(({ flat }) => flat)
told(`\n${flatnessTable(result)}\n`)
told(`${requests} requests (${skipped} skipped, ${starved} late while the machine gave no time, which was ${(starvedShare * 100).toFixed(1)} % of it), ${faults} faults, ${reloadsTaken} of ${reloads} reloads taken, ${keyActs} acts on keys; let in: ${letIn.join(', ') || 'nobody'}; back at rest after ${restedAfterMs === undefined ? 'NEVER' : `${(restedAfterMs / 1_000).toFixed(1)} s`}; exit code ${exitCode}`)
told(JSON.stringify(outcomes))
for (const line of [...surprises, ...complaints]) told(`! ${line}`)
if (!process.argv.includes('--try')) {
  const folder = join(import.meta.dirname, 'results')
  const page = join(import.meta.dirname, '..', 'docs', 'reliability.md')
  const machine = { cpu: cpus()[0]?.model.trim(), cores: cpus().length, node: process.version }
  // Of a sample the kinds of its handles are only worth keeping at the ends.
  const kept = { at: new Date().toISOString(), command: 'npm run soak', minutes, rate, machine, whole, ...result, samples: result.samples.map((sample) => ({ ...sample, kinds: {} })) } satisfies KeptSoak & Record<string, unknown>
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, 'soak.json'), `${JSON.stringify(kept, undefined, 1)}\n`)
  writeFileSync(page, withSoak(readFileSync(page, 'utf8'), kept))
}
process.exit(whole ? 0 : 1)
