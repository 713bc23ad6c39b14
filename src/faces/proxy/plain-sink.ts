import type { AnswerFraming } from '../../wire/answer-text.ts'
import { passedOn } from './bulk.ts'
import type { AnswerSink, AnswerSinkHooks } from './client.ts'
import { afterReading, writeAnswer, type Written } from './loop.ts'
import { answered, type Turn } from './plain-connection.ts'

/** A piece of a body that is cheaper to copy into the text of its head than to hand to the system beside it, bytes. */
const SMALL = 12 * 1_024

interface Sending {
  readonly turn: Turn
  readonly framing: AnswerFraming
  readonly hooks: AnswerSinkHooks
  /** The head, until it has been written. */
  head: string
  held: Buffer | undefined
  scheduled: boolean
  lasting: boolean
  full: boolean
  stalled: NodeJS.Timeout | undefined
  watched: boolean
}

/** From now on the client may not take its time any longer than it is allowed. */
function watch(sending: Sending): void {
  const { turn, hooks } = sending
  if (sending.stalled) return
  sending.stalled = setTimeout(hooks.onStalled, hooks.stallMs)
  // Once for the answer: a slow client fills and drains the socket thousands of times.
  if (!sending.watched) turn.done.push(() => clearTimeout(sending.stalled))
  sending.watched = true
}

function fill(sending: Sending): void {
  const { turn: { connection: { socket } }, hooks } = sending
  if (sending.full) return
  sending.full = true
  socket.once('drain', () => {
    sending.full = false
    clearTimeout(sending.stalled)
    sending.stalled = undefined
    hooks.onDrained()
  })
  hooks.onFull()
  watch(sending)
}

/** Writes a chunk of the body between what stands around it. */
function put({ turn: { connection: { socket } } }: Sending, before: string, chunk: Buffer, after: string, then?: Written): boolean {
  if (chunk.length <= SMALL) return socket.write(before + chunk.toString('latin1') + after, 'latin1', then)
  passedOn(chunk.length)
  socket.cork()
  if (before !== '') socket.write(before, 'latin1')
  let goes = socket.write(chunk, after === '' ? then : undefined)
  if (after !== '') goes = socket.write(after, 'latin1', then)
  socket.uncork()
  return goes
}

/** What is left is in our memory: the same patience applies. */
function watchRest(sending: Sending): void {
  const { turn } = sending
  if (!turn.over && turn.connection.socket.writableLength > 0) watch(sending)
}

/** What stands around a piece of the body. `ends`: nothing follows it. */
function framed({ framing, head }: Sending, body: Buffer | undefined, ends: boolean): readonly [before: string, after: string] {
  if (framing !== 'chunked') return [head, '']
  const [size, crlf] = body ? [`${body.length.toString(16)}\r\n`, '\r\n'] : ['', '']
  return [head + size, ends ? `${crlf}0\r\n\r\n` : crlf]
}

/** Writes what there is; `then` is called when it has been given to the system, and says that nothing follows. */
function send(sending: Sending, chunk: Buffer | undefined, then?: Written): void {
  const { turn: { connection: { socket } }, framing } = sending
  const body = framing === 'none' || chunk?.length === 0 ? undefined : chunk
  const [before, after] = framed(sending, body, then !== undefined)
  sending.head = ''
  // Most answers are whole and small by now.
  if (then && (!body || body.length <= SMALL)) return writeAnswer(socket, before + (body ? body.toString('latin1') : '') + after, then, () => watchRest(sending))
  if (body) {
    if (!put(sending, before, body, after, then)) fill(sending)
  } else if (before !== '') socket.write(before, 'latin1')
  if (then) watchRest(sending)
}

function flush(sending: Sending): void {
  const { turn, held, hooks } = sending
  sending.scheduled = false
  if (turn.over) return
  if (!sending.lasting) hooks.onLasting()
  sending.lasting = true
  sending.held = undefined
  send(sending, held)
}

function schedule(sending: Sending): void {
  if (sending.scheduled) return
  sending.scheduled = true
  afterReading(() => {
    if (sending.scheduled) flush(sending)
  })
}

/**
 * Writes an answer with backpressure. Holds the newest chunk until everything has been read in this turn of the loop, because a small answer arrives in one
 * piece (head, body and end) and should leave as one too; nothing is held longer than that, so the head of an event stream leaves at once.
 */
export function createPlainSink(turn: Turn, { text, framing }: { readonly text: string; readonly framing: AnswerFraming }, hooks: AnswerSinkHooks): AnswerSink {
  const sending: Sending = { turn, framing, hooks, head: text, held: undefined, scheduled: false, lasting: false, full: false, stalled: undefined, watched: false }
  return {
    begin: () => schedule(sending),
    write: (chunk) => {
      const { held } = sending
      if (turn.over) return
      sending.held = chunk
      if (held) send(sending, held)
      schedule(sending)
    },
    end: () => {
      const { held } = sending
      if (turn.over) return
      sending.held = undefined
      sending.scheduled = false
      send(sending, held, (error) => answered(turn, error))
    },
  }
}
