import { readFileSync } from 'node:fs'
import { hmacSha256, sha256Hex } from '../base/bytes.ts'
import type { StoreSettings, StoreTls } from '../limiters/store-settings.ts'
import type { ConfigPath, Mistake } from './mistake.ts'
import type { Config } from './schema.ts'
import type { StoreConfig } from './schema-store.ts'

/** What a config says of shared counters. */
export interface CompiledStore {
  readonly store: StoreSettings
  readonly prefix: string
  /** Key of the digests that counters are named by; equal on every replica with the same config. */
  readonly secret: Uint8Array
  readonly share: number
  /** Hash of all of it: equal keys share a connection across reloads. */
  readonly key: string
}

type StoreObject = Exclude<StoreConfig, string>

const DEFAULTS = { prefix: 'postern', deadline: 50, share: 1, cluster: false } as const

/** The long form, or undefined when nothing is shared: no `store`, or an empty URL because its variable is unset. */
export function storeObject({ store }: Pick<Config, 'store'>): StoreObject | undefined {
  const written = typeof store === 'string' ? { ...DEFAULTS, url: store } : store
  if (!written) return undefined
  return (written.url ?? '') === '' && (written.urls ?? []).length === 0 ? undefined : written
}

function pem(file: string | undefined, name: string, mistakes: Mistake[]): string | undefined {
  if (file === undefined) return undefined
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    mistakes.push({ path: ['store', 'tls', name], message: `${file} cannot be read: ${error instanceof Error && 'code' in error ? String(error.code) : 'unknown reason'}` })
    return undefined
  }
}

function tlsOf({ tls }: StoreObject, secure: boolean, mistakes: Mistake[]): StoreTls | undefined {
  if (!tls && !secure) return undefined
  const ca = pem(tls?.ca, 'ca', mistakes)
  const certificate = pem(tls?.certificate, 'certificate', mistakes)
  const key = pem(tls?.key, 'key', mistakes)
  return { ...(ca !== undefined && { ca }), ...(certificate !== undefined && { certificate }), ...(key !== undefined && { key }), ...(tls?.server_name !== undefined && { serverName: tls.server_name }) }
}

/** Sentinels listen on another port than servers. */
const nodeOf = (url: URL, port: number): StoreSettings['nodes'][number] => ({ host: url.hostname.replace(/^\[(.*)\]$/, '$1'), port: url.port === '' ? port : Number(url.port) })

const filled = (value: string | undefined): string | undefined => (value === undefined || value === '' ? undefined : value)

function settingsOf(config: StoreObject, mistakes: Mistake[]): StoreSettings | undefined {
  const texts = filled(config.url) === undefined ? (config.urls ?? []) : [config.url ?? '']
  const urls = texts.filter((text) => URL.canParse(text)).map((text) => new URL(text))
  const [first] = urls
  if (!first || urls.length < texts.length) return undefined
  const tls = tlsOf(config, urls.some(({ protocol }) => protocol === 'rediss:'), mistakes)
  const username = filled(config.username) ?? filled(decodeURIComponent(first.username))
  const password = filled(config.password) ?? filled(decodeURIComponent(first.password))
  const database = Number(first.pathname.slice(1) || '0')
  const [sentinelUsername, sentinelPassword] = [filled(config.sentinel_username), filled(config.sentinel_password)]
  return {
    kind: config.cluster ? 'cluster' : config.sentinel === undefined ? 'single' : 'sentinel',
    nodes: urls.map((url) => nodeOf(url, config.sentinel === undefined ? 6379 : 26_379)),
    ...(config.sentinel !== undefined && { masterName: config.sentinel }),
    ...(sentinelUsername !== undefined && { sentinelUsername }),
    ...(sentinelPassword !== undefined && { sentinelPassword }),
    ...(username !== undefined && { username }),
    ...(password !== undefined && { password }),
    ...(database > 0 && { database }),
    ...(tls && { tls }),
    deadlineMs: config.deadline,
  }
}

/**
 * Every replica must name a counter alike, so the secret comes from the config and is never drawn: from `store.secret`, else from the
 * password that guards the store. Without either it is a plain digest, which hides a name from a glance and not from a search.
 */
function secretOf({ secret }: StoreObject, password: string | undefined): Uint8Array {
  return hmacSha256(filled(secret) ?? password ?? '', 'postern names of counters 1')
}

/** The store of a config, or undefined when counters live in memory. */
export function compileStore(config: Pick<Config, 'store'>, mistakes: Mistake[]): CompiledStore | undefined {
  const written = storeObject(config)
  const store = written && settingsOf(written, mistakes)
  if (!written || !store) return undefined
  const secret = secretOf(written, store.password)
  const { prefix, share } = written
  return { store, prefix, secret, share, key: sha256Hex(JSON.stringify({ store, prefix, share, secret: Buffer.from(secret).toString('hex') })) }
}

/** What cannot be meant as written; paths are those of the config. */
export function checkStore(config: Pick<Config, 'store'>): readonly Mistake[] {
  const written = storeObject(config)
  if (!written || typeof config.store === 'string') return []
  const { url, urls = [], sentinel, cluster } = written
  const at = (key: string): ConfigPath => ['store', key]
  const found: Mistake[] = urls.flatMap((text, index) => (/^rediss?:\/\/[^/\s?#]+\/?$/.test(text) && URL.canParse(text) ? [] : [{ path: [...at('urls'), index], message: 'expected a URL such as "redis://redis-1:6379"' }]))
  if (filled(url) !== undefined && urls.length > 0) found.push({ path: at('urls'), message: 'stands beside "url"; write one of the two' })
  if (sentinel !== undefined && cluster) found.push({ path: at('sentinel'), message: 'a cluster has no sentinels; remove one of "sentinel" and "cluster"' })
  if (urls.length > 1 && sentinel === undefined && !cluster) found.push({ path: at('urls'), message: 'several URLs are sentinels ("sentinel: NAME") or seeds of a cluster ("cluster: true"); say which' })
  return found
}

/** What works and is weaker than it looks. */
export function storeWarnings(config: Pick<Config, 'store'>): readonly Mistake[] {
  const mistakes: Mistake[] = []
  const written = storeObject(config)
  const store = written && settingsOf(written, mistakes)
  if (!written || !store || filled(written.secret) !== undefined || store.password !== undefined) return []
  return [{ path: ['store'], message: 'neither a secret nor a password: whoever reads the store can find out by trying whose counters it holds; add "store.secret"' }]
}
