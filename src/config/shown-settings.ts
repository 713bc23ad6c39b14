import { basename } from 'node:path'
import type { LoadedConfig } from './load.ts'
import { pathText, type ConfigPath } from './mistake.ts'
import type { Origin } from './places.ts'
import { isSecretSetting } from './secret-settings.ts'

/** One value of a config as it may be shown, and where it comes from. */
export interface ShownSetting {
  readonly path: string
  readonly value: string
  /** `postern.yaml:12, ${NAME}`, `environment NAME`, or `default`. */
  readonly origin: string
}

type Leaf = readonly [path: ConfigPath, value: unknown]

/** Every value that is not a map or a list, with its path. */
function leavesOf(value: unknown, path: ConfigPath): readonly Leaf[] {
  if (Array.isArray(value)) return value.length === 0 ? [[path, '[]']] : value.flatMap((item: unknown, index) => leavesOf(item, [...path, index]))
  if (typeof value === 'object' && value !== null) return Object.entries(value).flatMap(([key, item]: [string, unknown]) => (item === undefined ? [] : leavesOf(item, [...path, key])))
  return [[path, value]]
}

/** A value and everything around it, from the outside: one text in the file may have become a map or a list. */
const around = (path: ConfigPath): readonly ConfigPath[] => path.map((_segment, index) => path.slice(0, index + 1))

/** Paths of maps and lists that are written as such. What else is around a value was written as one text, such as `100/minute`. */
const openedBy = ({ originOf: of }: LoadedConfig, leaves: readonly Leaf[]): ReadonlySet<string> =>
  new Set(leaves.flatMap(([path]) => around(path)).filter((path) => of(path).kind !== 'default').flatMap((path) => around(path).slice(0, -1).map(pathText)))

/** Of the value, of the reference that it was a part of, or of the text that it was a part of. */
function originOf({ originOf: of }: LoadedConfig, path: ConfigPath, opened: ReadonlySet<string>): Origin {
  const paths = around(path)
  const referred = paths.map(of).findLast((each) => each.kind === 'variable' || (each.kind === 'file' && each.reference !== undefined))
  const written = paths.findLast((each) => of(each).kind !== 'default')
  return referred ?? (written && !opened.has(pathText(written)) ? of(written) : of(path))
}

function originText(origin: Origin, file: string): string {
  if (origin.kind === 'default') return 'default'
  if (origin.kind === 'variable') return `environment ${origin.name}`
  return `${file}${origin.line > 0 ? `:${origin.line}` : ''}${origin.reference === undefined ? '' : `, ${origin.reference}`}`
}

/** Names that people give to secrets, whatever the setting that they were put at by mistake. */
const SECRET_NAME = /SECRET|TOKEN|PASS|PWD|PEPPER|CRED|PRIVATE|SALT|DSN|API_?KEY/i

/** What came from a file of its own, or from a variable that is called like a secret. */
function isSecretOrigin(origin: Origin): boolean {
  if (origin.kind === 'variable') return origin.name.endsWith('_FILE') || SECRET_NAME.test(origin.name.replace(/^POSTERN_/, ''))
  return origin.kind === 'file' && origin.reference !== undefined && (/\$\{(?:file|cred):/.test(origin.reference) || SECRET_NAME.test(origin.reference))
}

const HIDDEN = '(hidden)'

/** A URL without who is meant to read it: user and password, and a query, may be credentials. */
const withoutCredentials = (value: string): string => (/^[a-z][a-z0-9+.-]*:\/\//i.test(value) ? value.replace(/:\/\/[^/?#]*@/, `://${HIDDEN}@`).replace(/\?[^#]*/, `?${HIDDEN}`) : value)

/** Shorter texts would be found by accident inside ordinary words. */
const SHORTEST = 6

/**
 * A config as it runs, for its operators: secrets are told from the rest by what the schema says they are, and by where they come from;
 * and nothing is shown that has a secret of another setting in it.
 */
export function shownSettings(loaded: LoadedConfig): readonly ShownSetting[] {
  const found = leavesOf(loaded.config, [])
  const opened = openedBy(loaded, found)
  const leaves = found.map(([path, value]) => ({ path, text: String(value), origin: originOf(loaded, path, opened) }))
  const isSecret = ({ path, origin }: (typeof leaves)[number]): boolean => isSecretSetting(path) || isSecretOrigin(origin)
  const secrets = [...new Set(leaves.filter(isSecret).map(({ text }) => text).filter(({ length }) => length >= SHORTEST))]
  return leaves.map((leaf) => {
    const { path, text, origin } = leaf
    const hidden = isSecret(leaf) || secrets.some((secret) => text.includes(secret))
    return { path: pathText(path), value: text === '' ? '(empty)' : hidden ? HIDDEN : withoutCredentials(text), origin: originText(origin, basename(loaded.file)) }
  })
}
