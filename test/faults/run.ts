import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { cpus } from 'node:os'
import { join } from 'node:path'
import { percentile } from '../support/limit-load.ts'
import { FAULTS, runMatrix } from './matrix.ts'
import { PAGE, withMatrix } from './page.ts'
import { pageOf } from './table.ts'

/** `npm run faults [-- --try] [--only refused,hanging]`: breaks every dependency in every way, and writes what came of it into `bench/results/faults.json` and docs/reliability.md. */

const trying = process.argv.includes('--try')
const only = process.argv.indexOf('--only')
const faults = FAULTS.filter((fault) => only === -1 || process.argv[only + 1]?.split(',').includes(fault))
const matrix = await runMatrix({ faults, leastMs: trying ? 300 : 1_500, leastAnswers: trying ? 2 : 4, restMs: 30, told: (line) => void process.stdout.write(`${line}\n`) })
process.stdout.write(`\n${pageOf(matrix)}\n`)
const wrongs = [...matrix.letIn, ...matrix.rounds.flatMap(({ cells }) => cells.flatMap((cell) => cell.wrongs))]
for (const wrong of wrongs) process.stdout.write(`! ${wrong}\n`)
if (!trying) {
  const rounds = matrix.rounds.map(({ fault, seconds, cells }) => ({ fault, seconds, cells: cells.map(({ question: { place, column }, face, statuses, codes, latencies, recoveredMs, answers }) => ({ place, column, face, statuses, codes, p50Ms: percentile(latencies, 0.5), maxMs: Math.max(...latencies), recoveredMs, answers })) }))
  const folder = join(import.meta.dirname, '..', '..', 'bench', 'results')
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, 'faults.json'), `${JSON.stringify({ at: new Date().toISOString(), command: 'npm run faults', machine: { cpu: cpus()[0]?.model.trim(), cores: cpus().length, node: process.version }, letIn: matrix.letIn, rounds }, undefined, 1)}\n`)
  writeFileSync(PAGE, withMatrix(readFileSync(PAGE, 'utf8'), pageOf(matrix)))
}
process.exit(wrongs.length === 0 ? 0 : 1)
