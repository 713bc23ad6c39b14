/** Keys and indexes from the root of the config to the value in question. */
export type ConfigPath = readonly (string | number)[]

/** An error (or a warning) in a config, before it has a position. */
export interface Mistake {
  readonly path: ConfigPath
  /** What is wrong with the values seen, what was expected, and the nearest right spelling; one line. */
  readonly message: string
}

/** A mistake with its place in the file: what `check` prints as `file:line:column path: message`. */
export interface PlacedMistake extends Mistake {
  readonly file: string
  /** From 1. */
  readonly line: number
  /** From 1. */
  readonly column: number
}

/** Everything that is wrong with a config, all at once. Nothing was started. */
export class ConfigError extends Error {
  readonly mistakes: readonly Mistake[]
  constructor(mistakes: readonly Mistake[]) {
    super(mistakes.map(({ path, message }) => `${path.join('.')}: ${message}`).join('\n'))
    this.name = 'ConfigError'
    this.mistakes = mistakes
  }
}
