import type { Compiled } from '../../config/compile.ts'
import { keyServicesOf } from '../../config/compile-managed-keys.ts'
import { loadConfig, type LoadedConfig } from '../../config/load.ts'
import { readFromDisk, type ReadFile } from '../../config/secrets.ts'
import type { KeyService } from '../../keys/key-service.ts'
import { createMemoryLimiter } from '../../limiters/memory.ts'
import type { Limiter } from '../../model/ports.ts'
import { compileLoaded } from '../load-config.ts'
import { createAuthorities } from './authorities.ts'
import { gatherFacts, type Facts } from './facts.ts'
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
export function openSubject(file: string, { env, now }: Pick<Table, 'env' | 'now'>, files: ReadonlyMap<string, string>): Subject {
  const loaded = loadConfig({ file, env, readFile: readingFrom(files) })
  const clock = createTestClock(now ?? Date.now())
  const keys = createLocalKeys()
  const authorities = createAuthorities(clock.now)
  const resources = createOfflineResources({ clock: clock.now, keys, fetchJson: authorities.fetchJson })
  const { limiter, unspend } = createFreshLimiter()
  const compiled = compileLoaded(loaded, { resources, options: { limiter } })
  return { loaded, compiled, clock, facts: gatherFacts(loaded.config, compiled), mint: { keys, authorities }, services: keyServicesOf(loaded.config, resources), unspend, close: resources.closeAll }
}
