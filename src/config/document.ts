import { z } from 'zod'
import { configSchema } from './schema.ts'
import { alternativesOf } from './schema-walk.ts'
import { SHORT_KINDS } from './short-form.ts'

/** The part of JSON Schema that is read here. */
interface Json {
  readonly title?: string
  readonly description?: string
  readonly type?: string | readonly string[]
  readonly const?: unknown
  readonly enum?: readonly unknown[]
  readonly default?: unknown
  readonly properties?: Readonly<Record<string, Json>>
  readonly required?: readonly string[]
  readonly additionalProperties?: Json | false
  readonly items?: Json
  readonly anyOf?: readonly Json[]
  readonly oneOf?: readonly Json[]
}

const jsonOf = (schema: z.core.$ZodType): Json => {
  const { $schema: _dialect, ...json } = z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' })
  // zod writes JSON Schema; only the members above are read.
  return json as Json
}

/** One entry of the short form's list, by kind. */
function shortEntries(): readonly Json[] {
  const kinds = Object.entries(SHORT_KINDS).map(([kind, { schema, expand }]): Json => {
    const { properties = {}, required = [], ...rest } = jsonOf(schema)
    const { type: _type, ...keys } = properties
    const own = { name: { type: 'string', description: `Its name on routes and in templates. Default: ${kind}.` }, ...(expand ? { bearer: { const: true, description: 'Short for an entry of `in`.' }, header: { type: 'string', description: 'Short for an entry of `in`.' }, cookie: { type: 'string', description: 'Short for an entry of `in`.' } } : {}) }
    return { type: 'object', properties: { [kind]: { ...rest, properties: { ...own, ...keys }, required: required.filter((key) => key !== 'type') } }, required: [kind], additionalProperties: false }
  })
  return [...kinds, { enum: Object.entries(SHORT_KINDS).filter(([, { type }]) => type === 'anonymous').map(([kind]) => kind) }]
}

/** JSON Schema (2020-12) of the config as it is written: `config/schema.json`. */
export function schemaDocument(): Readonly<Record<string, unknown>> {
  const { properties, ...rest } = jsonOf(configSchema)
  const auth = { description: properties?.['auth']?.description, type: 'array', items: { anyOf: shortEntries() } }
  return { $schema: 'https://json-schema.org/draft/2020-12/schema', ...rest, properties: { ...properties, auth } }
}

interface Row {
  readonly path: string
  readonly type: string
  readonly value: string
  readonly text: string
}

/** A default as a user would write it. */
const defaultText = (json: Json, required: boolean): string => (json.default === undefined ? (required ? 'required' : '') : isEmpty(json.default) ? '' : `\`${yamlText(json.default)}\``)

const isEmpty = (value: unknown): boolean => value === '' || (typeof value === 'object' && value !== null && !Array.isArray(value) && Object.keys(value).length === 0)

function yamlText(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(yamlText).join(', ')}]`
  if (typeof value === 'object' && value !== null) return `{${Object.entries(value).map(([key, inner]) => `${key}: ${yamlText(inner)}`).join(', ')}}`
  return String(value)
}

const choices = (json: Json): readonly Json[] => json.anyOf ?? json.oneOf ?? []

/** Titles of scalars say what they mean; titles of maps name the section. */
function typeText(json: Json): string {
  if (json.const !== undefined) return `\`${yamlText(json.const)}\``
  if (json.enum) return json.enum.map((value) => `\`${yamlText(value)}\``).join(', ')
  if (json.properties) return 'map'
  if (json.title !== undefined && !choices(json).some((choice) => choice.properties)) return json.title
  if (choices(json).length > 0) return [...new Set(choices(json).map(typeText))].join(' or ')
  if (json.items) return `list of ${typeText(json.items)}`
  if (json.additionalProperties) return 'map by name'
  return { string: 'text', number: 'number', integer: 'whole number', boolean: 'true or false', object: 'map' }[String(json.type)] ?? 'any'
}

/** A row for a key, and rows for what is inside. */
function rowsOf(json: Json, path: string, required: boolean): readonly Row[] {
  const row = { path, type: typeText(json), value: defaultText(json, required), text: json.description ?? '' }
  return [row, ...insideOf(json, path)]
}

function insideOf(json: Json, path: string): readonly Row[] {
  const members = Object.entries(json.properties ?? {}).flatMap(([key, inner]) => rowsOf(inner, path === '' ? key : `${path}.${key}`, json.required?.includes(key) === true && inner.default === undefined))
  const items = json.items ? insideOf(json.items, `${path}[]`) : []
  const named = json.additionalProperties ? insideOf(json.additionalProperties, `${path}.*`) : []
  return [...members, ...items, ...named, ...choices(json).flatMap((choice) => insideOf(choice, path))]
}

