/** Keys and indexes from the root of the config to the value in question. */
export type ConfigPath = readonly (string | number)[]

/** An error (or a warning) in a config, before it has a position. */
export interface Mistake {
  /** In the normalised config, that is with the short forms written out. Empty when it is about the whole. */
  readonly path: ConfigPath
  /** What is wrong with the values seen, what was expected, and the nearest right spelling; one line. */
  readonly message: string
  /** `key`: it is the key that is wrong, not its value. */
  readonly at?: 'key'
}

/** A mistake with its place in the file: what `check` prints as `file:line:column path: message`. */
export interface PlacedMistake extends Mistake {
  /** Path of the file; `env NAME` when the value came from an environment variable. */
  readonly file: string
  /** From 1; 0 when the value is not in a file. */
  readonly line: number
  /** From 1; 0 when the value is not in a file. */
  readonly column: number
}

/** Everything that is wrong with a config, all at once. Nothing was started. */
export class ConfigError extends Error {
  readonly mistakes: readonly Mistake[]
  constructor(mistakes: readonly Mistake[]) {
    super(mistakes.map(({ path, message }) => `${pathText(path)}: ${message}`).join('\n'))
    this.name = 'ConfigError'
    this.mistakes = mistakes
  }
}

/** The same with places, in the order of the file. Paths are those of the file, as the operator wrote it. */
export class ConfigFileError extends ConfigError {
  declare readonly mistakes: readonly PlacedMistake[]
  /** Absolute paths of the files whose change may mend it: the config, and what it refers to, absent files included. */
  readonly watched: readonly string[]
  constructor(mistakes: readonly PlacedMistake[], watched: readonly string[] = []) {
    super(mistakes)
    this.watched = watched
    this.name = 'ConfigFileError'
  }
}

const segmentText = (segment: string | number): string => {
  if (typeof segment === 'number') return `[${segment}]`
  return /^[^\s.[\]"]+$/.test(segment) ? `.${segment}` : `[${JSON.stringify(segment)}]`
}

/** `auth[0].jwt.issuer`; empty for the root. */
export const pathText = (path: ConfigPath): string => path.map(segmentText).join('').replace(/^\./, '')
