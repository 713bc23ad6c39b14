import { resolve } from 'node:path'
import { median, numberArgument, textArgument } from './arguments.ts'
import { checkTargets } from './check-targets.ts'
import { peers } from './peers/all.ts'
import { posternTargets } from './postern-targets.ts'
import { inRounds } from './rounds.ts'
import { type Scene, setScene } from './scene.ts'
import type { Target } from './target.ts'

/**
 * `npm run bench:compare -- DIR[+FLAG…] … [--kind ROW] [--instances N] [--rounds N] [--requests N] [--warmup N] [--beside PATTERN]`: CPU time
 * per request of builds of Postern (a row of the table, such as `jwt, mixed` or `forward-auth`), side by side in one run. Processes of one and the same program differ, so each is started several times.
 * Keeps no results.
 */
const KIND = textArgument('kind', 'jwt')
const INSTANCES = numberArgument('instances', 3)
const BESIDE = textArgument('beside', '^$')
const settings = { rounds: numberArgument('rounds', 5), requests: numberArgument('requests', 10_000), warmup: numberArgument('warmup', 60_000) }

const say = (text: string): void => void process.stderr.write(`${text}\n`)

/** What stands before the first option. */
function variants(): string[] {
  const given = process.argv.slice(2)
  const end = given.findIndex((argument) => argument.startsWith('--'))
  return end === -1 ? given : given.slice(0, end)
}

function targetOf(variant: string, instance: number, { setting, beside }: Scene): Target {
  const [directory = '', ...flags] = variant.split('+')
  const made = { ...setting, build: { directory: resolve(directory), flags } }
  const target = [...posternTargets(made, beside), ...checkTargets(made)].find(({ name }) => name === `postern ${KIND}`)
  if (!target) throw new Error(`there is no row "postern ${KIND}"`)
  return { ...target, name: `${variant} ${instance}` }
}

const scene = await setScene()
try {
  const names = variants()
  const beside = [...peers(scene.setting).flatMap(({ targets }) => targets), ...checkTargets(scene.setting)].filter(({ name }) => new RegExp(BESIDE).test(name))
  const targets = Array.from({ length: INSTANCES }, (_, instance) => names.map((name) => targetOf(name, instance + 1, scene))).flat()
  const { rows } = await inRounds([...beside, ...targets], { ...settings, until: Number.POSITIVE_INFINITY, say: () => undefined })
  const cpuOf = (name: string): number[] => rows.filter((row) => row.name === name || row.name.replace(/ \d+$/, '') === name).map(({ cpuUs }) => cpuUs)
  for (const name of [...beside.map((target) => target.name), ...names]) {
    const all = cpuOf(name)
    process.stdout.write(`${median(all).toFixed(1).padStart(7)} µs  ${name}  (${all.map((one) => one.toFixed(1)).join(', ')})\n`)
  }
  say(`${KIND}: ${settings.rounds} rounds of ${settings.requests} requests behind ${settings.warmup}`)
} finally {
  await scene.close()
}
