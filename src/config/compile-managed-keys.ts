import { readFileSync } from 'node:fs'
import { sha256Hex } from '../base/bytes.ts'
import type { Clock } from '../base/time.ts'
import type { AdministeredEvent, Observer } from '../model/event.ts'
import { createBcryptVerifier } from '../keys/bcrypt-verifier.ts'
import { exportLines } from '../keys/export-lines.ts'
import { importFile } from '../keys/import-file.ts'
import { ImportError, parseRows, type ImportReport } from '../keys/import-json.ts'
import { createImportWatch, type ImportWatch } from '../keys/import-watch.ts'
import { createImportedKeys } from '../keys/imported-keys.ts'
import { createKeyCensus, type KeyCounts } from '../keys/key-census.ts'
import { createKeyHasher, type KeyHasher } from '../keys/key-digest.ts'
import { createKeyLookup, type KeyLookup } from '../keys/key-lookup.ts'
import { createKeyService, type KeyAct, type KeyService } from '../keys/key-service.ts'
import { KeyStoreUnavailable, type KeyStore } from '../keys/key-store.ts'
import { createLastUses } from '../keys/last-uses.ts'
import { isAbsentStore, openStoreToLook } from '../keys/looking-store.ts'
import { openKeyStore } from '../keys/open-store.ts'
import { allManagedKeySettings, managedKeySettings, otherPrefix, type Complaints, type ManagedKeySettings } from './managed-key-settings.ts'
import type { Resource, Resources } from './resources.ts'
import { storeAt } from './store-at.ts'
import type { Config } from './schema.ts'

/** The acts on the keys of one store, without looking any up: what a command needs. */
export interface KeyDesk {
  readonly service: KeyService
  /** @throws {ImportError} when the file is neither a list of rows nor an export; with what reading says */
  readonly importFile: (path: string) => Promise<ImportReport>
  /** The whole store as JSON lines: digests, no keys. */
  readonly exportLines: () => AsyncIterable<string>
  readonly close: () => Promise<void>
}

/** The same, with what an authenticator needs. */
export interface ManagedKeys extends KeyDesk, Resource {
  readonly lookup: KeyLookup
  /** Keys of each state, once they have been counted. */
  readonly counts: () => KeyCounts | undefined
  readonly close: () => Promise<void>
}

const FLUSH_MS = 10_000
const IMPORT_MS = 1_000

interface DeskOptions {
  readonly clock: Clock
  readonly onAct: (act: KeyAct) => void
  readonly busyTimeoutMs: number
  /** Only acts that read will be asked for: nothing is made or written. */
  readonly looking?: boolean
}

function deskOn(store: KeyStore, settings: ManagedKeySettings, { clock, onAct }: Pick<DeskOptions, 'clock' | 'onAct'>): KeyDesk {
  const hasher = createKeyHasher({ pepper: settings.pepper, previous: settings.previousPeppers })
  return {
    service: createKeyService({ store, hasher, prefix: settings.prefix, environment: settings.environment, prefixOf: (wanted) => otherPrefix(settings, wanted), tiers: settings.tiers, clock, onAct }),
    importFile: (path) => importFile(path, { store, hasher, clock }),
    exportLines: () => exportLines(store),
    close: async () => store.close(),
  }
}

/** @throws {KeyStoreUnavailable} when the store cannot be opened */
export const openKeyDesk = (settings: ManagedKeySettings, options: DeskOptions): KeyDesk =>
  deskOn((options.looking === true ? openStoreToLook : openKeyStore)(settings.location, { busyTimeoutMs: options.busyTimeoutMs }), settings, options)

/** An act on a key as the audit log has it. */
export const keyAct = ({ act, actor, at, keyId, owner, newKeyId }: KeyAct, authenticatorId: string): AdministeredEvent =>
  ({ act: `key_${act}`, actor, at, target: keyId, details: { owner, authenticator: authenticatorId, new_key_id: newKeyId } })

/** Tells the audit log of an act on a key. */
export const tellAct = (observer: Observer, authenticatorId: string) => (act: KeyAct): void =>
  observer.administered
    ? observer.administered(keyAct(act, authenticatorId))
    : observer.noticed('info', `key_${act.act}`, `${act.actor} ${act.act} a key`, { key_id: act.keyId, owner: act.owner, new_key_id: act.newKeyId })

