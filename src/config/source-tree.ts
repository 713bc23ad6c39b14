import { isAlias, isMap, isScalar, isSeq, LineCounter, parseDocument, type Alias, type Document, type Node, type Scalar } from 'yaml'
import { pathText, type ConfigPath, type Mistake } from './mistake.ts'

/** Where something stands: line and column from 1. */
export interface Place { readonly line: number; readonly column: number }

/** A mistake that already knows its place. */
export interface FoundMistake extends Mistake { readonly place: Place }

/** What a YAML (or JSON) text says, and where it says it. */
export interface SourceTree {
  readonly value: unknown
  readonly mistakes: readonly FoundMistake[]
  /** Place of a key or value by its path in the file; undefined when there is nothing. */
  readonly find: (path: ConfigPath, what: 'key' | 'value') => Place | undefined
}

/** A config is small; what is larger is an accident or an attack (aliases multiply). */
const MAX_BYTES = 1_048_576
const MAX_NODES = 50_000
const MAX_DEPTH = 40

interface Walk {
  readonly places: Map<string, { key?: number; value: number }>
  readonly anchors: Map<string, Node>
  /** Targets of aliases, found in the order of the text, since a name may be defined again. */
  readonly targets: Map<Alias, Node>
  readonly found: { path: ConfigPath; message: string; offset: number; at?: 'key' }[]
  nodes: number
}

const TOO_LARGE = 'the config is too large: expected at most 1 MiB, 50000 values and 40 levels, aliases written out'

/**
 * Reads a YAML 1.2 text into plain values. Everything YAML would silently bend is a mistake: numbers that are not read as they are
 * written, keys that stand twice, unknown tags, version directives. Aliases are followed, within bounds.
 */
export function readSourceTree(text: string): SourceTree {
  const lines = new LineCounter()
  const placeOf = (offset: number): Place => {
    const { line, col } = lines.linePos(offset)
    return { line: Math.max(1, line), column: Math.max(1, col) }
  }
  if (text.length > MAX_BYTES) return { value: undefined, mistakes: [{ path: [], message: TOO_LARGE, place: { line: 1, column: 1 } }], find: () => undefined }
  const document = parseDocument(text, { lineCounter: lines, uniqueKeys: false, prettyErrors: false, version: '1.2', logLevel: 'error' })
  const walk: Walk = { places: new Map(), anchors: new Map(), targets: new Map(), found: syntaxMistakes(document, text), nodes: 0 }
  const value = walk.found.length > 0 ? undefined : rootOf(walk, document)
  return {
    value,
    mistakes: walk.found.map(({ offset, ...mistake }) => ({ ...mistake, place: placeOf(offset) })),
    find: (path, what) => {
      const offset = walk.places.get(pathText(path))?.[what]
      return offset === undefined ? undefined : placeOf(offset)
    },
  }
}

function rootOf(walk: Walk, document: Document): unknown {
  const { contents } = document
  if (!contents || (isScalar(contents) && contents.value === null)) {
    walk.found.push({ path: [], message: 'the file is empty; the shortest config is "version: 1", an upstream and auth', offset: 0 })
    return undefined
  }
  // A document's contents are nodes once it has been parsed.
  return valueOf(walk, contents as Node, [])
}

