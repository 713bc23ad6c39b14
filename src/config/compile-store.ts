import { hmacSha256, sha256Hex } from '../base/bytes.ts'
import type { StoreSettings } from '../limiters/store-settings.ts'
import { checkRedis, compileRedis, filled, namesNoServer } from './compile-redis.ts'
import type { Mistake } from './mistake.ts'
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
  return written && !namesNoServer(written) ? written : undefined
}

function settingsOf(config: StoreObject, mistakes: Mistake[]): StoreSettings | undefined {
  const redis = compileRedis(config, ['store'], mistakes)
  return redis && { ...redis, deadlineMs: config.deadline }
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
  return !written || typeof config.store === 'string' ? [] : checkRedis(written, ['store'])
}

/** What works and is weaker than it looks. */
export function storeWarnings(config: Pick<Config, 'store'>): readonly Mistake[] {
  const mistakes: Mistake[] = []
  const written = storeObject(config)
  const store = written && settingsOf(written, mistakes)
  if (!written || !store || filled(written.secret) !== undefined || store.password !== undefined) return []
  return [{ path: ['store'], message: 'neither a secret nor a password: whoever reads the store can find out by trying whose counters it holds; add "store.secret"' }]
}
