import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { textOption, type Invocation, type OptionValues, type Run } from './command.ts'
import { OperatorError, UsageError } from './exit-codes.ts'
import { refuseUnsafeProcess } from './node-safety.ts'
import { serveUntilStopped } from './serve.ts'
import { takeSignals, type Signals } from './signals.ts'
import type { LoopbackServer } from './dev/loopback.ts'

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

/** Says which option helps when the port is taken. */
function busyPort(error: unknown, port: number): unknown {
  return error instanceof OperatorError && error.message.includes('is in use') ? new OperatorError(`port ${port} is in use by another program. Choose another with --port, for example \`npm start -- --port ${port + 1}\`.`) : error
}

interface Stage {
  readonly upstream: string
  readonly servers: readonly LoopbackServer[]
  readonly folder: string
  readonly file: string
  readonly apiKey: string
}

/** The local issuer, the demo API unless the user has one, and the config in a file that only this user may read. */
async function setStage({ env, options }: Invocation, port: number): Promise<Stage> {
  const given = upstreamOf(options)
  const [{ prepareDevState, stateFolder }, { startIssuer }, { startDemoApi }, { devConfig }] = await Promise.all([import('./dev/state.ts'), import('./dev/issuer.ts'), import('./dev/demo-api.ts'), import('./dev/config.ts')])
  const state = await prepareDevState(env)
  const issuer = await startIssuer(state.key)
  const demo = given === undefined ? await startDemoApi() : undefined
  const upstream = given ?? demo?.origin ?? ''
  const folder = mkdtempSync(join(stateFolder(env), 'run-'))
  const file = join(folder, 'postern.yaml')
  writeFileSync(file, devConfig({ state, upstream, port, issuerOrigin: issuer.origin }), { mode: 0o600 })
  return { upstream, servers: demo ? [issuer, demo] : [issuer], folder, file, apiKey: state.apiKey }
}

async function strike({ servers, folder }: Stage): Promise<void> {
  rmSync(folder, { recursive: true, force: true })
  await Promise.all(servers.map((server) => server.close()))
}

/** Variables that a real config would read must not change the demo. */
const withoutOverrides = (env: NodeJS.ProcessEnv): NodeJS.ProcessEnv => Object.fromEntries(Object.entries(env).filter(([name]) => !name.startsWith('POSTERN_')))

async function play(invocation: Invocation, stage: Stage, { port, signals }: { readonly port: number; readonly signals: Signals }): Promise<number> {
  const { env, terminal } = invocation
  const [{ startInstance }, { greeting }] = await Promise.all([import('./instance.ts'), import('./dev/greeting.ts')])
  const instance = await startInstance({ file: stage.file, env: withoutOverrides(env), color: terminal.color, compile: { explain: true }, development: true, hurry: signals.stop }).catch((error: unknown) => {
    throw busyPort(error, port)
  })
  const bound = 'port' in instance.address ? instance.address.port : port
  const facts = { origin: `http://127.0.0.1:${bound}`, upstream: stage.upstream, opsOrigin: instance.opsOrigin, apiKey: stage.apiKey }
  if (invocation.options['json'] === true) terminal.out(JSON.stringify(facts))
  else terminal.say(greeting({ ...facts, demo: stage.servers.length > 1, port: bound, paint: terminal.paint }))
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
