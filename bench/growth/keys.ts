import { type FilledStore, openFilled } from '../key-lookups.ts'
import type { Dimension } from './dimension.ts'

/** A store is filled once for all that is measured in it. */
export function keys(largest: number): { readonly dimensions: readonly Dimension[]; readonly close: () => Promise<void> } {
  const stores = new Map<number, Promise<FilledStore>>()
  const storeOf = (size: number): Promise<FilledStore> => {
    const known = stores.get(size) ?? openFilled(size)
    stores.set(size, known)
    return known
  }
  const dimension = (what: string, cost: (store: FilledStore) => Promise<number>): Dimension => ({
    name: `keys in SQLite, ${what}`,
    unit: 'CPU µs/lookup',
    sizes: [1_000, largest],
    prepare: async (size) => {
      const store = await storeOf(size)
      return { cost: () => cost(store) }
    },
  })
  return {
    dimensions: [
      dimension('remembered', ({ remembered }) => remembered()),
      dimension('not remembered', ({ fromStore }) => fromStore()),
      dimension('unknown', ({ unknown }) => unknown()),
    ],
    close: async () => void (await Promise.all([...stores.values()].map(async (store) => (await store).close()))),
  }
}
