import { readFileSync } from 'node:fs'
import { sha256Hex } from '../base/bytes.ts'
import type { UpstreamSettings } from '../model/gateway.ts'
import type { ConfigPath, Mistake } from './mistake.ts'
import type { Config, UpstreamConfig } from './schema.ts'

function addressOf(url: string): Pick<UpstreamSettings, 'origin' | 'basePath' | 'socketPath'> {
  if (url.startsWith('unix:')) return { origin: 'http://localhost', basePath: '', socketPath: url.slice('unix:'.length) }
  const { origin, pathname } = new URL(url)
  return { origin, basePath: pathname.replace(/\/+$/, '') }
}

function pem(file: string | undefined, path: ConfigPath, mistakes: Mistake[]): string | undefined {
  if (file === undefined) return undefined
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    mistakes.push({ path, message: `${file} cannot be read: ${error instanceof Error ? error.message : String(error)}` })
    return undefined
  }
}

function compileUpstream(id: string, config: UpstreamConfig, path: ConfigPath, mistakes: Mistake[]): UpstreamSettings {
  const ca = pem(config.ca, [...path, 'ca'], mistakes)
  const settings = {
    id,
    ...addressOf(config.url),
    connectTimeoutMs: config.connect_timeout,
    firstByteTimeoutMs: config.timeout,
    idleTimeoutMs: config.idle_timeout,
    maxConnections: config.max_connections,
    keepAlive: config.keep_alive,
    host: config.host,
    engine: config.engine,
    ...(ca !== undefined && { ca }),
    ...(config.server_name !== undefined && { serverName: config.server_name }),
  }
  return { ...settings, key: sha256Hex(JSON.stringify(settings)) }
}

/** Upstreams by id, the default one first. */
export function compileUpstreams(config: Config, mistakes: Mistake[]): ReadonlyMap<string, UpstreamSettings> {
  const upstreams = Object.entries(config.upstreams ?? {})
  return new Map(upstreams.map(([id, upstream]) => [id, compileUpstream(id, upstream, ['upstreams', id], mistakes)]))
}
