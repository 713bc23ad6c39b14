import { pathText, type ConfigPath } from './mistake.ts'
import { isSecretPath } from './secret-keys.ts'
import { valueAt } from './schema-walk.ts'

/** What a message must not repeat. */
export interface Hidden {
  /** The tree with references filled in, in the file's form. */
  readonly tree: unknown
  /** Path to how the value is written, of everything that came from a reference or a variable. */
  readonly written: ReadonlyMap<string, string>
  readonly paths: readonly ConfigPath[]
}

const FROM_FILE = /\$\{(file|cred):|_FILE$/

/** Names under which people keep secrets, whatever the key that they were put at by mistake. */
const SECRET_NAME = /SECRET|TOKEN|KEY|PASS|PWD|PEPPER|CRED|PRIVATE|SALT|AUTH|DSN/i

/** User and password, or a query, of a URL. */
const SECRET_URL = /:\/\/[^/]*@|:\/\/.*\?/

/**
 * Of the paths whose values came from a reference or a variable, those whose values must not be repeated: the key is a secret one, the
 * value came from a secret file, its variable is called like a secret, or it holds a value that must not be repeated elsewhere. An operator
 * who is told only the name of a variable cannot see what is wrong with a port.
 */
export function hiddenPaths({ tree, written, paths }: Hidden): readonly ConfigPath[] {
  const textOf = (path: ConfigPath): string => String(valueAt(tree, path) ?? '')
  const reference = (path: ConfigPath): string => written.get(pathText(path)) ?? ''
  const secret = paths.filter((path) => isSecretPath(path) || FROM_FILE.test(reference(path)) || SECRET_NAME.test(reference(path).replace(/^POSTERN_/, '')) || SECRET_URL.test(textOf(path)))
  const values = secret.map(textOf).filter((value) => value !== '')
  return paths.filter((path) => secret.includes(path) || values.some((value) => textOf(path).includes(value)))
}

/** Shorter texts would be found by accident inside ordinary words. */
const SHORTEST = 6

const replaced = (message: string, texts: readonly string[], written: string): string =>
  texts.filter((text) => text !== '').toSorted((a, b) => b.length - a.length).reduce((result, text) => result.replaceAll(text, () => written).replaceAll(JSON.stringify(text).slice(1, -1), () => written), message)

/**
 * Puts the reference back where a message repeats what one of the hidden paths was filled with; what came from a secret file is not
 * shown anywhere, also in a message about something else.
 */
export function hideFilled(path: ConfigPath, message: string, { tree, written, paths }: Hidden): string {
  const own = paths.filter((other) => other.length <= path.length && other.every((segment, index) => segment === path[index]))
  const secret = paths.filter((other) => /\$\{(file|cred):/.test(written.get(pathText(other)) ?? ''))
  const withoutOwn = own.reduce((result, other) => replaced(result, partsOf(valueAt(tree, other)), written.get(pathText(other)) ?? ''), message)
  return secret.reduce((result, other) => replaced(result, partsOf(valueAt(tree, other)).filter(({ length }) => length >= SHORTEST), written.get(pathText(other)) ?? ''), withoutOwn)
}

/** A text, and its entries when it is read as a list. */
const partsOf = (value: unknown): readonly string[] => (typeof value === 'string' ? [value, ...value.split(',').map((part) => part.trim())] : [])
