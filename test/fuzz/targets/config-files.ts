import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import * as fc from 'fast-check'
import { parse, stringify } from 'yaml'
import { loadConfig } from '../../../src/config/load.ts'
import { ConfigFileError } from '../../../src/config/mistake.ts'
import { fuzzTarget } from '../fuzz-target.ts'
import { mutated } from '../inputs.ts'

const ROOT = join(import.meta.dirname, '..', '..', '..')

/** Configs that are kept in the project, as texts. */
const FILES = readdirSync(join(ROOT, 'config')).filter((file) => file.endsWith('.yaml')).map((file) => readFileSync(join(ROOT, 'config', file), 'utf8'))

interface JsonSchema { readonly properties?: Readonly<Record<string, JsonSchema>>; readonly additionalProperties?: JsonSchema | false; readonly items?: JsonSchema; readonly anyOf?: readonly JsonSchema[]; readonly oneOf?: readonly JsonSchema[]; readonly [other: string]: unknown }

const SCHEMA = JSON.parse(readFileSync(join(ROOT, 'config', 'schema.json'), 'utf8')) as JsonSchema

/** What references are filled with, by the look of their names. */
const SECRET = 'sEcReT-0123456789-abcdefgh-0123456789-ABCDEFGH'
const DIGEST = 'ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb'
const env: NodeJS.ProcessEnv = new Proxy({}, { get: (_none, name) => (typeof name !== 'string' || name.startsWith('POSTERN') ? undefined : /SHA256|DIGEST/.test(name) ? DIGEST : /URL|ISSUER/.test(name) ? 'https://idp.example.com' : /KEY|SECRET|TOKEN|AUDIENCE/.test(name) ? SECRET : undefined) })

const isMap = (value: unknown): value is Readonly<Record<string, unknown>> => typeof value === 'object' && value !== null && !Array.isArray(value)

/** Whether some alternative of the published schema has a place for every key; values are not looked at. */
function hasPlace(value: unknown, schema: JsonSchema | undefined): boolean {
  if (!schema || (!isMap(value) && !Array.isArray(value))) return true
  const alternatives = schema.anyOf ?? schema.oneOf
  if (alternatives) return alternatives.some((each) => hasPlace(value, each))
  if (Array.isArray(value)) return value.every((item) => hasPlace(item, schema.items))
  const { properties, additionalProperties } = schema
  if (!isMap(value) || (!properties && additionalProperties === undefined)) return true
  return Object.entries(value).every(([key, inner]) => {
    if (properties && Object.hasOwn(properties, key)) return hasPlace(inner, properties[key])
    return additionalProperties !== undefined && additionalProperties !== false && hasPlace(inner, additionalProperties)
  })
}

/** Places and words of what is refused. */
function checkMistakes(error: unknown, text: string): void {
  assert.ok(error instanceof ConfigFileError, String(error))
  assert.ok(error.mistakes.length > 0, 'refused without a reason')
  const lines = text.split('\n').length
  for (const { message, line, column, file } of error.mistakes) {
    assert.ok(message !== '' && !/[\r\n]/.test(message), JSON.stringify(message))
    assert.ok(Number.isInteger(line) && line >= 0 && line <= lines + 1 && column >= 0 && file !== '', `${line}:${column}`)
  }
}

function check(text: string): string {
  try {
    loadConfig({ file: '/nowhere/postern.yaml', env, readFile: (path) => ({ text: path === '/nowhere/postern.yaml' ? text : SECRET, worldReadable: false }) })
    const written: unknown = parse(text, { version: '1.2', uniqueKeys: false, logLevel: 'silent', maxAliasCount: -1 })
    assert.ok(hasPlace(written, SCHEMA), 'accepted with a key that the schema does not have')
    return 'accepted'
  } catch (error) {
    if (error instanceof assert.AssertionError) throw error
    checkMistakes(error, text)
    return 'refused'
  }
}

