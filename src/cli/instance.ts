import { setTimeout as wait } from 'node:timers/promises'
import { adminIsOn } from '../config/admin-settings.ts'
import type { CompileOptions } from '../config/compile.ts'
import { keyCountsOf } from '../config/compile-managed-keys.ts'
import { keyStoreReports, type KeyStoreReport } from '../config/key-store-reports.ts'
import { loadConfig } from '../config/load.ts'
import { createResources, type Resources } from '../config/resources.ts'
import type { Config } from '../config/schema.ts'
import { watchConfig, type ConfigWatch } from '../config/watch.ts'
import type { AdminFace } from '../faces/admin/server.ts'
import type { ListenAddress } from '../faces/proxy/listener.ts'
import { createUpstreamPools, type UpstreamPools } from '../faces/proxy/pools.ts'
import type { OpsFace } from '../faces/ops/server.ts'
import type { Gateway } from '../model/gateway.ts'
import type { Observer } from '../model/event.ts'
import type { Log } from '../observe/log.ts'
import { withPeerCensus, type PeerCensus } from '../observe/peer-census.ts'
import { withRecent, type Recent } from '../observe/recent.ts'
import { takeConsole } from '../observe/take-console.ts'
import { startAdmin } from './admin-listener.ts'
import { createDataFaces, type DataFaces } from './data-faces.ts'
import { listenError } from './listen-error.ts'
import { compileLoaded, providersTried } from './load-config.ts'
import { isBelowFloor, requirePatchedNode, FLOOR_TEXT } from './node-safety.ts'
import { remindHourly } from './observing.ts'
import { opsChecks, upstreamsGone, type StatusSources } from './ops-status.ts'
import { providerStates } from './provider-state.ts'
import { announce, createReloads, type Reloads } from './reloads.ts'
import { startWatching, type Watching } from './watchers.ts'

export interface InstanceOptions {
  readonly file: string | undefined
  readonly env: NodeJS.ProcessEnv
  readonly color: boolean
  readonly compile?: CompileOptions
  /** Lets somebody else watch as well. */
  readonly watch?: (observer: Observer) => Observer
  /** On a developer's machine, where the pinned Node is known to be old. */
  readonly development?: boolean
  /** Resolves when the process is to end before it has started: then providers are not waited for. */
  readonly hurry: Promise<unknown>
}

/** One running Postern. */
export interface Instance {
  readonly address: ListenAddress
  readonly opsOrigin: string | undefined
  readonly log: Log
  readonly reload: () => void
  /** Debug lines for five minutes. */
  readonly verbose: () => void
  /** Finishes what is under way and closes everything. `hurried` does not wait for a balancer to notice. */
  readonly drain: (hurried: boolean) => Promise<void>
  /** Writes at once what log and audit still hold. */
  readonly flush: () => void
}

/** The parts of an instance, made before anything listens. */
interface Parts {
  readonly watching: Watching
  readonly pools: UpstreamPools
  readonly reloads: Reloads
  readonly proxy: DataFaces
  readonly sources: StatusSources
  readonly resources: Resources
  /** What the admin page shows of the past; undefined where there is none. */
  readonly recent: Recent | undefined
  /** Who speaks for clients. */
  readonly peers: PeerCensus['seen']
}

interface Life { started: boolean; draining: boolean }

/** Who has no admin face remembers nothing for it. */
const withPage = (config: Config, observer: Observer): { readonly observer: Observer; readonly recent: Recent | undefined } =>
  adminIsOn(config) ? withRecent(observer) : { observer, recent: undefined }

const VERBOSE_MS = 300_000

/** @throws {ConfigFileError} and {OperatorError}: nothing listens yet */
function build({ file, env, color, compile, watch = (observer) => observer }: InstanceOptions): Parts {
  const loaded = loadConfig({ file, env })
  requirePatchedNode(process.versions.node, loaded.config.require_patched_node)
  let gateway: Gateway | undefined
  const watching = startWatching({ config: loaded.config, gateway: () => gateway, color })
  const { log, metrics } = watching
  takeConsole(log)
  const census = withPeerCensus(watch(watching.observer))
  const { observer, recent } = withPage(loaded.config, census.observer)
  const clock = Date.now
  const resources = createResources({ clock, observer })
  const building = { resources, ...(compile && { options: compile }) }
  resources.begin()
  const first = { loaded, compiled: compileLoaded(loaded, building) }
  gateway = first.compiled.gateway
  const pools = createUpstreamPools({ observer, clock })
  const onTaken: Parameters<typeof createReloads>[0]['onTaken'] = ({ compiled }) => {
    gateway = compiled.gateway
    pools.retain(compiled.gateway.upstreams.values())
    // A store that is new with this config is connected to now and not by the first request.
    void compiled.limits.store?.ready()
  }
  const reloads = createReloads({ file, env, first, building, log, metrics, onTaken })
  const keyStores = (): readonly KeyStoreReport[] => keyStoreReports(reloads.current().loaded.config, resources)
  const proxy = createDataFaces({ config: loaded.config, gateway: () => reloads.current().compiled.gateway, observer, clock, pools })
  announce(first, watching)
  return { watching, pools, reloads, proxy, recent, peers: census.seen, sources: { reloads, upstreamState: pools.state, keyStores, clock }, resources }
}

