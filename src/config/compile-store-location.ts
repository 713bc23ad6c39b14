import { sha256Hex } from '../base/bytes.ts'
import { locationOf, type StoreLocation } from '../keys/store-location.ts'
import { checkRedis, compileRedis, namesNoServer } from './compile-redis.ts'
import type { ConfigPath, Mistake } from './mistake.ts'
import type { KeyStoreConfig } from './schema-store.ts'

type Compiled = { readonly location: StoreLocation | undefined; readonly mistakes: readonly Mistake[] }

/** A map is read once: certificates that change meanwhile would make it another store, that nobody closes before the next reload. */
const read = new WeakMap<object, Compiled>()

/** Whether there is a store at all; a variable that is unset leaves an empty text. */
export const namesNoStore = (written: KeyStoreConfig | undefined): boolean => written === undefined || written === '' || (typeof written === 'object' && namesNoServer(written))

function ofText(text: string, path: ConfigPath): Compiled {
  const location = locationOf(text)
  return typeof location === 'string' ? { location: undefined, mistakes: [{ path, message: location }] } : { location, mistakes: [] }
}

function ofMap(written: Exclude<KeyStoreConfig, string>, path: ConfigPath): Compiled {
  const mistakes: Mistake[] = [...checkRedis(written, path)]
  const redis = mistakes.length === 0 ? compileRedis(written, path, mistakes) : undefined
  return { location: redis && { kind: 'redis', redis, namespace: written.namespace }, mistakes }
}

/** Where a store of keys or denials is; undefined when there is none, or something is wrong with it. */
export function compileStoreLocation(written: KeyStoreConfig | undefined, path: ConfigPath, mistakes: Mistake[]): StoreLocation | undefined {
  if (written === undefined || namesNoStore(written)) return undefined
  const compiled = typeof written === 'string' ? ofText(written, path) : (read.get(written) ?? ofMap(written, path))
  if (typeof written === 'object') read.set(written, compiled)
  mistakes.push(...compiled.mistakes)
  return compiled.location
}

/** Equal for equal locations, and holds no secret. */
export const locationKey = (location: StoreLocation): string => sha256Hex(JSON.stringify(location))
