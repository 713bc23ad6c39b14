/**
 * What was found out last on a connection, by whom: a client that says the same again, letter by letter, gets the same. Each keeps there, under an
 * object of its own, what follows from its questions alone, together with those questions, and looks whether they are the same.
 */
export type Memory = Map<object, unknown>

/** A client that goes through everything there is keeps no more than this. */
const MOST = 32

/** Writes down what was found out. */
export function remember(memory: Memory, whose: object, found: object): void {
  if (memory.size >= MOST) memory.clear()
  memory.set(whose, found)
}
