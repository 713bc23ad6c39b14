import { createHash } from 'node:crypto'
import { dirname, resolve } from 'node:path'
import { semanticMistakes, type Finding } from './check-config.ts'
import { withAbsolutePaths } from './file-paths.ts'
import { fillReferences } from './fill.ts'
import { hideFilled, type Hidden } from './hide.ts'
import { ConfigFileError, pathText, type ConfigPath, type Mistake, type PlacedMistake } from './mistake.ts'
import { isSecretPath, mistakesOf } from './mistakes-of.ts'
import { applyOverrides, type Overridden, type VariableMistake } from './overrides.ts'
import { parseTree, type Parsed } from './parse.ts'
import { configSchema, type Config } from './schema.ts'
import { createSecrets, readFromDisk, unreadable, type ReadFile } from './secrets.ts'
import { writeOutShortForms } from './short-form.ts'
import { readSourceTree, type Place, type SourceTree } from './source-tree.ts'

/** Where a value came from: a variable, the file, or nowhere (a default). */
export type Origin = { readonly kind: 'variable'; readonly name: string } | ({ readonly kind: 'file'; /** As written, when it is a reference. */ readonly reference?: string } & Place) | { readonly kind: 'default' }

export interface LoadedConfig {
  /** Parsed, with short forms written out: `authenticators` and `upstreams`, never `auth` and `upstream`. File names are absolute. */
  readonly config: Config
  /** As it was given; `environment` when there is none. */
  readonly file: string
  /** SHA-256 of the file's text, 64 hex digits; the first 12 are shown. Public, hence without the secrets it refers to. */
  readonly revision: string
  /** SHA-256 of the text and of every file it refers to. For finding changes only: never shown, since it could confirm a guessed secret. */
  readonly fingerprint: string
  readonly warnings: readonly PlacedMistake[]
  /** Absolute paths of the config and of every file it refers to. */
  readonly watched: readonly string[]
  /** Place of a value by its path in `config`; of the nearest map around it when it is not written. Line 0: not from a file. */
  readonly place: (path: ConfigPath) => Place
  /** Gives mistakes that `compile` found their file, line and column, and the paths that the operator wrote. */
  readonly placed: (mistakes: readonly Mistake[]) => readonly PlacedMistake[]
  readonly originOf: (path: ConfigPath) => Origin
  /** Whether the value at a path must not be shown: it came from a reference, or its key says that it is a secret. */
  readonly isSecret: (path: ConfigPath) => boolean
}

/** A file that may be absent: variables alone can make a config. */
export interface LoadInput {
  readonly file?: string | undefined
  readonly env: NodeJS.ProcessEnv
  readonly readFile?: ReadFile
}

const NO_FILE = 'environment'

/**
 * Reads, fills, overrides and parses a config. Builds nothing and asks nobody.
 *
 * @throws {ConfigFileError} with every mistake at once, in the order of the file
 */
export function loadConfig({ file, env, readFile = readFromDisk }: LoadInput): LoadedConfig {
  const text = file === undefined ? 'version: 1\n' : textOf(file, readFile)
  const source = readSourceTree(text)
  const name = file ?? NO_FILE
  if (source.value === undefined) throw new ConfigFileError(inOrder(source.mistakes.map(({ place, ...mistake }) => ({ ...mistake, ...place, file: name }))))
  const directory = dirname(resolve(file ?? 'postern.yaml'))
  const secrets = createSecrets({ env, readFile, directory })
  const filled = fillReferences(source.value, secrets)
  const overridden = applyOverrides({ tree: filled.tree, env, secrets })
  const normal = writeOutShortForms(overridden.tree)
  const tree = withAbsolutePaths(normal.tree, directory)
  const parsed = parseTree(tree)
  const hidden: Hidden = { tree: overridden.tree, written: new Map([...filled.written, ...overridden.origins]), paths: [...filled.paths, ...overridden.paths] }
  const written = (path: ConfigPath): string | undefined => hidden.written.get(pathText(normal.fileOf(path)))
  const places = createPlaces({ source, file: name, overridden, hidden, fileOf: normal.fileOf })

  const broken = filled.mistakes.map(({ path }) => path)
  const spelling = mistakesOf(parsed.issues, { schema: configSchema, tree, writtenAs: written }).map((mistake) => ({ ...mistake, path: normal.fileOf(mistake.path) }))
  const meaning = parsed.config ? semanticMistakes(parsed.config, { env, readFile }) : { mistakes: [], warnings: [] }
  const untouched = stillTrue({ parsed, broken, incomplete: normal.mistakes.length > 0, fileOf: normal.fileOf })
  const mistakes = [
    ...source.mistakes.map(({ place, ...mistake }) => ({ ...mistake, ...place, file: name })),
    ...places.inFile([...filled.mistakes, ...normal.mistakes, ...spelling.filter(({ path }) => !broken.some((other) => pathText(other) === pathText(path)))]),
    ...overridden.mistakes.map(ofVariable),
    ...places.placed(meaning.mistakes.filter(untouched)),
  ]
  const warnings = inOrder([...places.inFile(filled.warnings), ...overridden.warnings.map(ofVariable), ...places.placed(meaning.warnings.filter(untouched))])
  if (mistakes.length > 0 || !parsed.config) throw new ConfigFileError(inOrder(mistakes))
  return {
    config: parsed.config,
    file: name,
    revision: createHash('sha256').update(text).digest('hex'),
    fingerprint: fingerprintOf(text, secrets.files),
    warnings,
    watched: [...(file === undefined ? [] : [resolve(file)]), ...secrets.files.keys()],
    place: places.place,
    placed: (found) => inOrder(places.placed(found)),
    originOf: (path) => places.originOf(path, filled.written),
    isSecret: (path) => isSecretPath(path) || written(path) !== undefined,
  }
}

