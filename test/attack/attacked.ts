import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { listenerSettings } from '../../src/cli/listener-settings.ts'
import { compile, type Compiled } from '../../src/config/compile.ts'
import { loadConfig } from '../../src/config/load.ts'
import { createResources } from '../../src/config/resources.ts'
import { createUpstreamPools } from '../../src/faces/proxy/pools.ts'
import { createProxyFace, type ProxyFace } from '../../src/faces/proxy/server.ts'
import { type Observer, SILENT } from '../../src/model/event.ts'
import { createAuditLog } from '../../src/observe/audit-log.ts'
import type { LineWriter } from '../../src/observe/line-writer.ts'
import { createLog } from '../../src/observe/log.ts'
import { createMetrics, type Metrics } from '../../src/observe/metrics.ts'
import { createObserver } from '../../src/observe/observer.ts'
import { recordingObserver } from '../support/gateway.ts'

/** A config as an operator writes it; JSON is YAML. */
export type WrittenConfig = Readonly<Record<string, unknown>>

/** A whole Postern within this process: a config file went in, and a real socket came out. */
export interface Attacked {
  readonly port: number
  readonly face: ProxyFace
  readonly compiled: Compiled
  /** What the observer was told, in order. */
  readonly events: ReturnType<typeof recordingObserver>['events']
  /** Every line of log and audit so far. */
  readonly lines: readonly string[]
  readonly metrics: Metrics
  readonly close: () => Promise<void>
}

/** Tells both. */
function tee(first: Observer, second: Observer): Observer {
  const names = Object.keys(SILENT) as (keyof Observer)[]
  const told = names.map((name) => [name, (...what: unknown[]) => [first, second].forEach((observer) => (observer[name] as (...what: unknown[]) => void)(...what))])
  // One function for each name of the interface, by construction.
  return Object.fromEntries(told) as unknown as Observer
}

function watching(): { readonly observer: Observer } & Pick<Attacked, 'events' | 'lines' | 'metrics'> {
  const lines: string[] = []
  const writer: LineWriter = { write: (line) => void lines.push(line), writeLater: (line) => void lines.push(line()), settle: () => undefined, flush: () => undefined, close: async () => undefined }
  const metrics = createMetrics({ version: 'test', revision: 'test' })
  const log = createLog({ format: 'json', level: 'debug', writer, version: 'test', color: false })
  const audit = createAuditLog({ writer, version: 'test', statusOf: () => undefined })
  const recording = recordingObserver()
  return { observer: tee(recording.observer, createObserver({ metrics, log, audit })), events: recording.events, lines, metrics }
}

/** Writes a config to a file of its own, for as long as `use` takes. */
export function withConfigFile<T>(config: WrittenConfig, use: (file: string) => T): T {
  const directory = mkdtempSync(join(tmpdir(), 'postern-attack-'))
  const file = join(directory, 'postern.yaml')
  writeFileSync(file, JSON.stringify(config))
  try {
    return use(file)
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

/**
 * Starts Postern from a config, as `postern run` does it: read, compiled, listening.
 *
 * @throws {ConfigFileError} and {ConfigError} when the config is refused
 */
export async function startAttacked(config: WrittenConfig, env: NodeJS.ProcessEnv = {}): Promise<Attacked> {
  const { observer, events, lines, metrics } = watching()
  const clock = Date.now
  const loaded = withConfigFile(config, (file) => loadConfig({ file, env }))
  const resources = createResources({ clock, observer })
  resources.begin()
  const compiled = compile(loaded.config, resources, { revision: 'test' })
  const pools = createUpstreamPools({ observer, clock })
  const face = createProxyFace({ gateway: () => compiled.gateway, observer, clock, pools, listener: listenerSettings(loaded.config) })
  const address = await face.listen()
  await Promise.all(compiled.providers.map(({ ready }) => ready()))
  return {
    port: 'port' in address ? address.port : 0,
    face, compiled, events, lines, metrics,
    close: async () => {
      await face.close()
      await Promise.all([pools.close(), resources.closeAll()])
      metrics.close()
    },
  }
}
