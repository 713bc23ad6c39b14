import type { StoreLocation } from '../keys/store-location.ts'
import type { PulseState } from '../keys/store-pulse.ts'
import { denyListLocation } from './compile-deny-list.ts'
import { locationKey } from './compile-store-location.ts'
import { allManagedKeySettings } from './managed-key-settings.ts'
import type { Resources } from './resources.ts'
import type { Config } from './schema.ts'
import { openStoreAt } from './store-at.ts'

/** Whether one store of keys or denials answers, under the name of its check. */
export interface KeyStoreReport {
  readonly name: string
  readonly state: () => PulseState
  /** Resolves when it was asked once. */
  readonly tried: () => Promise<void>
}

/** `key_store` where there is one; else each has the name of the first authenticator that keeps keys in it. */
export function keyStoreReports(config: Config, resources: Resources): readonly KeyStoreReport[] {
  const denials = denyListLocation(config, [])
  const named: (readonly [string, StoreLocation])[] = [
    ...allManagedKeySettings(config, { mistakes: [], warnings: [] }).map(({ name, location }) => [`key_store_${name}`, location] as const),
    ...(denials ? [['deny_list_store', denials] as const] : []),
  ]
  const first = new Map(named.toReversed().map(([name, location]) => [locationKey(location), { name, location }]))
  const stores = [...first.values()].toReversed()
  return stores.map(({ name, location }) => {
    const { state, tried } = openStoreAt(location, resources)
    return { name: stores.length === 1 ? 'key_store' : name, state, tried }
  })
}
