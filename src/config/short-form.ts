import type { z } from 'zod'
import { suggestion } from './did-you-mean.ts'
import type { ConfigPath, Mistake } from './mistake.ts'
import { anonymousAuthenticator, apiKeyAuthenticator, jwtAuthenticator } from './schema-authenticators.ts'
import { introspectionAuthenticator, remoteAuthenticator, supabaseAuthenticator } from './schema-providers.ts'
import { sessionAuthenticator } from './schema-sessions.ts'
import { isMap } from './schema-walk.ts'

/** One kind of the short form, `- kind: {…}`. */
export interface ShortKind {
  /** `type` of the long form. */
  readonly type: string
  /** Its long form, for suggestions and for overrides from the environment. */
  readonly schema: z.ZodObject
  /** Rewrites keys that only the short form has. */
  readonly expand?: (body: Readonly<Record<string, unknown>>) => Expansion
}

interface Expansion {
  readonly body: Record<string, unknown>
  /** Where the rewritten keys come from: path in `body` to path in the file's map. */
  readonly moved: readonly (readonly [to: ConfigPath, from: ConfigPath])[]
  readonly mistakes: readonly { readonly path: ConfigPath; readonly message: string }[]
}

/** Keys that say where a credential stands without writing a list: `header: X-Api-Key` is `in: [{header: X-Api-Key}]`. */
const CARRIERS = ['bearer', 'header', 'cookie']

function carriersToIn(body: Readonly<Record<string, unknown>>): Expansion {
  const present = CARRIERS.filter((key) => Object.hasOwn(body, key))
  const [first] = present
  if (first === undefined) return { body: { ...body }, moved: [], mistakes: [] }
  if (Object.hasOwn(body, 'in')) return { body: { ...body }, moved: [], mistakes: [{ path: [first], message: `stands beside "in"; put it into that list as {${first}: …}` }] }
  const rest = Object.fromEntries(Object.entries(body).filter(([key]) => !present.includes(key)))
  return {
    body: { ...rest, in: present.map((key) => ({ [key]: body[key] })) },
    moved: [[['in'], [first]], ...present.flatMap((key, index): [ConfigPath, ConfigPath][] => [[['in', index], [key]], [['in', index, key], [key]]])],
    mistakes: [],
  }
}

/** Every kind of the short form. A new kind of authenticator adds a line. */
export const SHORT_KINDS: Readonly<Record<string, ShortKind>> = {
  jwt: { type: 'jwt', schema: jwtAuthenticator, expand: carriersToIn },
  api_keys: { type: 'api_key', schema: apiKeyAuthenticator, expand: carriersToIn },
  supabase: { type: 'supabase', schema: supabaseAuthenticator, expand: carriersToIn },
  introspection: { type: 'introspection', schema: introspectionAuthenticator, expand: carriersToIn },
  session: { type: 'session', schema: sessionAuthenticator },
  remote: { type: 'remote', schema: remoteAuthenticator, expand: carriersToIn },
  anonymous: { type: 'anonymous', schema: anonymousAuthenticator },
}

/** The long form of a tree. */
export interface Normalised {
  readonly tree: unknown
  readonly mistakes: readonly Mistake[]
  /** Where a path of the long form stands in the file. */
  readonly fileOf: (path: ConfigPath) => ConfigPath
}

interface Move { readonly to: ConfigPath; readonly from: ConfigPath }

interface Work { readonly moves: Move[]; readonly mistakes: Mistake[] }

/**
 * Writes out the short forms: `auth: [- jwt: {…}]` becomes named `authenticators`, `upstream` becomes `upstreams.default`. Done
 * before the schema looks, so that there is one long form behind it, and reversible by path, so that mistakes point at what was written.
 * Mistakes have paths of the file.
 */
export function writeOutShortForms(source: unknown): Normalised {
  const work: Work = { moves: [], mistakes: [] }
  if (!isMap(source)) return { tree: source, mistakes: [], fileOf: (path) => path }
  const tree = { ...source }
  writeOutUpstream(tree, work)
  writeOutAuth(tree, work)
  const longestFirst = work.moves.toSorted((a, b) => b.to.length - a.to.length)
  return {
    tree,
    mistakes: work.mistakes,
    fileOf: (path) => {
      const move = longestFirst.find(({ to }) => to.every((segment, index) => path[index] === segment))
      return move ? [...move.from, ...path.slice(move.to.length)] : path
    },
  }
}

