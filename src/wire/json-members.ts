/** The end of the string literal that opens at `start`: the index behind its closing quote. */
function endOfString(json: string, start: number): number {
  let at = start + 1
  while (at < json.length && json[at] !== '"') at += json[at] === '\\' ? 2 : 1
  return at + 1
}

/** The name of a member as its parser sees it: `"\u0061"` is `a`. */
const nameOf = (literal: string): string => (literal.includes('\\') ? String(JSON.parse(literal)) : literal.slice(1, -1))

/**
 * Looks for an object that names a member twice, and for nesting beyond `maxDepth`. One pass, no recursion.
 *
 * @param json text that `JSON.parse` has accepted: nothing is checked here that it has checked
 * @returns the first finding, or undefined
 */
export function duplicateMember(json: string, maxDepth: number): 'duplicate' | 'too deep' | undefined {
  /** Names seen so far in every object that is open; undefined for a list. */
  const open: (Set<string> | undefined)[] = []
  let nameNext = false
  for (let at = 0; at < json.length; at += 1) {
    const character = json[at]
    if (character === '{' || character === '[') {
      open.push(character === '{' ? new Set() : undefined)
      nameNext = character === '{'
      if (open.length > maxDepth) return 'too deep'
    } else if (character === '}' || character === ']') {
      open.pop()
      nameNext = false
    } else if (character === ',') {
      nameNext = open.at(-1) !== undefined
    } else if (character === '"') {
      const end = endOfString(json, at)
      const names = open.at(-1)
      if (nameNext && names) {
        const name = nameOf(json.slice(at, end))
        if (names.has(name)) return 'duplicate'
        names.add(name)
        nameNext = false
      }
      at = end - 1
    }
  }
  return undefined
}