/** Errors of the YAML parser, with its own words after ours; one per line, since what follows on a line follows from the first. */
function syntaxMistakes(document: Document, text: string): Walk['found'] {
  const lineStart = (offset: number): number => text.lastIndexOf('\n', offset - 1) + 1
  const errors = [...document.errors, ...document.warnings].toSorted((a, b) => a.pos[0] - b.pos[0])
  const firsts = errors.filter((error, index) => !errors.slice(0, index).some((other) => lineStart(other.pos[0]) === lineStart(error.pos[0])))
  const found = firsts.map((error) => {
    const line = text.slice(lineStart(error.pos[0])).split('\n', 1)[0] ?? ''
    const hint = /[[{,:]\s*[^"'\s]*\$\{/.test(line) ? '. Inside { } and [ ] a reference must be quoted: "${NAME}"' : ''
    return { path: [], message: `not valid YAML: ${error.message.replaceAll(/\s+/g, ' ')}${hint}`, offset: error.pos[0] }
  })
  if (document.directives?.yaml.explicit && document.directives.yaml.version !== '1.2') found.push({ path: [], message: 'a %YAML directive changes what words mean; remove it, the config is YAML 1.2', offset: 0 })
  return found
}

function valueOf(walk: Walk, node: unknown, path: ConfigPath): unknown {
  const offset = offsetOf(node)
  const key = pathText(path)
  walk.places.set(key, { ...walk.places.get(key), value: offset })
  walk.nodes += 1
  if (walk.nodes > MAX_NODES || path.length > MAX_DEPTH) {
    if (!walk.found.some(({ message }) => message === TOO_LARGE)) walk.found.push({ path: [], message: TOO_LARGE, offset })
    return undefined
  }
  if (isAlias(node)) return aliasOf(walk, node, path)
  anchor(walk, node)
  if (isMap(node)) return mapOf(walk, node.items, path)
  if (isSeq(node)) return node.items.map((item, index) => valueOf(walk, item, [...path, index]))
  return isScalar(node) ? scalarOf(walk, node, path) : null
}

const offsetOf = (node: unknown): number => (node as { range?: readonly number[] } | null)?.range?.[0] ?? 0

function anchor(walk: Walk, node: unknown): void {
  if ((isMap(node) || isSeq(node) || isScalar(node)) && node.anchor !== undefined) walk.anchors.set(node.anchor, node)
}

function aliasOf(walk: Walk, alias: Alias, path: ConfigPath): unknown {
  const target = walk.targets.get(alias) ?? walk.anchors.get(alias.source)
  if (!target) {
    walk.found.push({ path, message: `not valid YAML: nothing above is anchored as &${alias.source}`, offset: offsetOf(alias) })
    return undefined
  }
  walk.targets.set(alias, target)
  return valueOf(walk, target, path)
}

function mapOf(walk: Walk, items: readonly { key: unknown; value: unknown }[], path: ConfigPath): Record<string, unknown> {
  const map: Record<string, unknown> = {}
  for (const { key, value } of items) {
    const name = nameOf(walk, key, path)
    if (name === undefined) continue
    const inner = [...path, name]
    const first = walk.places.get(pathText(inner))
    if (Object.hasOwn(map, name)) {
      walk.found.push({ path: inner, message: 'this key stands twice in one map; keep one', offset: offsetOf(key), at: 'key' })
      continue
    }
    walk.places.set(pathText(inner), { ...first, key: offsetOf(key), value: offsetOf(value) })
    map[name] = valueOf(walk, value, inner)
  }
  return map
}

function nameOf(walk: Walk, key: unknown, path: ConfigPath): string | undefined {
  const name = isScalar(key) ? String(key.source ?? key.value) : undefined
  if (name === undefined) walk.found.push({ path, message: 'a key must be text', offset: offsetOf(key) })
  else if (name === '<<') walk.found.push({ path: [...path, name], message: 'merge keys are not part of YAML 1.2; repeat the keys, or use an alias for the whole value', offset: offsetOf(key), at: 'key' })
  else if (name === '__proto__') walk.found.push({ path: [...path, name], message: 'unknown key', offset: offsetOf(key), at: 'key' })
  else return name
  return undefined
}

/** `0777`, `08`, `1.10`, `0x1F`, `1e3`, `.inf`: what comes out is not what was written, so ask. */
function scalarOf(walk: Walk, node: Scalar, path: ConfigPath): unknown {
  const { value, source } = node
  if ((typeof value === 'number' || typeof value === 'bigint') && source !== undefined && String(value) !== source) {
    walk.found.push({ path, message: `${source} is read by YAML as the number ${value}; write ${value}, or "${source}" in quotes if text is meant`, offset: offsetOf(node) })
  }
  return value
}
