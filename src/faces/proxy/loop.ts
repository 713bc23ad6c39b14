import type { Socket } from 'node:net'

/** Something that is put off. An object rather than a function, so that whoever is there anyway need not make one. */
export interface Task {
  /** Must not throw. */
  readonly run: () => void
}

/** An answer that is whole, for `writeAnswer`. */
export interface WholeAnswer {
  readonly socket: Socket
  /** One-byte characters. */
  readonly text: string
  /** The system has all of it. When it never will, the socket is closed. */
  readonly written: () => void
  /** Some of it is in the memory of the socket: `written` will be called later. */
  readonly waits: () => void
}

/**
 * One turn of the event loop: all sockets that have something are read (poll), and then what came of it is done (check). Like things are done
 * in a row: the code of each is warm, and whoever gets the answers is woken once. `check` runs once in a turn, if there is anything to do.
 */
interface Loop {
  /** For this turn, once everything has been read. */
  read: Task[]
  /** For the check after the next poll. */
  next: Task[]
  /** For the check after the one after: asked for in the midst of a poll. */
  afterNext: Task[]
  answers: WholeAnswer[]
  scheduled: boolean
  checking: boolean
}

const loop: Loop = { read: [], next: [], afterNext: [], answers: [], scheduled: false, checking: false }

function schedule(): void {
  if (loop.scheduled) return
  loop.scheduled = true
  setImmediate(check)
}

/** The system takes most answers at once. To be called back would be a tick for each. */
function settle(answer: WholeAnswer): void {
  const { socket } = answer
  if (socket.destroyed || socket.errored) return
  if (socket.writableLength === 0) return answer.written()
  socket.write('', 'latin1', (error) => void (error || answer.written()))
  answer.waits()
}

function writeAnswers(): void {
  const { answers } = loop
  loop.answers = []
  for (const { socket, text } of answers) socket.write(text, 'latin1')
  for (const answer of answers) settle(answer)
}

function check(): void {
  const { next, read } = loop
  loop.next = loop.afterNext
  loop.afterNext = []
  loop.read = []
  loop.scheduled = false
  loop.checking = true
  for (const task of next) task.run()
  for (const task of read) task.run()
  loop.checking = false
  writeAnswers()
  if (loop.next.length > 0) schedule()
}

/** Runs a task in this turn of the event loop, when all that has arrived has been read. */
export function afterReading(task: Task): void {
  loop.read.push(task)
  schedule()
}

/** Runs a task after one whole turn: between the call and the task everything is read that had arrived before the call. */
export function afterOneTurn(task: Task): void {
  // The poll phase that is under way may have passed the socket in question already.
  if (loop.checking) loop.next.push(task)
  else loop.afterNext.push(task)
  schedule()
}

/** Writes an answer together with those of others: it leaves in this turn of the event loop. */
export function writeAnswer(answer: WholeAnswer): void {
  loop.answers.push(answer)
  if (!loop.checking) schedule()
}
