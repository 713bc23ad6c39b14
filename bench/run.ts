import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { addedLatency } from './added-latency.ts'
import { flag, numberArgument, textArgument } from './arguments.ts'
import { checkTargets } from './check-targets.ts'
import { decideBench } from './decide.ts'
import { describeMachine } from './machine.ts'
import { writePages } from './pages.ts'
import { peers } from './peers/all.ts'
import { JWT, startPostern } from './postern.ts'
import { posternTargets } from './postern-targets.ts'
import { ratiosOf } from './ratios.ts'
import { inRounds } from './rounds.ts'
import { type Scene, setScene } from './scene.ts'
import { type BenchResult, benchText } from './table.ts'
import { asking, bearer, type Target } from './target.ts'

/**
 * `npm run bench [-- --peers] [--rounds N] [--requests N] [--warmup N] [--minutes N] [--only PATTERN]`: CPU time per request, side by side
 * in one run, medians of interleaved rounds. Results go into `results/` and from there into the pages. `--only` tries a part, and writes nothing.
 */
const WITH_PEERS = flag('peers')
const ROUNDS = numberArgument('rounds', 5)
const REQUESTS = numberArgument('requests', WITH_PEERS ? 8_000 : 20_000)
/** The code of a server that runs for days is compiled: until about the 100,000th request of a Node server each costs less than those before. */
const WARMUP = numberArgument('warmup', WITH_PEERS ? 60_000 : 100_000)
const MINUTES = numberArgument('minutes', 7)
const ONLY = textArgument('only', '')

/** Rates and rounds of what is asked at a steady pace. */
const PACED = { perSecond: 1_000, requests: 3_000, rounds: 5 } as const

const say = (text: string): void => void process.stderr.write(`${text}\n`)

function targetsOf({ setting, beside }: Scene): { readonly targets: Target[]; readonly versions: string[] } {
  const all = peers(setting)
  const others = all.flatMap(({ targets }) => targets)
  const shown = WITH_PEERS ? others : others.filter(({ name }) => name === 'nginx proxy_pass' || name === 'caddy reverse_proxy')
  const targets = [...shown, ...posternTargets(setting, beside), ...checkTargets(setting)]
  return { targets: targets.filter(({ name }) => new RegExp(ONLY).test(name)), versions: WITH_PEERS ? all.map(({ version }) => version) : [] }
}

/** On a Postern of its own that was warmed like the others. */
async function latencyOf({ setting }: Scene): Promise<BenchResult['added']> {
  const server = await startPostern(setting, { auth: JWT(setting.issued.jwks) })
  try {
    await asking({ headers: [bearer(setting.issued.token)] })(server.port, WARMUP)
    await addedLatency(setting, { ...PACED, rounds: 1, posternPort: server.port })
    return await addedLatency(setting, { ...PACED, posternPort: server.port })
  } finally {
    await server.stop()
  }
}

async function measured(scene: Scene, began: number): Promise<BenchResult> {
  const machine = describeMachine()
  const { targets, versions } = targetsOf(scene)
  const { rows, rounds, failed } = await inRounds(targets, { rounds: ROUNDS, requests: REQUESTS, warmup: WARMUP, until: began + MINUTES * 60_000, say })
  const added = ONLY === '' ? await latencyOf(scene) : undefined
  const command = `npm run bench --${WITH_PEERS ? ' --peers' : ''} --rounds ${rounds} --requests ${REQUESTS} --warmup ${WARMUP}`
  return { at: new Date().toISOString(), command, machine, versions, decideUs: await decideBench(), rows, ratios: ratiosOf(rows), ...(added && { added }), failed }
}

function keep(result: BenchResult): void {
  const results = join(import.meta.dirname, 'results')
  mkdirSync(results, { recursive: true })
  writeFileSync(join(results, WITH_PEERS ? 'peers.json' : 'latest.json'), `${JSON.stringify(result, undefined, 2)}\n`)
  writePages()
}

const began = performance.now()
const scene = await setScene()
try {
  const result = await measured(scene, began)
  if (ONLY === '') keep(result)
  process.stdout.write(`${benchText(result)}\n`)
  say(`took ${((performance.now() - began) / 1_000).toFixed(0)} s`)
} finally {
  await scene.close()
}