function writeOutUpstream(tree: Record<string, unknown>, { moves, mistakes }: Work): void {
  const { upstream } = tree
  if (upstream === undefined || upstream === null) return
  if (tree['upstreams'] !== undefined) {
    mistakes.push({ path: ['upstream'], message: 'stands beside "upstreams"; the first of those is the default, so write it there', at: 'key' })
    return
  }
  const long = !isMap(upstream)
  tree['upstreams'] = { default: long ? { url: upstream } : upstream }
  moves.push({ to: ['upstreams'], from: ['upstream'] }, { to: ['upstreams', 'default'], from: ['upstream'] })
  if (long) moves.push({ to: ['upstreams', 'default', 'url'], from: ['upstream'] })
  delete tree['upstream']
}

function writeOutAuth(tree: Record<string, unknown>, work: Work): void {
  const { auth } = tree
  if (!Array.isArray(auth)) return
  if (tree['authenticators'] !== undefined) {
    work.mistakes.push({ path: ['auth'], message: 'stands beside "authenticators"; write one of the two', at: 'key' })
    return
  }
  const authenticators: Record<string, unknown> = {}
  for (const [index, item] of auth.entries()) writeOutItem(authenticators, item, ['auth', index], work)
  tree['authenticators'] = authenticators
  work.moves.push({ to: ['authenticators'], from: ['auth'] })
  delete tree['auth']
}

/** One `- kind: {…}`. */
function writeOutItem(authenticators: Record<string, unknown>, item: unknown, path: ConfigPath, { moves, mistakes }: Work): void {
  const [entry, ...more] = typeof item === 'string' ? [[item, {}] as const] : isMap(item) ? Object.entries(item) : []
  if (!entry || more.length > 0) {
    mistakes.push({ path, message: `expected one kind per entry, such as "- jwt: {issuer: …}". One of: ${Object.keys(SHORT_KINDS).join(', ')}` })
    return
  }
  const [word, value] = entry
  const kind = Object.hasOwn(SHORT_KINDS, word) ? SHORT_KINDS[word] : undefined
  const inner = typeof item === 'string' ? path : [...path, word]
  if (!kind) mistakes.push({ path: inner, message: unknownKind(word), at: 'key' })
  else if (value !== null && !isMap(value)) mistakes.push({ path: inner, message: `expected a map of keys, such as "- ${word}: {…}"` })
  else {
    const { name = word, ...body } = value ?? {}
    const expansion = kind.expand?.(body) ?? { body, moved: [], mistakes: [] }
    mistakes.push(...expansion.mistakes.map((mistake) => ({ ...mistake, path: [...inner, ...mistake.path] })))
    addNamed({ authenticators, name, inner, mistakes }, { type: kind.type, ...expansion.body })
    const to = ['authenticators', String(name)]
    moves.push({ to, from: inner }, ...expansion.moved.map((move) => ({ to: [...to, ...move[0]], from: [...inner, ...move[1]] })))
  }
}

function unknownKind(word: string): string {
  const kinds = Object.keys(SHORT_KINDS)
  const long = Object.entries(SHORT_KINDS).find(([, { type }]) => type === word)?.[0]
  return `unknown kind.${long ? ` Did you mean "${long}"?` : suggestion(word, kinds)} One of: ${kinds.join(', ')}`
}

function addNamed({ authenticators, name, inner, mistakes }: { authenticators: Record<string, unknown>; name: unknown; inner: ConfigPath; mistakes: Mistake[] }, body: Record<string, unknown>): void {
  if (typeof name !== 'string') mistakes.push({ path: [...inner, 'name'], message: 'expected text' })
  else if (Object.hasOwn(authenticators, name)) mistakes.push({ path: inner, message: `another authenticator is called "${name}" already; give this one a name of its own with "name: …"`, at: 'key' })
  else authenticators[name] = body
}
