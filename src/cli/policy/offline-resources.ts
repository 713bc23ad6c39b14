import type { FetchJson } from '../../authenticators/side-call.ts'
import type { Clock } from '../../base/time.ts'
import { createResources, type Resource, type Resources } from '../../config/resources.ts'
import { createMemoryStore } from '../../keys/memory-store.ts'
import { createStorePulse } from '../../keys/store-pulse.ts'
import type { Observer } from '../../model/event.ts'
import type { LocalKeys } from './local-keys.ts'

export interface OfflineOptions {
  readonly clock: Clock
  readonly keys: LocalKeys
  /** Stands for every authority that would be asked about a credential. */
  readonly fetchJson: FetchJson
  readonly observer: Observer
}

/**
 * What `compile` builds with when nothing may leave the process: key sets, stores and authorities are ours, everything that judges is
 * what serves. What is replaced is chosen by the kind under which `compile` keeps it.
 */
export function createOfflineResources({ clock, keys, fetchJson, observer }: OfflineOptions): Resources {
  const resources = createResources({ clock, observer })
  const instead: Readonly<Record<string, () => object>> = {
    key_source: () => keys.source('local'),
    key_file: () => keys.source('local'),
    key_store: () => createStorePulse({ store: createMemoryStore(), clock }),
  }
  return {
    ...resources,
    fetchJson,
    keep: <T extends object>(kind: string, key: string, make: () => T & Resource): T => {
      const replaced = instead[kind]
      // Each kind is asked for one type only, which its replacement has; a test compiles every kind.
      return resources.keep(kind, key, replaced ? () => replaced() as T & Resource : make)
    },
  }
}
