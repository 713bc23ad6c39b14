import { existsSync, readFileSync } from 'node:fs'
import { ImportError, importRows } from '../keys/import-json.ts'
import { createKeyHasher } from '../keys/key-digest.ts'
import { KeyStoreUnavailable, type KeyStore } from '../keys/key-store.ts'
import { isAbsentStore, openStoreToLook } from '../keys/looking-store.ts'
import { allManagedKeySettings, type ManagedKeySettings } from './managed-key-settings.ts'
import type { Config } from './schema.ts'

/** What a start would do to one key store on this machine. */
export interface StoreOutlook {
  readonly authenticator: string
  /** Path of the file. */
  readonly store: string
  readonly exists: boolean
  /** The file of keys to import, where there is one. */
  readonly from?: string
  /** Keys of it that are not in the store yet; undefined: the file does not exist, or cannot be read. */
  readonly wouldImport?: number
}

/** Counts what an import would add, without adding it. */
async function countNew(text: string, store: KeyStore, { pepper, previousPeppers }: ManagedKeySettings): Promise<number> {
  const pretending: KeyStore = { ...store, commit: () => 'committed' }
  const hasher = createKeyHasher({ pepper, previous: previousPeppers })
  return (await importRows(text, { store: pretending, hasher, clock: Date.now })).added
}

async function wouldImport(settings: ManagedKeySettings, file: string): Promise<number | undefined> {
  if (!existsSync(file)) return undefined
  try {
    const store = openStoreToLook(settings.location)
    try {
      return await countNew(readFileSync(file, 'utf8'), store, settings)
    } finally {
      await store.close()
    }
  } catch (error) {
    if (error instanceof ImportError || error instanceof KeyStoreUnavailable || (error instanceof Error && 'code' in error)) return undefined
    throw error
  }
}

/** Every key store in a file that a config names. Stores on the network are not asked. */
export async function storeOutlooks(config: Config): Promise<readonly StoreOutlook[]> {
  const all = allManagedKeySettings(config, { mistakes: [], warnings: [] })
  const local = all.flatMap((settings) => (settings.location.kind === 'sqlite' ? [{ settings, path: settings.location.path }] : []))
  return Promise.all(local.map(async ({ settings, path }) => {
    const { name, location, importPath: from } = settings
    const count = from === undefined ? undefined : await wouldImport(settings, from)
    return { authenticator: name, store: path, exists: !isAbsentStore(location), ...(from !== undefined && { from }), ...(count !== undefined && { wouldImport: count }) }
  }))
}

/** `keys.db will be created; 2 keys would be imported from api-keys.json` */
export function outlookText({ store, exists, from, wouldImport: count }: StoreOutlook): string {
  const imported = count === undefined ? `${from ?? ''} does not exist yet, so nothing would be imported` : `${count} ${count === 1 ? 'key' : 'keys'} would be imported from ${from ?? ''}`
  return [`${store}${exists ? '' : ' will be created'}`, ...(from === undefined ? [] : [imported])].join('; ')
}