/** State that the metrics only read when somebody looks. */
function reportBeforeScrape({ watching: { metrics }, reloads, sources, resources }: Parts, life: Life): void {
  metrics.set('postern_node_below_security_floor', isBelowFloor(process.versions.node) ? 1 : 0)
  metrics.beforeScrape(() => {
    const checks = opsChecks(sources)
    metrics.degraded(checks.filter(({ ok }) => !ok).map(({ name }) => name))
    metrics.set('postern_upstream_healthy', checks.some(({ name, ok }) => name.startsWith('upstream') && !ok) ? 0 : 1)
    metrics.set('postern_draining', life.draining ? 1 : 0)
    metrics.set('postern_observe_mode', reloads.current().loaded.config.observe ? 1 : 0)
    for (const { name, ...state } of providerStates(reloads.current().compiled)) metrics.keySet(name, state)
    metrics.apiKeys(keyCountsOf(reloads.current().loaded.config, resources))
    metrics.keyStores(sources.keyStores().map(({ name, state }) => ({ name, ...state() })))
  })
}

async function startOps({ ops }: Config, { watching, sources, peers }: Parts, life: Life): Promise<OpsFace | undefined> {
  if (ops === 'off') return undefined
  // A config that turns it off does not load it.
  const { createOpsFace } = await import('../faces/ops/server.ts')
  const face = createOpsFace({ address: ops, status: () => ({ ...life, checks: opsChecks(sources) }), metrics: watching.metrics, peers })
  await face.listen().catch((error: unknown) => {
    throw listenError('ops', ops, error)
  })
  return face
}

interface Listening { readonly address: ListenAddress; readonly checks?: ListenAddress; readonly grpc?: ListenAddress; readonly ops: OpsFace | undefined; readonly admin: AdminFace | undefined }

/** Opens the listeners; closes again what did open when one of them cannot. */
async function listen(config: Config, parts: Parts, life: Life): Promise<Listening> {
  const { resources, reloads, recent } = parts
  const ops = await startOps(config, parts, life)
  let admin: AdminFace | undefined
  try {
    admin = await startAdmin({ current: reloads.current, recent, resources, clock: resources.clock })
    return { ...(await parts.proxy.listen()), ops, admin }
  } catch (error) {
    await Promise.all([ops?.close(), admin?.close()])
    throw error
  }
}

const shown = (address: ListenAddress): string => ('path' in address ? address.path : `${address.host}:${address.port}`)

function logStart({ watching: { log }, reloads }: Parts, { address, checks, grpc, ops, admin }: Listening, development: boolean): void {
  const { gateway } = reloads.current().compiled
  const upstreams = [...gateway.upstreams.values()].map(({ origin, socketPath }) => socketPath ?? origin)
  log.write('info', 'listening', 'Postern listens', { address: shown(address), ...(checks && { forward_auth: shown(checks) }), ...(grpc && { grpc: shown(grpc) }), ops: ops?.origin() ?? 'off', admin: admin?.origin() ?? 'off', upstreams, revision: gateway.revision, pid: process.pid })
  if (isBelowFloor(process.versions.node) && !development) log.write('warn', 'node_below_security_floor', `Node ${process.versions.node} lacks security fixes; use ${FLOOR_TEXT} or newer in production`)
}

interface Ending {
  readonly parts: Parts
  readonly life: Life
  readonly listening: Listening
  readonly watch: ConfigWatch | undefined
  readonly stopReminding: () => void
}

async function drain({ parts, life, listening: { ops, admin }, watch, stopReminding }: Ending, hurried: boolean): Promise<void> {
  const { watching, proxy, pools, reloads, sources, resources } = parts
  const { delay, timeout } = reloads.current().loaded.config.drain
  const delayMs = hurried || upstreamsGone(sources) ? 0 : delay
  life.draining = true
  watch?.close()
  stopReminding()
  watching.log.write('info', 'draining', 'about to end: not ready any more, still serving', { delay_ms: delayMs, timeout_ms: timeout, in_flight: proxy.inFlight() })
  proxy.draining()
  await wait(delayMs)
  await proxy.drain(timeout)
  await Promise.all([pools.close(), ops?.close(), admin?.close()])
  await resources.closeAll()
  watching.log.write('info', 'stopped', 'everything is closed')
  await watching.close()
}

/**
 * Starts everything: reads and compiles the config, opens the listeners, asks the providers once (2 s at most), watches the config.
 *
 * @throws {ConfigFileError} when the config is wrong, {OperatorError} when an address or file cannot be had
 */
export async function startInstance(options: InstanceOptions): Promise<Instance> {
  const life: Life = { started: false, draining: false }
  const parts = build(options)
  const { watching, reloads } = parts
  const { log } = watching
  const config = reloads.current().loaded.config
  reportBeforeScrape(parts, life)
  const listening = await listen(config, parts, life)
  logStart(parts, listening, options.development === true)
  await Promise.race([providersTried(reloads.current().compiled, parts.sources.keyStores()), options.hurry])
  life.started = true
  log.write('info', 'ready', 'Postern is ready', { after_ms: Math.round(process.uptime() * 1_000) })
  watching.settle()
  const stopReminding = remindHourly(() => reloads.current().loaded.config, log)
  const watch = config.reload.watch ? watchConfig({ files: () => reloads.current().loaded.watched, onChange: () => reloads.reload('file') }) : undefined
  return {
    address: listening.address,
    opsOrigin: listening.ops?.origin(),
    log,
    // A look that finds a change reloads; the signal says that even an unchanged config is to be read again.
    reload: () => void (watch?.look() || reloads.reload('signal')),
    verbose: () => {
      log.setLevel('debug')
      setTimeout(() => log.setLevel(reloads.current().loaded.config.log.level), VERBOSE_MS).unref()
    },
    drain: (hurried) => drain({ parts, life, listening, watch, stopReminding }, hurried),
    flush: watching.flush,
  }
}
