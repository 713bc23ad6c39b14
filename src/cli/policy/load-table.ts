import { dirname, resolve } from 'node:path'
import type { ConfigPath, Mistake, PlacedMistake } from '../../config/mistake.ts'
import { mistakesOf } from '../../config/mistakes-of.ts'
import { readFromDisk, unreadable, type ReadFile } from '../../config/secrets.ts'
import { readSourceTree, type SourceTree } from '../../config/source-tree.ts'
import { tableSchema, type Table } from './table-schema.ts'

/** A table that was read, or what is wrong with it. */
export interface LoadedTable {
  /** As it was given. */
  readonly file: string
  /** Absent when something is wrong. */
  readonly table?: Table
  readonly mistakes: readonly PlacedMistake[]
  readonly placed: (mistakes: readonly Mistake[]) => readonly PlacedMistake[]
  /** Absolute path of what the table names, relative to itself. */
  readonly pathOf: (name: string) => string
}

/** Where a value stands, or the nearest thing around it. */
function placeOf(source: SourceTree, path: ConfigPath, at: Mistake['at']) {
  const own = (at && source.find(path, 'key')) ?? source.find(path, 'value')
  if (own) return own
  for (let length = path.length - 1; length >= 0; length -= 1) {
    const place = source.find(path.slice(0, length), 'key') ?? source.find(path.slice(0, length), 'value')
    if (place) return place
  }
  return { line: 1, column: 1 }
}

/** Reads one table: YAML with places, held against the schema. Every mistake at once; never throws. */
export function loadTable(file: string, readFile: ReadFile = readFromDisk): LoadedTable {
  const pathOf = (name: string): string => resolve(dirname(resolve(file)), name)
  let text: string
  try {
    text = readFile(resolve(file)).text
  } catch (error) {
    return { file, mistakes: [{ path: [], message: `this table ${unreadable(error)}`, file, line: 0, column: 0 }], placed: () => [], pathOf }
  }
  const source = readSourceTree(text)
  const placed = (mistakes: readonly Mistake[]): readonly PlacedMistake[] => mistakes.map((mistake) => ({ ...mistake, file, ...placeOf(source, mistake.path, mistake.at) }))
  const unread = source.mistakes.map(({ place, ...mistake }): PlacedMistake => ({ ...mistake, ...place, file }))
  if (source.value === undefined) return { file, mistakes: unread, placed, pathOf }
  const parsed = tableSchema.safeParse(source.value)
  if (!parsed.success) return { file, mistakes: [...unread, ...placed(mistakesOf(parsed.error.issues, { schema: tableSchema, tree: source.value }))], placed, pathOf }
  return { file, mistakes: unread, ...(unread.length === 0 && { table: parsed.data }), placed, pathOf }
}
