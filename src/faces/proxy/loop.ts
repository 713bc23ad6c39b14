import type { Socket } from 'node:net'

/** What a write of a socket calls. */
export type Written = (error: Error | null | undefined) => void

interface Answer { readonly socket: Socket; readonly text: string; readonly written: Written; readonly begun: (() => void) | undefined }

/**
 * One turn of the event loop: all sockets that have something are read (poll), and then what came of it is done (check). Like things are done
 * in a row: the code of each is warm, and whoever gets the answers is woken once. `check` runs once in a turn, if there is anything to do.
 */
interface Loop {
  /** For this turn, once everything has been read. */
  read: (() => void)[]
  /** For the check after the next poll. */
  next: (() => void)[]
  /** For the check after the one after: asked for in the midst of a poll. */
  afterNext: (() => void)[]
  answers: Answer[]
  scheduled: boolean
  checking: boolean
}

const loop: Loop = { read: [], next: [], afterNext: [], answers: [], scheduled: false, checking: false }

function schedule(): void {
  if (loop.scheduled) return
  loop.scheduled = true
  setImmediate(check)
}

function writeAnswers(): void {
  const { answers } = loop
  loop.answers = []
  for (const { socket, text, written, begun } of answers) {
    socket.write(text, 'latin1', written)
    begun?.()
  }
}

function check(): void {
  const { next, read } = loop
  loop.next = loop.afterNext
  loop.afterNext = []
  loop.read = []
  loop.scheduled = false
  loop.checking = true
  for (const then of next) then()
  for (const then of read) then()
  loop.checking = false
  writeAnswers()
  if (loop.next.length > 0) schedule()
}

/** Calls back in this turn of the event loop, when all that has arrived has been read. `then` must not throw. */
export function afterReading(then: () => void): void {
  loop.read.push(then)
  schedule()
}

/**
 * Calls back after one whole turn: between the call and the callback everything is read that had arrived before the call. `then`
 * must not throw.
 */
export function afterOneTurn(then: () => void): void {
  // The poll phase that is under way may have passed the socket in question already.
  if (loop.checking) loop.next.push(then)
  else loop.afterNext.push(then)
  schedule()
}

/**
 * Writes a whole answer of one-byte characters, together with those of others: it leaves in this turn of the event loop.
 *
 * @param begun  is called behind the write: what the system has not taken is in the memory of the socket
 */
export function writeAnswer(socket: Socket, text: string, written: Written, begun?: () => void): void {
  loop.answers.push({ socket, text, written, begun })
  if (!loop.checking) schedule()
}
