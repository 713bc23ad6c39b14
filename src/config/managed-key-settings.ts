import { MIN_PEPPER_LENGTH } from '../keys/key-digest.ts'
import { PREFIX_PATTERN } from '../keys/key-format.ts'
import type { StoreLocation } from '../keys/store-location.ts'
import { compileStoreLocation, namesNoStore } from './compile-store-location.ts'
import type { ConfigPath, Mistake } from './mistake.ts'
import type { AuthenticatorConfig, Config } from './schema.ts'

type ApiKeyConfig = Extract<AuthenticatorConfig, { type: 'api_key' }>

/** How one authenticator's managed keys are kept, every default resolved. */
export interface ManagedKeySettings {
  /** Name of the authenticator. */
  readonly name: string
  readonly location: StoreLocation
  readonly pepper: string
  /** Newest first. */
  readonly previousPeppers: readonly string[]
  /** Prefix of new keys, environment included. */
  readonly prefix: string
  /** Word at the end of `prefix` that names the environment, if there is one. */
  readonly environment: string | undefined
  /** What keys must begin with to be recognised; undefined: anything. */
  readonly recognised: readonly string[] | undefined
  readonly checksum: 'crc32' | 'none'
  readonly importPath: string | undefined
  /** Names of the config's tiers; empty: any. */
  readonly tiers: readonly string[]
}

export interface Complaints {
  readonly mistakes: Mistake[]
  readonly warnings: Mistake[]
}

const DEFAULT_PREFIX = 'ak_live'

/** What may stand in front of new keys: what the config says, or else what the authenticator recognises. */
function prefixOf({ issue, prefix }: ApiKeyConfig): string {
  const label = issue?.prefix ?? prefix?.[0]?.replace(/_+$/, '')
  if (label === undefined) return issue?.environment === undefined ? DEFAULT_PREFIX : `ak_${issue.environment}`
  return issue?.environment === undefined ? label : `${label}_${issue.environment}`
}

const environmentOf = ({ issue }: ApiKeyConfig, label: string): string | undefined => issue?.environment ?? /_(live|test)$/.exec(label)?.[1]

/** The prefix of keys of another environment, or undefined when nobody would recognise one. */
export function otherPrefix({ prefix, environment, recognised }: Pick<ManagedKeySettings, 'prefix' | 'environment' | 'recognised'>, wanted: string): string | undefined {
  if (environment === undefined) return undefined
  const label = `${prefix.slice(0, -environment.length)}${wanted}`
  return prefixMistake(label, recognised) === undefined ? label : undefined
}

function prefixMistake(label: string, recognised: readonly string[] | undefined): string | undefined {
  if (!PREFIX_PATTERN.test(label)) return `new keys cannot start with ${JSON.stringify(label)} – expected lower-case words joined by "_", such as "acme_live"`
  if (recognised && !recognised.some((each) => `${label}_`.startsWith(each))) return `new keys would start with "${label}_", which "prefix" of this authenticator does not recognise`
  return undefined
}

function pepperMistakes(config: ApiKeyConfig, path: ConfigPath): Mistake[] {
  const short = (pepper: string): boolean => pepper.length < MIN_PEPPER_LENGTH
  const message = `expected at least ${MIN_PEPPER_LENGTH} characters`
  return [
    ...(short(config.pepper ?? '') ? [{ path: [...path, 'pepper'], message }] : []),
    ...(config.previous_peppers ?? []).flatMap((pepper, index) => (pepper !== '' && short(pepper) ? [{ path: [...path, 'previous_peppers', index], message }] : [])),
  ]
}

/** The settings of an authenticator with a store; undefined when managed keys are off, or when something is wrong with them. */
export function managedKeySettings(name: string, config: Config, { mistakes, warnings }: Complaints): ManagedKeySettings | undefined {
  const authenticator = config.authenticators?.[name]
  if (authenticator?.type !== 'api_key') return undefined
  const { store, pepper = '', issue } = authenticator
  const path: ConfigPath = ['authenticators', name]
  if (namesNoStore(store) && pepper === '') {
    if (authenticator.import !== undefined && authenticator.import !== '') mistakes.push({ path: [...path, 'import'], message: 'keys to import, but no store to bring them into: set "store" and "pepper"' })
    else if (authenticator.store !== undefined || authenticator.pepper !== undefined) warnings.push({ path: [...path, 'store'], message: 'empty, and so is "pepper": this authenticator has no managed keys' })
    return undefined
  }
  const label = prefixOf(authenticator)
  const wrong: Mistake[] = []
  const location = compileStoreLocation(store, [...path, 'store'], wrong)
  const found: (Mistake | undefined)[] = [
    namesNoStore(store) ? { path: [...path, 'store'], message: 'a pepper without a store: say where the keys are kept' } : undefined,
    ...(pepper === '' ? [{ path: [...path, 'pepper'], message: 'a store without a pepper: set a secret of at least 16 characters that is kept outside the store' }] : pepperMistakes(authenticator, path)),
    asMistake([...path, ...(issue?.prefix === undefined && authenticator.prefix ? ['prefix'] : ['issue'])], prefixMistake(label, authenticator.prefix)),
  ]
  wrong.push(...found.filter((mistake) => mistake !== undefined))
  mistakes.push(...wrong)
  if (wrong.length > 0 || location === undefined) return undefined
  const importPath = authenticator.import === '' ? undefined : authenticator.import
  return {
    name, location, pepper, previousPeppers: (authenticator.previous_peppers ?? []).filter((each) => each !== ''), prefix: label, environment: environmentOf(authenticator, label), recognised: authenticator.prefix,
    checksum: issue?.checksum ?? (importPath === undefined ? 'crc32' : 'none'), importPath, tiers: Object.keys(config.tiers ?? {}),
  }
}

const asMistake = (path: ConfigPath, message: string | undefined): Mistake | undefined => (message === undefined ? undefined : { path, message })

/** Every authenticator of a config that keeps managed keys. */
export function allManagedKeySettings(config: Config, complaints: Complaints): readonly ManagedKeySettings[] {
  return Object.keys(config.authenticators ?? {}).map((name) => managedKeySettings(name, config, complaints)).filter((settings) => settings !== undefined)
}
