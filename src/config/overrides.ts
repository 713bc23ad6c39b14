import { z } from 'zod'
import { suggestion } from './did-you-mean.ts'
import { pathText, type ConfigPath } from './mistake.ts'
import { configSchema } from './schema.ts'
import { alternativesOf, isMap, memberOf } from './schema-walk.ts'
import type { Secrets } from './secrets.ts'
import { SHORT_KINDS } from './short-form.ts'

/** Something to say about an environment variable. */
export interface VariableMistake {
  readonly variable: string
  readonly path: ConfigPath
  readonly message: string
}

export interface Overridden {
  readonly tree: unknown
  readonly mistakes: readonly VariableMistake[]
  readonly warnings: readonly VariableMistake[]
  /** Path in the file's form to the variable that gave its value. */
  readonly origins: ReadonlyMap<string, string>
  /** Those paths themselves. */
  readonly paths: readonly ConfigPath[]
}

const PREFIX = 'POSTERN_'

/** Variables of this prefix that are no config keys: read by the launcher and the CLI. */
const OTHER_VARIABLES = new Set(['POSTERN_CONFIG'])

/** What Kubernetes sets in every pod for a service called `postern` or `postern-…`. */
const SERVICE_LINK = /^POSTERN_(?:[A-Z0-9_]+_)?(?:SERVICE_HOST|SERVICE_PORT(?:_[A-Z0-9_]+)?|PORT_\d+_(?:TCP|UDP|SCTP)(?:_(?:PROTO|PORT|ADDR))?)$/

const isServiceLink = (name: string, value: string): boolean => /^(?:tcp|udp|sctp):\/\//.test(value) || SERVICE_LINK.test(name)

/** The config as variables may name it: the file's own form, with every kind of the short form. */
const overridable = z.strictObject({
  ...configSchema.shape,
  auth: z.array(z.strictObject(Object.fromEntries(Object.entries(SHORT_KINDS).map(([kind, { schema }]) => [kind, z.strictObject({ ...schema.shape, name: z.string(), header: z.string(), cookie: z.string() }).optional()])))),
})

/**
 * Overrides by path: `POSTERN_LISTEN`, `POSTERN_RATE_LIMIT_0_LIMIT`, and the same with `_FILE` for a file that holds the value. A variable
 * wins over the file. Text only: lists are comma-separated, maps are named key by key.
 */
export function applyOverrides({ tree, env, secrets }: { tree: unknown; env: NodeJS.ProcessEnv; secrets: Secrets }): Overridden {
  const mistakes: VariableMistake[] = []
  const warnings: VariableMistake[] = []
  const origins = new Map<string, string>()
  const links: string[] = []
  const paths: ConfigPath[] = []
  const names = Object.keys(env).filter((name) => name.startsWith(PREFIX) && !OTHER_VARIABLES.has(name) && env[name] !== undefined)
  let result = tree
  for (const variable of names.toSorted()) {
    const value = env[variable] ?? ''
    const found = isServiceLink(variable, value) ? 'link' : pathOf(variable, tree)
    if (found === 'link') links.push(variable)
    else if (!found) warnings.push({ variable, path: [], message: `no config key is called so; ignored.${suggestion(variable, knownVariables(tree))}` })
    else {
      const key = pathText(found.path)
      const read = found.fromFile ? secrets.readSecret(value) : { text: value }
      const other = origins.get(key)
      if (other !== undefined) mistakes.push({ variable, path: found.path, message: `${other} is set as well; set one of the two` })
      else if ('problem' in read) mistakes.push({ variable, path: found.path, message: read.problem })
      else {
        if ('warning' in read && read.warning) warnings.push({ variable, path: found.path, message: read.warning })
        const changed = withValue(result, found.path, read.text)
        if (changed.blocked) mistakes.push({ variable, path: found.path, message: `cannot be set: ${changed.blocked}` })
        else result = changed.tree
      }
      origins.set(key, variable)
      paths.push(found.path)
    }
  }
  if (links.length > 0) warnings.push({ variable: links[0] ?? '', path: [], message: `${links.length === 1 ? 'looks' : `and ${links.length - 1} more look`} like a Kubernetes service link and ${links.length === 1 ? 'is' : 'are'} ignored; set enableServiceLinks: false in the pod` })
  return { tree: result, mistakes, warnings, origins, paths }
}

