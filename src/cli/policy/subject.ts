import type { Compiled } from '../../config/compile.ts'
import { keyServicesOf } from '../../config/compile-managed-keys.ts'
import { loadConfig, type LoadedConfig } from '../../config/load.ts'
import type { Config } from '../../config/schema.ts'
import { readFromDisk, type ReadFile } from '../../config/secrets.ts'
import type { KeyService } from '../../keys/key-service.ts'
import { createMemoryLimiter } from '../../limiters/memory.ts'
import type { Limiter } from '../../model/ports.ts'
import { compileLoaded } from '../load-config.ts'
import { createAuthorities } from './authorities.ts'
import { gatherFacts, type Facts } from './facts.ts'
import { createListening, type Listening } from './listening.ts'
import { createLocalKeys } from './local-keys.ts'
import type { MintContext } from './mint.ts'
import { createOfflineResources } from './offline-resources.ts'
import type { Table } from './table-schema.ts'
import { createTestClock, type TestClock } from './test-clock.ts'

/** A config as one table tests it: compiled as for serving, with keys, stores, authorities, quotas and time of its own. */
export interface Subject {
  readonly loaded: LoadedConfig
  readonly compiled: Compiled
  readonly clock: TestClock
  readonly facts: Facts
  readonly mint: MintContext
  readonly services: ReadonlyMap<string, KeyService>
  readonly faults: Listening['faults']
  /** Forgets what was spent. */
  readonly unspend: () => void
  readonly close: () => Promise<void>
}

/** A limiter in memory that can be begun anew. */
function createFreshLimiter(): { readonly limiter: Limiter; readonly unspend: () => void } {
  let limiter = createMemoryLimiter()
  return {
    limiter: { consume: (charges, now) => limiter.consume(charges, now) },
    unspend: () => {
      limiter = createMemoryLimiter()
    },
  }
}

function importsKeys({ authenticators }: Config, name: string): boolean {
  const authenticator = authenticators?.[name]
  return authenticator?.type === 'api_key' && authenticator.import !== undefined && authenticator.import !== ''
}

/** Files of the table before those of the disk; the mode of what only a table holds is nobody's concern. */
const readingFrom = (files: ReadonlyMap<string, string>): ReadFile => (path) => {
  const text = files.get(path)
  return text === undefined ? readFromDisk(path) : { text, worldReadable: false }
}

/**
 * Compiles the config of a table. Its variables are those of the table alone, so that a table says the same on every machine.
 *
 * @param files  absolute paths
 * @throws {ConfigFileError} with every mistake of the config
 */
export async function openSubject(file: string, { env, now }: Pick<Table, 'env' | 'now'>, files: ReadonlyMap<string, string>): Promise<Subject> {
  const loaded = loadConfig({ file, env, readFile: readingFrom(files) })
  const clock = createTestClock(now ?? Date.now())
  const keys = createLocalKeys()
  const authorities = createAuthorities(clock.now)
  const listening = createListening()
  const resources = createOfflineResources({ clock: clock.now, keys, fetchJson: authorities.fetchJson, observer: listening.observer })
  const { limiter, unspend } = createFreshLimiter()
  const compiled = compileLoaded(loaded, { resources, options: { limiter } })
  const services = keyServicesOf(loaded.config, resources)
  await listening.imported([...services.keys()].filter((name) => importsKeys(loaded.config, name)).length)
  return { loaded, compiled, clock, facts: gatherFacts(loaded.config, compiled), mint: { keys, authorities }, services, faults: listening.faults, unspend, close: resources.closeAll }
}
