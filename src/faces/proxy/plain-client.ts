import { answerHead, answerText, interimText, type Standing } from '../../wire/answer-text.ts'
import type { Client } from './client.ts'
import { writeAnswer } from './loop.ts'
import { answered, streamOf, type Turn } from './plain-connection.ts'
import { createPlainSink } from './plain-sink.ts'

function standingOf({ head, last, connection: { keepAliveMs } }: Turn, date: boolean): Standing {
  return { keepAlive: last ? undefined : Math.floor(keepAliveMs / 1_000), head: head.method === 'HEAD', date }
}

const isOpen = (turn: Turn): boolean => !turn.over && turn.status === undefined && turn.connection.socket.writable

function takeWhole(turn: Turn): Buffer | undefined {
  const { arrived, left } = turn
  if (left > 0) return undefined
  turn.arrived = undefined
  return arrived
}

/** The client's side of one turn of a connection that we read ourselves. */
export function createPlainClient(turn: Turn): Client {
  const { connection, head } = turn
  const { socket } = connection
  const destroy = (): void => void (turn.over || socket.destroy())
  return {
    message: head,
    peer: connection.peer,
    encrypted: connection.encrypted,
    crowded: false,
    body: {
      whole: () => takeWhole(turn),
      stream: () => streamOf(turn),
      ask: () => undefined,
    },
    begun: () => turn.status !== undefined,
    reply: (reply, { close, date = true, pastBody = false }) => {
      if (!isOpen(turn)) return destroy()
      // Nobody knows better what a body holds that nobody has taken, so nothing behind it is read either.
      turn.last ||= close || turn.left > 0 || (!pastBody && turn.arrived !== undefined)
      const { head: text, body, ascii } = answerText(reply, standingOf(turn, date))
      turn.status = reply.status
      // As one text of one-byte characters it is one write.
      if (ascii) return writeAnswer(socket, text + body, (error) => answered(turn, error))
      socket.cork()
      socket.write(text, 'latin1')
      socket.write(body, 'utf8', (error) => answered(turn, error))
      socket.uncork()
    },
    relay: ({ status, message, fields, last }, hooks) => {
      turn.last ||= last || turn.left > 0
      const begun = isOpen(turn)
      const answer = answerHead({ status, message, fields }, standingOf(turn, true))
      if (begun) turn.status = status
      return createPlainSink(turn, answer, hooks)
    },
    inform: (status, fields) => void (isOpen(turn) && socket.write(interimText(status, fields), 'latin1')),
    destroy,
    onDone: (then) => void turn.done.push(then),
  }
}
