/**
 * What was found out last on a connection, by whom: a client that says the same again, letter by letter, gets the same. Each keeps there, under an
 * object that nobody else uses for it, what follows from its questions alone, together with those questions, and looks whether they are the same.
 */
export type Memory = Map<object, unknown>

/** A client that goes through everything there is keeps no more than this. */
const MOST = 32

/** What was written down under `whose`. It is what whoever owns that object has written, and so of their type. */
export const recall = <T extends object>(memory: Memory | undefined, whose: object): T | undefined => memory?.get(whose) as T | undefined

/** Writes down what was found out, where there is a memory. */
export function remember(memory: Memory | undefined, whose: object, found: object): void {
  if (!memory) return
  if (memory.size >= MOST && !memory.has(whose)) memory.clear()
  memory.set(whose, found)
}