interface Target { readonly path: ConfigPath; readonly fromFile: boolean }

/** Which key a variable means. A key that itself ends in `_file` comes first. */
function pathOf(variable: string, tree: unknown): Target | undefined {
  const find = (name: string): ConfigPath | undefined => pathsFor(name.slice(PREFIX.length).split('_'), alternativesOf(overridable), tree)[0]
  const path = find(variable)
  if (path) return { path, fromFile: false }
  const base = variable.endsWith('_FILE') ? find(variable.slice(0, -5)) : undefined
  return base && { path: base, fromFile: true }
}

/** Every path that the words can spell and that ends at something written as text. */
function pathsFor(words: readonly string[], schemas: readonly z.core.$ZodType[], value: unknown): readonly ConfigPath[] {
  if (words.length === 0) return schemas.some(takesText) ? [[]] : []
  const behind = (segment: string | number, used: number, next: readonly z.core.$ZodType[]): readonly ConfigPath[] =>
    pathsFor(words.slice(used), next, memberOf(value, segment)).map((path) => [segment, ...path])
  return schemas.flatMap((schema) => {
    if (schema instanceof z.ZodObject) return Object.entries(schema.shape).flatMap(([key, inner]) => (spells(words, key) ? behind(key, wordsOf(key).length, alternativesOf(inner as z.core.$ZodType)) : []))
    if (schema instanceof z.ZodArray) return /^\d{1,3}$/.test(words[0] ?? '') ? behind(Number(words[0]), 1, alternativesOf(schema.element)) : []
    if (!(schema instanceof z.ZodRecord) || words[0] === '') return []
    const existing = isMap(value) ? Object.keys(value).filter((key) => spells(words, key)) : []
    return [...existing, ...(existing.length === 0 ? [String(words[0]).toLowerCase()] : [])].flatMap((key) => behind(key, wordsOf(key).length, alternativesOf(schema.valueType)))
  })
}

const wordsOf = (key: string): readonly string[] => key.toUpperCase().split(/[^A-Z0-9]/)

const spells = (words: readonly string[], key: string): boolean => wordsOf(key).every((word, index) => words[index] === word)

const takesText = (schema: z.core.$ZodType): boolean =>
  schema instanceof z.ZodString || schema instanceof z.ZodEnum || (schema instanceof z.ZodLiteral && [...schema.values].some((value) => typeof value === 'string'))

/** Names for suggestions: every key of the first level, and of the second where that is a map of fixed keys. */
function knownVariables(tree: unknown): readonly string[] {
  const name = (...keys: readonly string[]): string => `${PREFIX}${keys.flatMap(wordsOf).join('_')}`
  const first = Object.entries(overridable.shape)
  const second = first.flatMap(([key, schema]) => alternativesOf(schema).flatMap((inner) => (inner instanceof z.ZodObject ? Object.keys(inner.shape).map((member) => name(key, member)) : [])))
  return [...first.map(([key]) => name(key)), ...second].filter((variable) => pathOf(variable, tree) !== undefined)
}

/** A copy of the tree with one value set; maps and lists on the way are made. */
function withValue(tree: unknown, path: ConfigPath, text: string): { tree: unknown; blocked?: string } {
  const [segment, ...rest] = path
  if (segment === undefined) return { tree: text }
  if (tree !== undefined && tree !== null && typeof tree !== 'object') return { tree, blocked: 'the file gives a single value where this variable needs a map' }
  const inner = withValue(memberOf(tree, segment), rest, text)
  if (inner.blocked) return inner
  if (typeof segment === 'string') return Array.isArray(tree) ? { tree, blocked: 'the file has a list there' } : { tree: { ...(isMap(tree) ? tree : {}), [segment]: inner.tree } }
  const list: readonly unknown[] = Array.isArray(tree) ? tree : []
  if (isMap(tree) || segment > list.length) return { tree, blocked: isMap(tree) ? 'the file has a map there' : `the list has ${list.length} entries, so the next is ${list.length}` }
  return { tree: [...list.slice(0, segment), inner.tree, ...list.slice(segment + 1)] }
}
