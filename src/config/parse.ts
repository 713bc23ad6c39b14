import type { z } from 'zod'
import type { ConfigPath } from './mistake.ts'
import { configSchema, type Config } from './schema.ts'
import { isMap, memberOf } from './schema-walk.ts'

export interface Parsed {
  /** The config, or what is left of it when the parts at `pruned` are taken away; undefined when nothing useful is left. */
  readonly config?: Config
  readonly issues: readonly z.core.$ZodIssue[]
  readonly pruned: readonly ConfigPath[]
}

const MAX_ROUNDS = 50

/**
 * Holds a tree against the schema. When parts are wrong they are taken away and the rest is looked at again, so that mistakes of
 * meaning are found in the same run as mistakes of spelling. A config with issues is never used for more than that.
 */
export function parseTree(tree: unknown): Parsed {
  const first = configSchema.safeParse(tree)
  if (first.success) return { config: first.data, issues: [], pruned: [] }
  const pruned: ConfigPath[] = []
  let rest = tree
  let { issues } = first.error
  for (let round = 0; round < MAX_ROUNDS; round += 1) {
    for (const path of issues.flatMap(brokenPaths)) {
      const cut = prune(rest, path)
      if (!cut) continue
      rest = cut.tree
      pruned.push(cut.path)
    }
    const again = configSchema.safeParse(rest)
    if (again.success) return { config: again.data, issues: first.error.issues, pruned }
    issues = again.error.issues
  }
  return { issues: first.error.issues, pruned }
}

function brokenPaths(issue: z.core.$ZodIssue): readonly ConfigPath[] {
  // Keys come from YAML, so no segment is a symbol.
  const path = issue.path as ConfigPath
  return issue.code === 'unrecognized_keys' ? issue.keys.map((key) => [...path, key]) : [path]
}

/** A copy without the nearest map member at or above a path. List entries stay, since the others would change their index. */
function prune(tree: unknown, path: ConfigPath): { tree: unknown; path: ConfigPath } | undefined {
  for (let length = path.length; length > 0; length -= 1) {
    const holder = path.slice(0, length - 1).reduce<unknown>(memberOf, tree)
    const last = path[length - 1]
    if (isMap(holder) && typeof last === 'string' && Object.hasOwn(holder, last)) return { tree: without(tree, path.slice(0, length)), path: path.slice(0, length) }
  }
  return undefined
}

function without(tree: unknown, [segment, ...rest]: ConfigPath): unknown {
  if (Array.isArray(tree)) return tree.map((item, index) => (index === segment ? without(item, rest) : item))
  if (!isMap(tree) || segment === undefined) return tree
  return Object.fromEntries(Object.entries(tree).flatMap(([key, value]) => (key === segment ? (rest.length > 0 ? [[key, without(value, rest)]] : []) : [[key, value]])))
}
