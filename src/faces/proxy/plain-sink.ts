import type { Socket } from 'node:net'
import type { AnswerFraming } from '../../wire/answer-text.ts'
import { passedOn } from './bulk.ts'
import type { AnswerSink, AnswerSinkHooks } from './client.ts'
import { afterReading, type Task, type WholeAnswer, writeAnswer } from './loop.ts'
import { Patience } from './patience.ts'
import { addEnding, answered, type Turn } from './plain-connection.ts'

/** A piece of a body that is cheaper to copy into the text of its head than to hand to the system beside it, bytes. */
const SMALL = 12 * 1_024

/** An answer on its way to a client. */
class PlainSink implements AnswerSink, Task, WholeAnswer {
  private readonly turn: Turn
  private readonly framing: AnswerFraming
  private readonly hooks: AnswerSinkHooks
  /** The head, until it has been written; the whole answer, when it is. */
  text: string
  private held: Buffer | undefined
  private scheduled = false
  private lasting = false
  private full = false
  private patience: Patience | undefined

  constructor(turn: Turn, { text, framing }: { readonly text: string; readonly framing: AnswerFraming }, hooks: AnswerSinkHooks) {
    this.turn = turn
    this.framing = framing
    this.hooks = hooks
    this.text = text
  }

  get socket(): Socket {
    return this.turn.connection.socket
  }

  begin(): void {
    if (this.scheduled) return
    this.scheduled = true
    afterReading(this)
  }

  write(chunk: Buffer): void {
    const { held } = this
    if (this.turn.over) return
    this.held = chunk
    if (held) this.send(held)
    this.begin()
  }

  end(): void {
    const { held } = this
    if (this.turn.over) return
    this.held = undefined
    this.scheduled = false
    this.finish(held)
  }

  /** The turn of the event loop is over in which the newest piece came. */
  run(): void {
    const { held, turn } = this
    if (!this.scheduled) return
    this.scheduled = false
    if (turn.over) return
    if (!this.lasting) this.hooks.onLasting()
    this.lasting = true
    this.held = undefined
    this.send(held)
  }

  written(): void {
    answered(this.turn)
  }

  waits(): void {
    this.watch()
  }

  /** From now on the client may not take its time any longer than it is allowed. Once for the answer: a slow client fills and drains the socket thousands of times. */
  private watch(): void {
    if (!this.patience) addEnding(this.turn, (this.patience = new Patience(this.hooks)))
    this.patience.begin()
  }

  private fill(): void {
    if (this.full) return
    this.full = true
    this.socket.once('drain', () => {
      this.full = false
      this.patience?.done()
      this.hooks.onDrained()
    })
    this.hooks.onFull()
    this.watch()
  }

  /** Takes what stands before the body. */
  private takeText(): string {
    const { text } = this
    this.text = ''
    return text
  }

  private bodyOf(chunk: Buffer | undefined): Buffer | undefined {
    return this.framing === 'none' || chunk?.length === 0 ? undefined : chunk
  }

  /** Writes what there is, and something will follow. */
  private send(chunk: Buffer | undefined): void {
    const body = this.bodyOf(chunk)
    const before = this.takeText()
    if (!body) return void (before !== '' && this.socket.write(before, 'latin1'))
    const goes = this.framing === 'chunked' ? put(this.socket, `${before}${body.length.toString(16)}\r\n`, body, '\r\n') : put(this.socket, before, body, '')
    if (!goes) this.fill()
  }

  /** Writes the rest. */
  private finish(chunk: Buffer | undefined): void {
    const { socket } = this
    const body = this.bodyOf(chunk)
    const before = this.takeText()
    const [size, after] = this.framing !== 'chunked' ? ['', ''] : body ? [`${body.length.toString(16)}\r\n`, LAST_CHUNK_BEHIND] : ['', LAST_CHUNK]
    // Most answers are whole and small by now.
    if (!body || body.length <= SMALL) {
      this.text = before + size + (body ? body.toString('latin1') : '') + after
      return writeAnswer(this)
    }
    if (!put(socket, before + size, body, after, (error) => void (error || this.written()))) this.fill()
    // What is left is in our memory: the same patience applies.
    if (!this.turn.over && socket.writableLength > 0) this.watch()
  }
}

const LAST_CHUNK = '0\r\n\r\n'
const LAST_CHUNK_BEHIND = `\r\n${LAST_CHUNK}`

/** Writes a piece of the body between what stands around it; gives whether the client keeps up. */
function put(socket: Socket, before: string, chunk: Buffer, after: string, then?: (error: Error | null | undefined) => void): boolean {
  if (chunk.length <= SMALL) return socket.write(before + chunk.toString('latin1') + after, 'latin1', then)
  passedOn(chunk.length)
  socket.cork()
  if (before !== '') socket.write(before, 'latin1')
  let goes = socket.write(chunk, after === '' ? then : undefined)
  if (after !== '') goes = socket.write(after, 'latin1', then)
  socket.uncork()
  return goes
}

/**
 * Writes an answer with backpressure. Holds the newest piece until everything has been read in this turn of the loop, because a small answer arrives in one
 * piece (head, body and end) and should leave as one too; nothing is held longer than that, so the head of an event stream leaves at once.
 */
export const createPlainSink = (turn: Turn, head: { readonly text: string; readonly framing: AnswerFraming }, hooks: AnswerSinkHooks): AnswerSink => new PlainSink(turn, head, hooks)
