import { createDenyList, type DenyList } from '../keys/deny-list.ts'
import { createDenyService, type DenyAct, type DenyService } from '../keys/deny-service.ts'
import { KeyStoreUnavailable, type KeyStore } from '../keys/key-store.ts'
import type { StoreLocation } from '../keys/store-location.ts'
import { rfc3339 } from '../keys/scalars.ts'
import type { AdministeredEvent } from '../model/event.ts'
import { compileStoreLocation, locationKey, namesNoStore } from './compile-store-location.ts'
import type { Mistake } from './mistake.ts'
import type { Resources } from './resources.ts'
import { storeAt } from './store-at.ts'
import type { Config } from './schema.ts'

const AT = ['deny_list', 'store'] as const

/** Stores of managed keys that are on, each once. What is wrong with one is said where it stands. */
function keyStores({ authenticators }: Config): readonly StoreLocation[] {
  const all = Object.values(authenticators ?? {}).flatMap((each) => (each.type === 'api_key' ? (compileStoreLocation(each.store, [], []) ?? []) : []))
  return [...new Map(all.map((location) => [locationKey(location), location])).values()]
}

/** Where the deny list of a config lives; undefined when it has none, or when it is not clear where. */
export function denyListLocation(config: Config, mistakes: Mistake[]): StoreLocation | undefined {
  if (!config.deny_list) return undefined
  const { store } = config.deny_list
  if (!namesNoStore(store)) return compileStoreLocation(store, AT, mistakes)
  const [only, ...others] = keyStores(config)
  const message = only === undefined ? 'a deny list needs a store: name one, or give an authenticator of API keys one' : others.length > 0 ? 'several authenticators have a store; say which' : undefined
  if (message !== undefined) mistakes.push({ path: AT, message })
  return message === undefined ? only : undefined
}

function opened(location: StoreLocation, resources: Resources, mistakes: Mistake[]): KeyStore | undefined {
  try {
    return storeAt(location, resources)
  } catch (error) {
    if (!(error instanceof KeyStoreUnavailable)) throw error
    mistakes.push({ path: AT, message: error.message })
    return undefined
  }
}

/** What a command needs to write to the deny list of a config: where it is, and who may be named. */
export const compileDenyService = (config: Config, mistakes: Mistake[]): { readonly location: StoreLocation | undefined; readonly authenticators: readonly string[] } =>
  ({ location: denyListLocation(config, mistakes), authenticators: Object.keys(config.authenticators ?? {}) })

/** A write to the deny list as the audit log has it. */
export const denyAct = ({ actor, at, entry: { kind, value, authenticator, until, issuedBefore } }: DenyAct): AdministeredEvent => ({
  act: until > at ? 'proof_denied' : 'proof_allowed', actor, at, target: `${kind}:${value}`,
  details: { authenticator, until: rfc3339(until), issued_before: issuedBefore === undefined ? undefined : rfc3339(issuedBefore) },
})

/** The acts on the deny list of a compiled config, for the admin face; undefined when it has none. */
export function denyServiceOf(config: Config, resources: Resources): DenyService | undefined {
  const { location, authenticators } = compileDenyService(config, [])
  if (location === undefined) return undefined
  return createDenyService({ store: storeAt(location, resources), authenticators, clock: resources.clock, onAct: (act) => resources.observer.administered?.(denyAct(act)) })
}

/** The deny list of a config, kept across reloads, or undefined when it has none. */
export function compileDenyList(config: Config, resources: Resources, mistakes: Mistake[]): DenyList | undefined {
  const location = denyListLocation(config, mistakes)
  const store = location === undefined ? undefined : opened(location, resources, mistakes)
  if (location === undefined || !store) return undefined
  return resources.keep('deny_list', locationKey(location), () => createDenyList({ store, observer: resources.observer }))
}