/** Brings in the file of an older system, and what is added to it. Who only looks does so where nobody else sees it: then an answer is the one that a start would give. */
function importing(store: KeyStore, { importPath, location }: ManagedKeySettings, hasher: KeyHasher, { clock, observer, looking }: Resources): ImportWatch | undefined {
  if (importPath === undefined || (looking && !isAbsentStore(location))) return undefined
  const watch = createImportWatch({ path: importPath, into: { store, hasher, clock }, everyMs: IMPORT_MS, observer })
  void watch.refresh()
  return watch
}

function open(store: KeyStore, settings: ManagedKeySettings, resources: Resources): ManagedKeys {
  const { clock, observer } = resources
  const hasher = createKeyHasher({ pepper: settings.pepper, previous: settings.previousPeppers })
  const desk = deskOn(store, settings, { clock, onAct: tellAct(observer, settings.name) })
  // Keys that must have a checksum were all made here, so there are no imported ones to compare with.
  const verifier = settings.checksum === 'none' ? createBcryptVerifier() : undefined
  const imported = verifier && createImportedKeys({ store, verifier, observer })
  const lookup = createKeyLookup({ store, hasher, checksum: settings.checksum, imported, observer, lastUses: createLastUses({ store, everyMs: FLUSH_MS, observer }) })
  const watch = importing(store, settings, hasher, resources)
  const census = createKeyCensus({ store, clock, observer })
  return {
    ...desk,
    lookup,
    counts: census.counts,
    close: async () => {
      watch?.close()
      census.close()
      verifier?.close()
      await lookup.close()
    },
  }
}

/** At start, a file that is there must be one: a truncated one would look as if nobody had a key (T48). It may be missing, and come later. */
function importMistake(path: string | undefined): string | undefined {
  if (path === undefined) return undefined
  try {
    parseRows(readFileSync(path, 'utf8'))
    return undefined
  } catch (error) {
    if (error instanceof ImportError) return `this file ${error.message}`
    return error instanceof Error && 'code' in error && error.code === 'ENOENT' ? undefined : 'this file cannot be read'
  }
}

/** Names what was made without holding a secret: peppers by their digest. */
const identityOf = ({ pepper, previousPeppers, ...rest }: ManagedKeySettings): string => sha256Hex(JSON.stringify({ ...rest, peppers: [pepper, ...previousPeppers].map(sha256Hex) }))

/** @throws {KeyStoreUnavailable} when the store cannot be opened */
function kept(settings: ManagedKeySettings, resources: Resources): ManagedKeys {
  const store = storeAt(settings.location, resources)
  return resources.keep('managed_keys', identityOf(settings), () => open(store, settings, resources))
}

/** Opens the store of one authenticator and keeps it across reloads while its settings stay the same; undefined when it has none. */
export function compileManagedKeys({ name, config, resources, ...complaints }: { readonly name: string; readonly config: Config; readonly resources: Resources } & Complaints): ManagedKeys | undefined {
  const settings = managedKeySettings(name, config, complaints)
  if (!settings) return undefined
  const unusable = importMistake(settings.importPath)
  if (unusable !== undefined) complaints.mistakes.push({ path: ['authenticators', name, 'import'], message: unusable })
  try {
    return kept(settings, resources)
  } catch (error) {
    if (!(error instanceof KeyStoreUnavailable)) throw error
    complaints.mistakes.push({ path: ['authenticators', name, 'store'], message: error.message })
    return undefined
  }
}

/** The acts on the keys of every store of a compiled config, by authenticator: what the admin face offers. Opens nothing that `compile` has not. */
export function keyServicesOf(config: Config, resources: Resources): ReadonlyMap<string, KeyService> {
  const all = allManagedKeySettings(config, { mistakes: [], warnings: [] })
  return new Map(all.map((settings) => [settings.name, kept(settings, resources).service]))
}

/** Keys of each state, by authenticator, for metrics. */
export function keyCountsOf(config: Config, resources: Resources): ReadonlyMap<string, KeyCounts> {
  const all = allManagedKeySettings(config, { mistakes: [], warnings: [] })
  return new Map(all.flatMap((settings) => {
    const counts = kept(settings, resources).counts()
    return counts ? [[settings.name, counts] as const] : []
  }))
}
