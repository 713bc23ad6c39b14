import type { Socket } from 'node:net'
import type { Reply } from '../../model/decision.ts'
import { answerHead, answerText, interimText, type Standing } from '../../wire/answer-text.ts'
import type { IncomingLines } from '../../wire/incoming.ts'
import type { AnswerHead, AnswerSink, AnswerSinkHooks, BodyStream, Client, ClientBody, Ending, ReplyOptions } from './client.ts'
import { type WholeAnswer, writeAnswer } from './loop.ts'
import { Patience } from './patience.ts'
import { addEnding, answered, streamOf, type Turn } from './plain-connection.ts'
import { createPlainSink } from './plain-sink.ts'

function standingOf({ head, last, connection: { keepAliveMs } }: Turn, date: boolean): Standing {
  return { keepAlive: last ? undefined : Math.floor(keepAliveMs / 1_000), head: head.method === 'HEAD', date }
}

const isOpen = (turn: Turn): boolean => !turn.over && turn.status === undefined && turn.connection.socket.writable

/** The client's side of one turn of a connection that we read ourselves. There is one for each request, and one object costs less than a dozen functions. */
class PlainClient implements Client, ClientBody, WholeAnswer {
  private readonly turn: Turn
  /** An answer of our own that is whole. */
  text = ''

  constructor(turn: Turn) {
    this.turn = turn
  }

  get message(): IncomingLines {
    return this.turn.head
  }

  get peer(): string | undefined {
    return this.turn.connection.peer
  }

  get encrypted(): boolean {
    return this.turn.connection.encrypted
  }

  get crowded(): boolean {
    return false
  }

  get body(): ClientBody {
    return this
  }

  get socket(): Socket {
    return this.turn.connection.socket
  }

  whole(): Buffer | undefined {
    const { turn } = this
    const { arrived, left } = turn
    if (left > 0) return undefined
    turn.arrived = undefined
    return arrived
  }

  stream(): BodyStream {
    return streamOf(this.turn)
  }

  ask(): void {
    // An ordinary request asks for nothing before its body.
  }

  begun(): boolean {
    return this.turn.status !== undefined
  }

  reply(reply: Reply, { close, date = true, pastBody = false }: ReplyOptions): void {
    const { turn, socket } = this
    if (!isOpen(turn)) return this.destroy()
    // Nobody knows better what a body holds that nobody has taken, so nothing behind it is read either.
    turn.last ||= close || turn.left > 0 || (!pastBody && turn.arrived !== undefined)
    const { head, body, ascii } = answerText(reply, standingOf(turn, date))
    turn.status = reply.status
    // As one text of one-byte characters it is one write.
    if (ascii) {
      this.text = head + body
      return writeAnswer(this)
    }
    socket.cork()
    socket.write(head, 'latin1')
    socket.write(body, 'utf8', (error) => void (error || this.written()))
    socket.uncork()
  }

  relay({ status, message, lines, last }: AnswerHead, hooks: AnswerSinkHooks): AnswerSink {
    const { turn } = this
    turn.last ||= last || turn.left > 0
    const begun = isOpen(turn)
    const answer = answerHead({ status, message, lines }, standingOf(turn, true))
    if (begun) turn.status = status
    return createPlainSink(turn, answer, hooks)
  }

  inform(status: number, fields: readonly string[]): void {
    if (isOpen(this.turn)) this.socket.write(interimText(status, fields), 'latin1')
  }

  destroy(): void {
    if (!this.turn.over) this.socket.destroy()
  }

  onDone(ending: Ending): void {
    addEnding(this.turn, ending)
  }

  written(): void {
    answered(this.turn)
  }

  /** An answer of our own is small: whoever does not take it in the time of an idle connection is gone. */
  waits(): void {
    const patience = new Patience({ onStalled: () => this.destroy(), stallMs: this.turn.connection.keepAliveMs })
    addEnding(this.turn, patience)
    patience.begin()
  }
}

export const createPlainClient = (turn: Turn): Client => new PlainClient(turn)
