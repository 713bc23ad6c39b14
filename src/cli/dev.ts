import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { textOption, type Invocation, type OptionValues, type Run } from './command.ts'
import { OperatorError, UsageError } from './exit-codes.ts'
import { refuseUnsafeProcess } from './node-safety.ts'
import { serveUntilStopped } from './serve.ts'
import { takeSignals, type Signals } from './signals.ts'
import { withoutOverrides } from './dev/overrides.ts'
import type { LoopbackServer } from './dev/loopback.ts'
import type { DevState } from './dev/state.ts'
import type { Instance } from './instance.ts'
import type { Observer } from '../model/event.ts'

const DEFAULT_PORT = 8080

/** Dev mode mints its own credentials, so it has no business where real ones are checked. */
function refuseProduction(env: NodeJS.ProcessEnv): void {
  const sign = env['NODE_ENV'] === 'production' ? 'NODE_ENV=production' : env['KUBERNETES_SERVICE_HOST'] ? 'KUBERNETES_SERVICE_HOST (this is a Kubernetes pod)' : undefined
  if (sign !== undefined) throw new OperatorError(`dev mode mints tokens for anybody on this machine and refuses to run with ${sign}. Use \`postern run\` with a config.`)
}

function portOf(options: OptionValues): number {
  const text = textOption(options, 'port')
  if (text === undefined) return DEFAULT_PORT
  const port = Number(text)
  if (!/^\d{1,5}$/.test(text) || port > 65_535) throw new UsageError(`--port ${text}: expected a number from 0 to 65535`)
  return port
}

function upstreamOf(options: OptionValues): string | undefined {
  const text = textOption(options, 'upstream')
  if (text === undefined) return undefined
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (!url || !['http:', 'https:'].includes(url.protocol)) throw new UsageError(`--upstream ${text}: expected a URL such as http://localhost:3000`)
  return text.replace(/\/$/, '')
}

/** Says who has the port, where that is known, and which option helps. */
function busyPort(error: unknown, port: number, other: DevState | undefined): unknown {
  if (!(error instanceof OperatorError && error.message.includes('is in use'))) return error
  const holder = other?.origin === `http://127.0.0.1:${port}` ? `the dev instance that runs already (pid ${other.pid})` : `another program${other ? `, and a dev instance runs already (pid ${other.pid}, ${other.origin ?? 'still starting'})` : ''}`
  return new OperatorError(`port ${port} is in use by ${holder}. Choose another with --port, for example \`npm start -- --port ${port + 1}\`.`)
}

interface Stage {
  readonly upstream: string
  readonly demo: boolean
  readonly servers: readonly LoopbackServer[]
  readonly folder: string
  readonly file: string
  readonly state: DevState
  /** Another dev instance of this checkout. */
  readonly other: DevState | undefined
}

/** The local issuer, the demo API unless the user has one, and the config in a file that only this user may read. */
async function setStage({ env, options }: Invocation, port: number): Promise<Stage> {
  const given = upstreamOf(options)
  const [{ makeStateFolder, prepareDevState, runningDev }, { startIssuer }, { startDemoApi }, { devConfig }] = await Promise.all([import('./dev/state.ts'), import('./dev/issuer.ts'), import('./dev/demo-api.ts'), import('./dev/config.ts')])
  const other = runningDev(env)
  const state = await prepareDevState(env)
  const issuer = await startIssuer(state.key)
  const demo = given === undefined ? await startDemoApi() : undefined
  const upstream = given ?? demo?.origin ?? ''
  const folder = mkdtempSync(join(makeStateFolder(env), 'run-'))
  const file = join(folder, 'postern.yaml')
  writeFileSync(file, devConfig({ state, upstream, port, issuerOrigin: issuer.origin }), { mode: 0o600 })
  return { upstream, demo: demo !== undefined, servers: demo ? [issuer, demo] : [issuer], folder, file, state, other }
}

async function strike({ servers, folder }: Stage): Promise<void> {
  rmSync(folder, { recursive: true, force: true })
  await Promise.all(servers.map((server) => server.close()))
}

/** Why an API of the user's own cannot be connected to; undefined when it can, and for the demo. */
async function upstreamTrouble({ upstream, demo }: Stage): Promise<string | undefined> {
  if (demo) return undefined
  const { tryConnection } = await import('./doctor/network-checks.ts')
  const { hostname, port, protocol } = new URL(upstream)
  const result = await tryConnection({ host: hostname.replace(/^\[|\]$/g, ''), port: Number(port || (protocol === 'https:' ? 443 : 80)) })
  return typeof result === 'number' ? undefined : result
}

/** What `dev` waits for besides its own work. */
interface Play { readonly port: number; readonly signals: Signals }

async function listen({ env, terminal, options }: Invocation, { file, other }: Stage, { port, signals }: Play): Promise<Instance> {
  const [{ startInstance }, { withRequestLines }] = await Promise.all([import('./instance.ts'), import('./dev/request-lines.ts')])
  const { say, paint } = terminal
  const watch = (observer: Observer): Observer => (options['json'] === true ? observer : withRequestLines(observer, { say, paint, clock: Date.now }))
  return startInstance({ file, env: withoutOverrides(env), color: terminal.color, compile: { explain: true }, development: true, watch, hurry: signals.stop }).catch((error: unknown) => {
    throw busyPort(error, port, other)
  })
}

async function play(invocation: Invocation, stage: Stage, { port, signals }: Play): Promise<number> {
  const { env, terminal } = invocation
  const instance = await listen(invocation, stage, { port, signals })
  const [{ greeting }, { writeDevState }] = await Promise.all([import('./dev/greeting.ts'), import('./dev/state.ts')])
  const bound = 'port' in instance.address ? instance.address.port : port
  const { state, upstream, demo, file, other } = stage
  const facts = { origin: `http://127.0.0.1:${bound}`, upstream, opsOrigin: instance.opsOrigin, apiKey: state.apiKey }
  writeDevState(env, { ...state, origin: facts.origin, config: file })
  if (invocation.options['json'] === true) terminal.out(JSON.stringify(facts))
  else terminal.say(greeting({ ...facts, demo, trouble: await upstreamTrouble(stage), other, paint: terminal.paint }))
  return serveUntilStopped(instance, signals, true)
}

/** `postern dev`: the whole product on this machine, with nothing to configure. */
export const run: Run = async (invocation) => {
  const signals = takeSignals(invocation.env, { followParent: true })
  refuseProduction(invocation.env)
  refuseUnsafeProcess(invocation.env, process.execArgv)
  const port = portOf(invocation.options)
  const stage = await setStage(invocation, port)
  try {
    return await play(invocation, stage, { port, signals })
  } catch (error) {
    const { reportMistakes } = await import('./load-config.ts')
    return reportMistakes(error, invocation)
  } finally {
    await strike(stage)
  }
}
