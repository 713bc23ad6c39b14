import { KeyActRefused } from '../../keys/key-request.ts'

/** Members that a body or a query may have, and of what sort. */
export type MemberSorts = Readonly<Record<string, 'text' | 'list' | 'flag'>>

/** Checked members; absent ones stay absent. */
export interface Members {
  readonly text: (name: string) => string | undefined
  readonly list: (name: string) => readonly string[] | undefined
  readonly flag: (name: string) => boolean | undefined
}

const refuse = (message: string): never => {
  throw new KeyActRefused('request_invalid', message)
}

const isTexts = (value: unknown): value is readonly string[] => Array.isArray(value) && value.every((entry) => typeof entry === 'string')

/** A list may also be one comma-separated text, as on the command line. */
function listIn(name: string, value: unknown): readonly string[] {
  if (typeof value === 'string') return value.split(',').map((entry) => entry.trim()).filter((entry) => entry !== '')
  return isTexts(value) ? value : refuse(`${name} – expected a list of texts`)
}

/**
 * Reads an object strictly: a misspelled `expires` must not make a key that lives for ever.
 *
 * @throws {KeyActRefused} `request_invalid` for anything but an object, for unknown members and for values of another sort
 */
export function readMembers(value: unknown, sorts: MemberSorts): Members {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return refuse('expected a JSON object')
  const texts = new Map<string, string>()
  const lists = new Map<string, readonly string[]>()
  const flags = new Map<string, boolean>()
  for (const [name, member] of Object.entries(value)) {
    const sort = Object.hasOwn(sorts, name) ? sorts[name] : undefined
    if (sort === undefined) return refuse(`unknown member ${JSON.stringify(name.slice(0, 64))}; there are ${Object.keys(sorts).join(', ') || 'none'}`)
    if (member === null) continue
    if (sort === 'list') lists.set(name, listIn(name, member))
    else if (sort === 'flag') flags.set(name, typeof member === 'boolean' ? member : refuse(`${name} – expected true or false`))
    else texts.set(name, typeof member === 'string' ? member : refuse(`${name} – expected text`))
  }
  return { text: (name) => texts.get(name), list: (name) => lists.get(name), flag: (name) => flags.get(name) }
}

/** The members of a query, each at most once. @throws {KeyActRefused} as {@link readMembers} */
export function readQuery(url: string, names: readonly string[]): Members {
  const entries = [...new URL(url).searchParams]
  if (new Set(entries.map(([name]) => name)).size !== entries.length) return refuse('a query parameter stands twice')
  return readMembers(Object.fromEntries(entries), Object.fromEntries(names.map((name) => [name, 'text'])))
}
