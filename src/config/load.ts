import { createHash } from 'node:crypto'
import { dirname, resolve } from 'node:path'
import { semanticMistakes, type Finding } from './check-config.ts'
import { didYouMean } from './did-you-mean.ts'
import { withAbsolutePaths } from './file-paths.ts'
import { fillReferences } from './fill.ts'
import { hiddenPaths, type Hidden } from './hide.ts'
import { ConfigFileError, pathText, type ConfigPath, type Mistake, type PlacedMistake } from './mistake.ts'
import { mistakesOf } from './mistakes-of.ts'
import { applyOverrides, type VariableMistake } from './overrides.ts'
import { parseTree, type Parsed } from './parse.ts'
import { createPlaces, inOrder, type Origin } from './places.ts'
import { configSchema, type Config } from './schema.ts'
import { isSecretPath } from './secret-keys.ts'
import { createSecrets, readFromDisk, unreadable, type ReadFile } from './secrets.ts'
import { writeOutShortForms } from './short-form.ts'
import { readSourceTree, type Place } from './source-tree.ts'

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
export function loadConfig(input: LoadInput): LoadedConfig {
  const reading = read(input)
  const { mistakes, warnings } = judge(reading, input)
  const { parsed, text, places, isReferred, filled, secrets, watched } = reading
  if (mistakes.length > 0 || !parsed.config) throw new ConfigFileError(inOrder(mistakes), watched)
  return {
    config: parsed.config,
    file: reading.file,
    revision: createHash('sha256').update(text).digest('hex'),
    fingerprint: fingerprintOf(text, secrets.files),
    warnings: inOrder(warnings),
    watched,
    place: places.place,
    placed: (found) => inOrder(places.placed(found)),
    originOf: (path) => places.originOf(path, filled.written),
    isSecret: (path) => isSecretPath(path) || isReferred(path),
  }
}

type Reading = ReturnType<typeof read>

/** From the text to a tree that was held against the schema; every step keeps what the report needs. */
function read({ file, env, readFile = readFromDisk }: LoadInput) {
  const text = file === undefined ? 'version: 1\n' : textOf(file, readFile)
  const source = readSourceTree(text)
  const name = file ?? NO_FILE
  const own = file === undefined ? [] : [resolve(file)]
  const unread = source.mistakes.map(({ place, ...mistake }): PlacedMistake => ({ ...mistake, ...place, file: name }))
  if (source.value === undefined) throw new ConfigFileError(inOrder(unread), own)
  const directory = dirname(resolve(file ?? 'postern.yaml'))
  const secrets = createSecrets({ env, readFile, directory })
  const filled = fillReferences(source.value, secrets)
  const overridden = applyOverrides({ tree: filled.tree, env, secrets })
  const normal = writeOutShortForms(overridden.tree)
  const tree = withAbsolutePaths(normal.tree, directory)
  const referred: Hidden = { tree: overridden.tree, written: new Map([...filled.written, ...overridden.origins]), paths: [...filled.paths, ...overridden.paths] }
  const hidden: Hidden = { ...referred, paths: hiddenPaths(referred) }
  const secret = new Set(hidden.paths.map(pathText))
  const reference = (path: ConfigPath): string | undefined => referred.written.get(pathText(normal.fileOf(path)))
  const isHidden = (path: ConfigPath): boolean => secret.has(pathText(normal.fileOf(path)))
  return {
    text, file: name, unread, secrets, filled, overridden, normal, tree,
    writtenAs: (path: ConfigPath) => (isHidden(path) ? reference(path) : undefined),
    cameFrom: (path: ConfigPath) => (isHidden(path) ? undefined : reference(path)),
    parsed: parseTree(tree),
    places: createPlaces({ source, file: name, overridden, hidden, fileOf: normal.fileOf }),
    isReferred: (path: ConfigPath) => reference(path) !== undefined,
    watched: [...own, ...secrets.files.keys()],
  }
}

/** Everything that is to be said about a config, in no order. */
function judge({ parsed, tree, unread, filled, overridden, normal, places, writtenAs, cameFrom }: Reading, { env, readFile = readFromDisk }: LoadInput): { mistakes: readonly PlacedMistake[]; warnings: readonly PlacedMistake[] } {
  const broken = filled.mistakes.map(({ path }) => path)
  const brokenTexts = new Set(broken.map(pathText))
  const spelling = mistakesOf(parsed.issues, { schema: configSchema, tree, writtenAs, cameFrom })
    .map((mistake) => ({ ...mistake, path: normal.fileOf(mistake.path) }))
    .filter(({ path }) => !brokenTexts.has(pathText(path)))
  const meaning = parsed.config ? semanticMistakes(parsed.config, { env, readFile }) : { mistakes: [], warnings: [] }
  const holds = stillTrue({ parsed, broken, incomplete: normal.mistakes.length > 0, fileOf: normal.fileOf })
  return {
    mistakes: [...unread, ...places.inFile([...filled.mistakes, ...normal.mistakes, ...spelling]), ...overridden.mistakes.map(ofVariable), ...places.placed(meaning.mistakes.filter(holds))],
    warnings: [...places.inFile(filled.warnings), ...overridden.warnings.map(ofVariable), ...places.placed(meaning.warnings.filter(holds))],
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

/** The key of the long form that a key of the file stands for. */
const longKey = (top: string | number | undefined): string | number | undefined => (top === 'auth' ? 'authenticators' : top === 'upstream' ? 'upstreams' : top)

/** A misspelled key takes away the right one: what is missing then is named once, where it is misspelled. */
const keyMeant = (top: string | number | undefined): string | undefined => (typeof top !== 'string' || Object.hasOwn(configSchema.shape, top) ? undefined : didYouMean(top, Object.keys(configSchema.shape)))

/** Mistakes of meaning that were found in what is left of a config whose wrong parts were taken away. */
function stillTrue({ parsed, broken, incomplete, fileOf }: { parsed: Parsed; broken: readonly ConfigPath[]; incomplete: boolean; fileOf: (path: ConfigPath) => ConfigPath }): (finding: Finding) => boolean {
  const gone = new Set([...parsed.pruned.flatMap(([top]) => [top, longKey(keyMeant(top))]), ...broken.map(([top]) => longKey(top))])
  if (incomplete) gone.add('authenticators').add('upstreams')
  const doubtful = new Set(broken.map(pathText))
  return ({ needs = [], path }) => !needs.some((key) => gone.has(key)) && !doubtful.has(pathText(fileOf(path)))
}