const KEYS = ['auth', 'authenticators', 'upstream', 'upstreams', 'routes', 'match', 'path', 'identity', 'name', 'type', 'keys', 'value', 'issuer', 'audience', 'jwks_url', 'version', 'listen', 'address', 'errors', 'codes', 'cors', 'origins', 'tiers', 'mode', 'observe', 'strip', 'forward', 'client_ip', 'trusted_proxies', '__proto__', 'constructor', 'toString', 'hasOwnProperty', 'lisen', 'Audience', 'x-note', '', '0', '<<', 'null', 'true'] as const
const VALUES: readonly unknown[] = [null, true, false, 0, -1, 1, 1e21, Number.NaN, 0.5, '', ' ', 'none', 'any', '*', '/**', '/../x', 'http://127.0.0.1:1', 'ftp://x', 'javascript:1', 'https://u:p@x.test', '${A}', '${A:-b}', '${A:-${B}}', '$${A}', '${', '${file:/x}', '${cred:x}', '${A:+x}', '10s', '1h', '-5s', '9999999999999h', '5/minute', '0/minute', '1KiB', '10.0.0.0/8', '10.0.0.1/8', '::/0', 'X-User-Id', 'X User', 'a\nb', '\u0000', '\ud800', '{{principal.sub}}', '{{', 'x'.repeat(5_000), [], {}, [[]], [null], { a: 1 }, ['GET', 'get'], { path: '/x' }, 'sha256', DIGEST]

type Change = readonly [where: number, what: 'rename' | 'replace' | 'delete' | 'add' | 'double' | 'swap', key: string, value: unknown, from: number]

/** Every map and list of a tree. */
function holders(tree: unknown): (Record<string, unknown> | unknown[])[] {
  if (Array.isArray(tree)) return [tree, ...tree.flatMap(holders)]
  return isMap(tree) ? [tree as Record<string, unknown>, ...Object.values(tree).flatMap(holders)] : []
}

/** Changes a tree in place: structure first, since text alone would mostly be no YAML. */
function changed(tree: unknown, [where, what, key, value, from]: Change): void {
  const all = holders(tree)
  const holder = all[where % all.length]
  if (!holder) return
  if (Array.isArray(holder)) {
    const at = from % (holder.length + 1)
    if (what === 'delete') holder.splice(at, 1)
    else if (what === 'double') holder.push(structuredClone(holder[at]))
    else holder.splice(at, what === 'add' ? 0 : 1, value)
    return
  }
  const names = Object.keys(holder)
  const name = names[from % Math.max(1, names.length)] ?? key
  const set = (as: string, to: unknown): void => void Object.defineProperty(holder, as, { value: to, enumerable: true, configurable: true, writable: true })
  const old = holder[name]
  if (what === 'rename' || what === 'delete') delete holder[name]
  if (what === 'rename') set(key, old)
  if (what === 'replace') set(name, value)
  if (what === 'add' || what === 'double') set(key, what === 'add' ? value : structuredClone(old))
  if (what === 'swap') set(name, structuredClone(all[from % all.length]))
}

const change: fc.Arbitrary<Change> = fc.tuple(fc.nat(400), fc.constantFrom('rename', 'replace', 'replace', 'delete', 'add', 'double', 'swap'), fc.constantFrom(...KEYS), fc.constantFrom(...VALUES), fc.nat(40))
const trees = fc.tuple(fc.constantFrom(...FILES), fc.array(change, { minLength: 1, maxLength: 3 }), fc.constantFrom('yaml', 'yaml', 'json')).map(([text, changes, form]) => {
  const tree: unknown = parse(text)
  // A tree within itself would not end.
  for (const each of changes) changed(tree, each)
  return form === 'json' ? JSON.stringify(tree, (_key, value: unknown) => value) : stringify(tree)
})
const texts = mutated(fc.constantFrom(...FILES), ['\n', ' ', ':', '-', '#', '"', "'", '{', '}', '[', ']', '&', '*', '!', '|', '>', '%', '\t', '\0', '$', '\u2028'])

export const configFiles = fuzzTarget<string>({
  name: 'config-files',
  subject: 'the example configs with keys renamed, added, doubled and taken away, odd values, swapped parts, and with changes of their text',
  oracle: 'read, or refused with mistakes that have a place and a line of text each; what is accepted has no key for which the published JSON schema has no place',
  where: 'in process',
  verdicts: ['accepted', 'refused'],
  batch: 200,
  weight: 0.1,
  slowMs: 2_000,
  open: () => ({ inputs: fc.oneof({ weight: 3, arbitrary: trees }, { weight: 1, arbitrary: texts }), corpus: [...FILES, '', '\0', '- a', 'version: 1', 'version: 2', '&a [*a]', 'a: &a {b: *a}', '{"__proto__": {"version": 1}}', `version: 1\n${'a: &x\n'.repeat(50)}`], check }),
})
