import type { IdentifiedPrincipal, Principal, Principals } from '../model/principal.ts'

/** Fills a template from verified principals; undefined when the template is one placeholder that has no value. */
export type PrincipalTemplate = (principals: Principals) => unknown

/** A template that names what does not exist; the message says what was expected. */
export class PrincipalTemplateError extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'PrincipalTemplateError'
  }
}

const FILTERS = ['space', 'comma', 'present', 'lower', 'json'] as const
type Filter = (typeof FILTERS)[number]

type Part = string | { readonly whose: string; readonly path: readonly string[]; readonly filters: readonly Filter[] }

const isFilter = (text: string): text is Filter => (FILTERS as readonly string[]).includes(text)

/** Own properties only: a claim path can never reach a prototype (T65). */
function attributeAt(value: unknown, path: readonly string[]): unknown {
  let found = value
  for (const name of path) {
    if (typeof found !== 'object' || found === null || !Object.hasOwn(found, name)) return undefined
    found = (found as Readonly<Record<string, unknown>>)[name]
  }
  return found
}

const NAMED: Readonly<Record<string, (principal: IdentifiedPrincipal) => unknown>> = {
  id: (principal) => principal.subject,
  sub: (principal) => principal.subject,
  method: (principal) => principal.authenticatorId,
  email: (principal) => principal.email,
  tier: (principal) => principal.tier,
  scopes: (principal) => [...principal.scopes],
  roles: (principal) => principal.roles,
  key_id: (principal) => principal.credentialId,
  asserted: (principal) => principal.asserted ?? false,
}

/** What templates may call a principal's parts; anything else is a path into its attributes. */
export const PRINCIPAL_NAMES: readonly string[] = Object.keys(NAMED)

function valueOf(principal: Principal | undefined, path: readonly string[]): unknown {
  if (principal?.kind !== 'identified') return undefined
  const [first = '', ...rest] = path
  const named = rest.length === 0 && Object.hasOwn(NAMED, first) ? NAMED[first] : undefined
  return named ? named(principal) : attributeAt(principal.attributes, path)
}

/** The separator inside an entry is percent-encoded: the one role `a,admin` must not read as two. */
const joined = (values: readonly unknown[], separator: ',' | ' '): string => values.map((value) => String(value).replaceAll(separator, separator === ',' ? '%2C' : '%20')).join(separator)

function filtered(value: unknown, filter: Filter): unknown {
  switch (filter) {
    case 'present':
      return value !== undefined
    case 'space':
      return Array.isArray(value) ? joined(value, ' ') : value
    case 'comma':
      return Array.isArray(value) ? joined(value, ',') : value
    case 'lower':
      return typeof value === 'string' ? value.toLowerCase() : value
    case 'json':
      return value === undefined ? undefined : JSON.stringify(value)
  }
}

/** Text of a value as a header carries it: lists comma-separated, objects as JSON. */
export function textOf(value: unknown): string | undefined {
  if (value === undefined || value === null) return undefined
  if (Array.isArray(value)) return value.length === 0 ? undefined : joined(value, ',')
  return typeof value === 'object' ? JSON.stringify(value) : String(value)
}

function parsePlaceholder(text: string, authenticators: ReadonlySet<string>): Part {
  const [path = '', ...filters] = text.split('|').map((piece) => piece.trim())
  const [first = '', ...rest] = path.split('.')
  const unknown = filters.find((filter) => !isFilter(filter))
  if (unknown !== undefined) throw new PrincipalTemplateError(`{{${text}}} has no filter "${unknown}" – one of: ${FILTERS.join(', ')}`)
  if (first !== 'principal' && !authenticators.has(first)) {
    throw new PrincipalTemplateError(`{{${text}}} – expected {{principal.…}} or the name of an authenticator: ${[...authenticators].join(', ')}`)
  }
  if (rest.some((name) => name === '') || (rest.length === 0 && !filters.includes('present'))) throw new PrincipalTemplateError(`{{${text}}} – expected a path such as {{principal.id}}`)
  return { whose: first, path: rest, filters: filters.filter(isFilter) }
}

function parse(text: string, authenticators: ReadonlySet<string>): Part[] {
  const parts: Part[] = []
  let from = 0
  for (const match of text.matchAll(/\{\{([^{}]*)\}\}/g)) {
    if (match.index > from) parts.push(text.slice(from, match.index))
    parts.push(parsePlaceholder(match[1] ?? '', authenticators))
    from = match.index + match[0].length
  }
  if (from < text.length) parts.push(text.slice(from))
  if (parts.some((part) => typeof part === 'string' && (part.includes('{{') || part.includes('}}')))) throw new PrincipalTemplateError(`"${text}" has an unbalanced {{placeholder}}`)
  return parts
}

function evaluate(part: Part, principals: Principals): unknown {
  if (typeof part === 'string') return part
  const principal = part.whose === 'principal' ? principals.primary : principals.byAuthenticator.get(part.whose)
  const found = part.path.length === 0 ? (principal?.kind === 'identified' ? true : undefined) : valueOf(principal, part.path)
  return part.filters.reduce(filtered, found)
}

/**
 * Compiles one header value or JSON string. A bare name such as `sub` is short for `{{principal.sub}}`.
 *
 * @throws {PrincipalTemplateError} when it names an authenticator or a filter that does not exist
 */
export function compilePrincipalTemplate(text: string, authenticators: ReadonlySet<string>): PrincipalTemplate {
  const bare = /^[A-Za-z_][\w.-]*$/.test(text) ? `{{principal.${text}}}` : text
  const parts = parse(bare, authenticators)
  const [only] = parts
  if (parts.length === 1 && only !== undefined) return (principals) => evaluate(only, principals)
  return (principals) => parts.map((part) => textOf(evaluate(part, principals)) ?? '').join('')
}

/** Compiles every string of a JSON value that has a placeholder; a string that is one placeholder keeps the value's type. */
export function compilePrincipalJson(json: unknown, authenticators: ReadonlySet<string>): PrincipalTemplate {
  if (typeof json === 'string') {
    if (!json.includes('{{')) return () => json
    return compilePrincipalTemplate(json, authenticators)
  }
  if (Array.isArray(json)) {
    const items = json.map((item) => compilePrincipalJson(item, authenticators))
    return (principals) => items.map((item) => item(principals) ?? null)
  }
  if (typeof json === 'object' && json !== null) {
    const members = Object.entries(json).map(([name, value]) => [name, compilePrincipalJson(value, authenticators)] as const)
    return (principals) => Object.fromEntries(members.map(([name, member]) => [name, member(principals) ?? null]))
  }
  return () => json
}
