import { hideFilled, type Hidden } from './hide.ts'
import { pathText, type ConfigPath, type Mistake, type PlacedMistake } from './mistake.ts'
import type { Overridden } from './overrides.ts'
import type { Place, SourceTree } from './source-tree.ts'

/** Where a value came from: a variable, the file, or nowhere (a default). */
export type Origin = { readonly kind: 'variable'; readonly name: string } | ({ readonly kind: 'file'; /** As written, when it is a reference. */ readonly reference?: string } & Place) | { readonly kind: 'default' }

/** Where everything of one config stands. */
export interface Places {
  readonly place: (path: ConfigPath) => Place
  /** Mistakes whose paths are those of the file already. */
  readonly inFile: (mistakes: readonly Mistake[]) => readonly PlacedMistake[]
  readonly placed: (mistakes: readonly Mistake[]) => readonly PlacedMistake[]
  readonly originOf: (path: ConfigPath, written: ReadonlyMap<string, string>) => Origin
}

export interface PlacesInput {
  readonly source: SourceTree
  readonly file: string
  readonly overridden: Overridden
  readonly hidden: Hidden
  readonly fileOf: (path: ConfigPath) => ConfigPath
}

/** Paths of the long form come in, places and paths of the file go out. */
export function createPlaces({ source, file, overridden, hidden, fileOf }: PlacesInput): Places {
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
export function inOrder(mistakes: readonly PlacedMistake[]): readonly PlacedMistake[] {
  const rank = ({ line, column }: PlacedMistake): number => (line === 0 ? Number.MAX_SAFE_INTEGER : line * 100_000 + column)
  const seen = new Set<string>()
  return mistakes
    .filter(({ file, path, message }) => {
      const key = JSON.stringify([file, pathText(path), message])
      return !seen.has(key) && seen.add(key)
    })
    .toSorted((a, b) => rank(a) - rank(b))
}
