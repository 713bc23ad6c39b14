import { pathText, type ConfigPath, type Mistake } from './mistake.ts'
import { isMap } from './schema-walk.ts'
import type { Secrets } from './secrets.ts'

export interface FilledTree {
  readonly tree: unknown
  readonly mistakes: readonly Mistake[]
  readonly warnings: readonly Mistake[]
  /** Path to the text as it stands in the file, of every scalar that holds a reference. */
  readonly written: ReadonlyMap<string, string>
  /** Those paths themselves. */
  readonly paths: readonly ConfigPath[]
}

/** Fills the references of every text in a tree. Text stays text: `${PORT}` is "8080", and the schema makes a number of it. */
export function fillReferences(tree: unknown, secrets: Secrets): FilledTree {
  const mistakes: Mistake[] = []
  const warnings: Mistake[] = []
  const written = new Map<string, string>()
  const paths: ConfigPath[] = []
  const fill = (value: unknown, path: ConfigPath): unknown => {
    if (Array.isArray(value)) return value.map((item, index) => fill(item, [...path, index]))
    if (isMap(value)) return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, fill(inner, [...path, key])]))
    if (typeof value !== 'string') return value
    const filled = secrets.fill(value)
    if (filled.referred) {
      written.set(pathText(path), value)
      paths.push(path)
    }
    mistakes.push(...filled.problems.map((message) => ({ path, message })))
    warnings.push(...filled.warnings.map((message) => ({ path, message })))
    return filled.text
  }
  return { tree: fill(tree, []), mistakes, warnings, written, paths }
}
