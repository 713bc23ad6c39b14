/** Why a JSON text is not taken although it parses. */
export type MemberFault = 'duplicate' | 'prototype' | 'too_deep'

const MAX_DEPTH = 32

/** The end of the string literal that starts at `start`, exclusive. */
function endOfString(json: string, start: number): number {
  let at = start + 1
  while (at < json.length && json[at] !== '"') at += json[at] === '\\' ? 2 : 1
  return at + 1
}

/**
 * Looks for members that verifiers would disagree about: one name twice in an object (T65; the first, the last, or an error,
 * depending on the parser), compared after unescaping, since `"sub"` and `"\u0073ub"` are one name. Also refuses `__proto__` as a name.
 *
 * @param json  text that `JSON.parse` has accepted; nothing else is understood
 */
export function memberFaultOf(json: string): MemberFault | undefined {
  const levels: (Set<string> | undefined)[] = []
  let expectsName = false
  for (let at = 0; at < json.length; at += 1) {
    const character = json[at]
    if (character === '{' || character === '[') {
      if (levels.push(character === '{' ? new Set() : undefined) > MAX_DEPTH) return 'too_deep'
      expectsName = character === '{'
    } else if (character === '}' || character === ']') {
      levels.pop()
      expectsName = false
    } else if (character === ',') {
      expectsName = levels.at(-1) !== undefined
    } else if (character === '"') {
      const end = endOfString(json, at)
      const names = levels.at(-1)
      if (expectsName && names) {
        const name: unknown = JSON.parse(json.slice(at, end))
        if (name === '__proto__') return 'prototype'
        if (names.has(String(name))) return 'duplicate'
        names.add(String(name))
        expectsName = false
      }
      at = end - 1
    }
  }
  return undefined
}
