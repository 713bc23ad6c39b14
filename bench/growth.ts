import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { numberArgument, textArgument } from './arguments.ts'
import { bodies } from './growth/bodies.ts'
import { connections } from './growth/connections.ts'
import { type Dimension, type Growth, growthOf } from './growth/dimension.ts'
import { issuers } from './growth/issuers.ts'
import { keys } from './growth/keys.ts'
import { cidrs } from './growth/networks.ts'
import { routes } from './growth/routes.ts'
import { describeMachine } from './machine.ts'
import { writePages } from './pages.ts'
import { setScene } from './scene.ts'
import { type GrowthResult, growthText } from './table-growth.ts'

/**
 * `npm run bench:growth [-- --rounds N] [--keys N] [--only PATTERN]`: what a request costs as routes, networks, keys, issuers, connections and
 * bodies become many or large. In this process where no socket is needed. `--only` tries a part, and writes no results.
 */
const ROUNDS = numberArgument('rounds', 3)
const KEYS = numberArgument('keys', 1_000_000)
const ONLY = textArgument('only', '')

const machine = describeMachine()
const scene = await setScene()
const [stores, transfers] = [keys(KEYS), await bodies(scene.setting)]
const all: readonly Dimension[] = [...routes, ...cidrs, ...issuers(scene.setting.issued), ...stores.dimensions, connections(scene.setting), ...transfers.dimensions]
const rows: Growth[] = []
try {
  for (const dimension of all.filter(({ name }) => new RegExp(ONLY).test(name))) {
    const row = await growthOf(dimension, ROUNDS)
    rows.push(row)
    process.stderr.write(`${row.name}: ${row.points.map(({ size, cost }) => `${size} ${cost.toFixed(2)}`).join(', ')} ${row.unit}, ${row.verdict}\n`)
  }
} finally {
  await stores.close()
  transfers.close()
  await scene.close()
}
const result: GrowthResult = { at: new Date().toISOString(), command: `npm run bench:growth -- --rounds ${ROUNDS} --keys ${KEYS}`, machine, rows }
if (ONLY === '') {
  mkdirSync(join(import.meta.dirname, 'results'), { recursive: true })
  writeFileSync(join(import.meta.dirname, 'results', 'growth.json'), `${JSON.stringify(result, undefined, 2)}\n`)
  writePages()
}
process.stdout.write(`${growthText(result)}\n`)
