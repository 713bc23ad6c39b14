import { pathText, type ConfigPath } from './mistake.ts'
import { valueAt } from './schema-walk.ts'

/** What a message must not repeat. */
export interface Hidden {
  /** The tree with references filled in, in the file's form. */
  readonly tree: unknown
  /** Path to how the value is written, of everything that came from a reference or a variable. */
  readonly written: ReadonlyMap<string, string>
  readonly paths: readonly ConfigPath[]
}

/** Shorter texts would be found by accident inside ordinary words. */
const SHORTEST = 6

const replaced = (message: string, texts: readonly string[], written: string): string =>
  texts.filter((text) => text !== '').toSorted((a, b) => b.length - a.length).reduce((result, text) => result.replaceAll(text, () => written).replaceAll(JSON.stringify(text).slice(1, -1), () => written), message)

/**
 * Puts the reference back where a message repeats what it was filled with. Nobody knows which variable holds a secret, so no value that
 * came from one is shown; what came from a secret file is not shown anywhere, also in a message about something else.
 */
export function hideFilled(path: ConfigPath, message: string, { tree, written, paths }: Hidden): string {
  const own = paths.filter((other) => other.length <= path.length && other.every((segment, index) => segment === path[index]))
  const secret = paths.filter((other) => /\$\{(file|cred):/.test(written.get(pathText(other)) ?? ''))
  const withoutOwn = own.reduce((result, other) => replaced(result, partsOf(valueAt(tree, other)), written.get(pathText(other)) ?? ''), message)
  return secret.reduce((result, other) => replaced(result, partsOf(valueAt(tree, other)).filter(({ length }) => length >= SHORTEST), written.get(pathText(other)) ?? ''), withoutOwn)
}

/** A text, and its entries when it is read as a list. */
const partsOf = (value: unknown): readonly string[] => (typeof value === 'string' ? [value, ...value.split(',').map((part) => part.trim())] : [])
