/** Texts that are longer than this are looked at each time. */
const MAX_LENGTH = 64
const MAX_TEXTS = 1_024

/**
 * The same function, with a memory: for what is asked of the same few texts with every request. Bounded, because strangers choose the texts.
 *
 * @param of  pure; what it gives is shared by all who ask. `undefined` is not remembered.
 * @param max  texts; more are forgotten, all at once
 */
export function remembering<T>(of: (text: string) => T, max = MAX_TEXTS): (text: string) => T {
  const memory = new Map<string, T>()
  return (text) => {
    const known = memory.get(text)
    if (known !== undefined) return known
    const found = of(text)
    if (found === undefined || text.length > MAX_LENGTH) return found
    if (memory.size >= max) memory.clear()
    memory.set(text, found)
    return found
  }
}
