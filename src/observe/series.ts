/** Things by a tuple of label values. A look-up walks one map per label, since joining the values to one key costs a new text each time. */
export interface Series<T> {
  /** The thing of these values, made when it is first asked for. Always asked with the same number of values. */
  readonly of: (values: readonly string[]) => T
  readonly all: () => readonly T[]
}

type Level<T> = Map<string, Level<T> | T>

/** @param make  must not make a `Map` */
export function createSeries<T extends object>(make: (values: readonly string[]) => T): Series<T> {
  const root: Level<T> = new Map()
  const all: T[] = []
  const add = (level: Level<T>, last: string, values: readonly string[]): T => {
    const made = make([...values])
    level.set(last, made)
    all.push(made)
    return made
  }
  return {
    of: (values) => {
      let level = root
      for (let index = 0; index < values.length - 1; index += 1) {
        const value = values[index] ?? ''
        let next = level.get(value)
        if (!(next instanceof Map)) level.set(value, (next = new Map()))
        level = next
      }
      const last = values[values.length - 1] ?? ''
      const known = level.get(last)
      return known === undefined || known instanceof Map ? add(level, last, values) : known
    },
    all: () => all,
  }
}
