import type { FetchJson } from '../authenticators/side-call.ts'
import type { Clock, MaybePromise } from '../base/time.ts'
import type { Observer } from '../model/event.ts'

/** Something with a life longer than one config: a key set, a counter store, a cache, a pool. */
export interface Resource {
  readonly close?: () => MaybePromise<void>
}

/** What `compile` builds with. Things that are worth keeping across a reload are kept by the hash of what made them. */
export interface Resources {
  readonly clock: Clock
  readonly observer: Observer
  /** For commands that only look: nothing that outlives the process is made or written. */
  readonly looking: boolean
  /** How authorities are asked about credentials. Default: over the network. */
  readonly fetchJson?: FetchJson
  readonly keep: <T extends object>(kind: string, key: string, make: () => T & Resource) => T
  /** Starts a generation, whose number it gives: everything kept from now on is marked as used. */
  readonly begin: () => number
  /** Closes what neither this generation nor a later one asked for. Called after the swap, when the old gateway has drained. */
  readonly sweep: (generation: number) => Promise<void>
  readonly closeAll: () => Promise<void>
}

interface Entry { readonly value: Resource; generation: number }

export function createResources({ clock, observer, looking = false }: { clock: Clock; observer: Observer; looking?: boolean }): Resources {
  const entries = new Map<string, Entry>()
  let generation = 0

  const closeWhere = async (unwanted: (entry: Entry) => boolean): Promise<void> => {
    const closing = [...entries].filter(([, entry]) => unwanted(entry))
    for (const [key] of closing) entries.delete(key)
    // The newest first, one after the other: what was made later may still write to what was made before.
    for (const [, entry] of closing.toReversed()) await entry.value.close?.()
  }

  return {
    clock,
    observer,
    looking,
    keep: <T extends object>(kind: string, key: string, make: () => T & Resource): T => {
      const name = `${kind}\0${key}`
      const known = entries.get(name)
      if (known) {
        known.generation = generation
        // Only `make` of the same kind and key ever filled this entry.
        return known.value as T & Resource
      }
      const value = make()
      entries.set(name, { value, generation })
      return value
    },
    begin: () => (generation += 1),
    sweep: (upTo) => closeWhere((entry) => entry.generation < upTo),
    closeAll: () => closeWhere(() => true),
  }
}
