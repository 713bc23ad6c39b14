import { LRUCache } from 'lru-cache'
import type { EpochMs, MaybePromise } from '../base/time.ts'
import { stateOf, type KeyRecord } from './key-record.ts'
import type { KeyStore } from './key-store.ts'
import { settle } from './settle.ts'
import type { StoreWatch } from './store-watch.ts'

/**
 * Keys of open tunnels and answers: whether one is no longer good for anything. Each is read once per generation. What cannot be asked, or is
 * kept elsewhere, has not ended.
 */
export function createHeldKeys({ store, watch, maxEntries }: { readonly store: KeyStore; readonly watch: StoreWatch; readonly maxEntries: number }): (keyId: string, now: EpochMs) => MaybePromise<boolean> {
  const held = new LRUCache<string, { readonly record: KeyRecord; readonly generation: string | undefined }>({ max: maxEntries })

  const readAnew = (keyId: string, now: EpochMs, generation: string | undefined): MaybePromise<boolean> =>
    settle(() => store.byId(keyId), (record) => {
      if (record) held.set(keyId, { record, generation })
      return record !== undefined && stateOf(record, now) !== 'active'
    }, () => false)

  return (keyId, now) =>
    settle(() => watch.look(now), (sight) => {
      const generation = watch.generation()
      const seen = held.get(keyId)
      if (seen && (seen.generation === generation || sight.kind === 'lost')) return stateOf(seen.record, now) !== 'active'
      return sight.kind === 'lost' ? false : readAnew(keyId, now, generation)
    }, () => false)
}