function textOf(file: string, readFile: ReadFile): string {
  try {
    return readFile(file).text
  } catch (error) {
    throw new ConfigFileError([{ path: [], message: `this config ${unreadable(error)}`, file, line: 0, column: 0 }])
  }
}

function fingerprintOf(text: string, files: ReadonlyMap<string, string>): string {
  const digest = createHash('sha256').update(text)
  for (const [path, content] of [...files].toSorted(([a], [b]) => (a < b ? -1 : 1))) digest.update(`\0${path}\0${content}`)
  return digest.digest('hex')
}

const ofVariable = ({ variable, path, message }: VariableMistake): PlacedMistake => ({ path, message, file: `env ${variable}`, line: 0, column: 0 })

/** Mistakes of meaning that were found in what is left of a config whose wrong parts were taken away. */
function stillTrue({ parsed, broken, incomplete, fileOf }: { parsed: Parsed; broken: readonly ConfigPath[]; incomplete: boolean; fileOf: (path: ConfigPath) => ConfigPath }): (finding: Finding) => boolean {
  const gone = new Set([...parsed.pruned.map(([top]) => top), ...broken.map(([top]) => (top === 'auth' ? 'authenticators' : top === 'upstream' ? 'upstreams' : top))])
  if (incomplete) gone.add('authenticators').add('upstreams')
  const doubtful = new Set(broken.map(pathText))
  return ({ needs = [], path }) => !needs.some((key) => gone.has(key)) && !doubtful.has(pathText(fileOf(path)))
}

interface Places {
  readonly place: (path: ConfigPath) => Place
  /** Mistakes whose paths are those of the file already. */
  readonly inFile: (mistakes: readonly Mistake[]) => readonly PlacedMistake[]
  readonly placed: (mistakes: readonly Mistake[]) => readonly PlacedMistake[]
  readonly originOf: (path: ConfigPath, written: ReadonlyMap<string, string>) => Origin
}

interface PlacesInput {
  readonly source: SourceTree
  readonly file: string
  readonly overridden: Overridden
  readonly hidden: Hidden
  readonly fileOf: (path: ConfigPath) => ConfigPath
}

function createPlaces({ source, file, overridden, hidden, fileOf }: PlacesInput): Places {
  const nowhere: Place = { line: 0, column: 0 }
  const variableOf = (path: ConfigPath): string | undefined => overridden.origins.get(pathText(path))
  /** What is not written is shown where it would stand: at the key of the map around it. */
  const around = (path: ConfigPath): Place => {
    for (let length = path.length - 1; length >= 0; length -= 1) {
      const outer = path.slice(0, length)
      // An entry of a comma-separated text is where the text is.
      const place = typeof path[length] === 'number' ? source.find(outer, 'value') : (source.find(outer, 'key') ?? source.find(outer, 'value'))
      if (place) return place
    }
    return { line: 1, column: 1 }
  }
  const placeInFile = (path: ConfigPath, at?: 'key'): Place => (at && source.find(path, 'key')) ?? source.find(path, 'value') ?? around(path)
  const inFile = (mistakes: readonly Mistake[]): readonly PlacedMistake[] =>
    mistakes.map((found) => {
      const mistake = { ...found, message: hideFilled(found.path, found.message, hidden) }
      const variable = variableOf(mistake.path)
      return variable === undefined ? { ...mistake, file, ...placeInFile(mistake.path, mistake.at) } : { ...mistake, file: `env ${variable}`, ...nowhere }
    })
  return {
    place: (path) => (variableOf(fileOf(path)) === undefined ? placeInFile(fileOf(path)) : nowhere),
    inFile,
    placed: (mistakes) => inFile(mistakes.map((mistake) => ({ ...mistake, path: fileOf(mistake.path) }))),
    originOf: (path, written) => {
      const inSource = fileOf(path)
      const variable = variableOf(inSource)
      const place = source.find(inSource, 'value')
      const reference = written.get(pathText(inSource))
      if (variable !== undefined) return { kind: 'variable', name: variable }
      if (!place) return { kind: 'default' }
      return { kind: 'file', ...place, ...(reference === undefined ? {} : { reference }) }
    },
  }
}

/** In the order of the file, what is not in it last; each thing once. */
function inOrder(mistakes: readonly PlacedMistake[]): readonly PlacedMistake[] {
  const rank = ({ line, column }: PlacedMistake): number => (line === 0 ? Number.MAX_SAFE_INTEGER : line * 100_000 + column)
  const seen = new Set<string>()
  return mistakes
    .filter(({ file, path, message }) => {
      const key = JSON.stringify([file, pathText(path), message])
      return !seen.has(key) && seen.add(key)
    })
    .toSorted((a, b) => rank(a) - rank(b))
}