const cell = (text: string): string => text.replaceAll('|', String.raw`\|`).replaceAll('\n', ' ')

/** The same key of several alternatives is one row. */
function table(rows: readonly Row[]): string {
  const seen = new Set<string>()
  const own = rows.filter(({ path }) => !seen.has(path) && seen.add(path))
  return ['| Key | Type | Default | Meaning |', '|---|---|---|---|', ...own.map(({ path, type, value, text }) => `| \`${path}\` | ${cell(type)} | ${cell(value)} | ${cell(text)} |`)].join('\n')
}

const INTRODUCTION = `# Configuration

This page is generated from the schema that also checks your file: \`npm run docs\`. An editor that knows YAML schemas completes keys
when the first line of the file is \`# yaml-language-server: $schema=./schema.json\`.

## What can stand in a value

- \`\${NAME}\` is the variable, \`\${NAME:-default}\` the default when it is unset or empty (a default may
  hold a reference), \`\${NAME:+text}\` that text when it is set, \`\${file:/path}\` the content of a file without
  its last newline, \`\${cred:name}\` a systemd credential. \`$\${\` is a literal \`\${\`. Inside \`{ }\` and \`[ ]\` YAML wants quotes around them.
  A value that is filled in stays text: it cannot add keys, entries or lines. Numbers, booleans and comma-separated lists are made of
  text where a key wants them.
- A variable named after a key wins over the file: \`POSTERN_LISTEN\`, \`POSTERN_RATE_LIMIT_0_LIMIT\`; with \`_FILE\` behind it, the value is
  in that file.
- Durations are \`250ms\`, \`30s\`, \`5m\`, \`1h\`, \`7d\`. Sizes are \`16KiB\`, \`1MiB\`, \`10MB\` or bytes. Rates are \`100/minute\` or \`60/10s\`.
- A list may also be one comma-separated text.
- File names are meant from the folder of the config.
- YAML 1.2: \`yes\`, \`no\`, \`on\` and \`off\` are text. A number that YAML would read as another one (\`0777\`, \`08\`, \`1e3\`) is a mistake.
- Unknown keys are mistakes. \`postern check\` names all mistakes at once.

In the tables, \`[]\` is any entry of a list and \`*\` any name.
`

/** `docs/configuration.md`: every key with its type, its default as one writes it, and its meaning. */
export function configurationDocument(): string {
  const root = jsonOf(configSchema)
  const top = Object.entries(root.properties ?? {}).map(([key, json]) => [key, rowsOf(json, key, root.required?.includes(key) === true && json.default === undefined)] as const)
  const sections = top.filter(([key, rows]) => rows.length > 1 && key !== 'authenticators')
  const single = top.filter(([key, rows]) => rows.length === 1 && key !== 'auth').flatMap(([, rows]) => rows)
  return [
    INTRODUCTION,
    '## Keys without a section\n',
    table(single),
    ...sections.flatMap(([key, rows]) => [`\n## \`${key}\`\n`, table(rows)]),
    '\n## Authenticators\n',
    `Short form: \`auth\`, a list with one kind per entry, named after the kind unless it has a \`name\`. Long form: \`authenticators\`, a map by\nname, where \`type\` says the kind. Both hold the same keys; \`header: X\`, \`cookie: X\` and \`bearer: true\` of the short form are short for\n\`in: [{header: X}]\` and so on.`,
    ...Object.entries(SHORT_KINDS).flatMap(([kind, { type, schema }]) => [`\n### \`${kind}\` (\`type: ${type}\`)\n`, kindTable(schema)]),
    '',
  ].join('\n')
}

function kindTable(schema: z.ZodObject): string {
  const rows = insideOf(jsonOf(schema), '').filter(({ path }) => path !== 'type')
  return rows.length === 0 ? 'It has no keys.' : table(rows)
}

/** Paths of every key in the long form, for tests that nothing is undocumented. */
export function documentedPaths(): readonly string[] {
  const walk = (schema: z.core.$ZodType, path: readonly string[]): readonly string[] =>
    alternativesOf(schema).flatMap((inner): readonly string[] => {
      if (inner instanceof z.ZodObject) return Object.entries(inner.shape).flatMap(([key, member]) => [[...path, key].join('.'), ...walk(member as z.core.$ZodType, [...path, key])])
      if (inner instanceof z.ZodArray) return walk(inner.element, [...path.slice(0, -1), `${path.at(-1)}[]`])
      return inner instanceof z.ZodRecord ? walk(inner.valueType, [...path, '*']) : []
    })
  return walk(configSchema, [])
}
