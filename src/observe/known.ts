/**
 * Remembers what is made of a value: the few names of a config come with every request. For values that the code or a config bounds,
 * and never for what a client chooses.
 */
export function createKnown<K, V extends NonNullable<unknown>>(make: (value: K) => V): (value: K) => V {
  const known = new Map<K, V>()
  return (value) => {
    const made = known.get(value)
    if (made !== undefined) return made
    const fresh = make(value)
    known.set(value, fresh)
    return fresh
  }
}

/** The same for values that are not bounded: the first `max` distinct ones as they are, every later one as `_OTHER` (T56). */
export function createBounded<V extends NonNullable<unknown>>(max: number, make: (label: string) => V): (value: string) => V {
  const known = new Map<string, V>()
  let other: V | undefined
  return (value) => {
    const made = known.get(value)
    if (made !== undefined) return made
    if (known.size >= max) return (other ??= make('_OTHER'))
    const fresh = make(value)
    known.set(value, fresh)
    return fresh
  }
}

/** More names than a config has, so that those of all that were ever loaded are not kept. */
const MOST_TEXTS = 512

/** Remembers the texts that are made of names. Forgets them all when they become too many. */
export function createTexts(make: (name: string) => string): (name: string) => string {
  const known = new Map<string, string>()
  return (name) => {
    const text = known.get(name)
    if (text !== undefined) return text
    const made = make(name)
    if (known.size >= MOST_TEXTS) known.clear()
    known.set(name, made)
    return made
  }
}
