import type { KeyStore } from '../keys/key-store.ts'
import { openStoreToLook } from '../keys/looking-store.ts'
import { openKeyStore } from '../keys/open-store.ts'
import type { StoreLocation } from '../keys/store-location.ts'
import { createStorePulse, type StorePulse } from '../keys/store-pulse.ts'
import { locationKey } from './compile-store-location.ts'
import type { Resource, Resources } from './resources.ts'

/** An open store, and whether it answers. */
export interface OpenStore extends StorePulse, Resource {}

/** Kept across reloads. Asked for at every compile, or it would be swept. */
export function openStoreAt(location: StoreLocation, resources: Resources): OpenStore {
  return resources.keep('key_store', locationKey(location), () => {
    const store = (resources.looking ? openStoreToLook : openKeyStore)(location)
    return { ...createStorePulse({ store, clock: resources.clock }), close: () => store.close() }
  })
}

/** The store at a location, shared by all that name it. @throws {KeyStoreUnavailable} when it is a file that cannot be opened */
export const storeAt = (location: StoreLocation, resources: Resources): KeyStore => openStoreAt(location, resources).store
