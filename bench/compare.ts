import { resolve } from 'node:path'
import { median, numberArgument, textArgument } from './arguments.ts'
import { checkTargets } from './check-targets.ts'
import { peers } from './peers/all.ts'
import { JWT, startPostern } from './postern.ts'
import { inRounds } from './rounds.ts'
import { type Scene, setScene } from './scene.ts'
import { showing, type Target } from './target.ts'

/**
 * `npm run bench:compare -- DIR[+FLAG…] … [--kind jwt|check] [--instances N] [--rounds N] [--requests N] [--warmup N] [--beside PATTERN]`: CPU time
 * per request of builds of Postern, side by side in one run. Processes of one and the same program differ, so each is started several times.
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

function targetOf(variant: string, instance: number, { setting }: Scene): Target {
  const [directory = '', ...flags] = variant.split('+')
  const made = { ...setting, build: { directory: resolve(directory), flags } }
  const name = `${variant} ${instance}`
  if (KIND === 'jwt') return { name, what: '', warms: true, start: () => startPostern(made, { auth: JWT(setting.issued.jwks) }), ...showing(setting.issued.token), refuses: [{}] }
  const check = checkTargets(made).find((target) => target.name === 'postern forward-auth')
  if (!check) throw new Error('there is no such check')
  return { ...check, name }
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
