import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { writeAnswerHead, writeInformational, writeReply } from '../../wire/write.ts'
import { createAnswerSink } from './answer-sink.ts'
import type { Client, Ending } from './client.ts'
import { hasUnreadBody, lingerAfterAnswer } from './linger.ts'
import { isEncrypted, type Peers } from './peer.ts'

const nothing = (): void => undefined

/** The newest answer of each connection. */
const answering = new WeakMap<Socket, ServerResponse>()

/** Whether part of an answer has been written to a connection, so that nothing else may be. */
export function hasBegunAnswer(socket: Socket): boolean {
  const response = answering.get(socket)
  return response?.headersSent === true && !response.destroyed
}

const ending = new WeakSet<Socket>()

/**
 * Whether whole requests of a connection still wait for their answers. Then the connection ends behind the last of them: what else
 * came is no request (RFC 9112 section 9.6), and must not take away answers to what was already done.
 */
export function endsAfterAnswers(socket: Socket): boolean {
  const last = answering.get(socket)
  if (last?.req.complete !== true || last.destroyed) return false
  if (!ending.has(socket)) last.once('close', () => socket.destroySoon())
  ending.add(socket)
  return true
}

/** More requests than anybody pipelines; each takes room from other clients, and connections are what is counted per client. */
const MAX_UNANSWERED = 128

/** Of each connection, the requests that wait for their answers: what is to be done when one is answered or will never be. */
const unanswered = new WeakMap<Socket, Set<() => void>>()

/**
 * Node tells only the answer whose turn it is that the connection is closed, and none of them once an upgrade or CONNECT behind them
 * has taken the connection away from it.
 */
function unansweredOf(socket: Socket): Set<() => void> {
  const known = unanswered.get(socket)
  if (known) return known
  const made = new Set<() => void>()
  unanswered.set(socket, made)
  socket.once('close', () => {
    for (const leave of made) leave()
  })
  return made
}

/** Tells when the connection or the answer is done. */
function watch(socket: Socket, response: ServerResponse, told: Ending): void {
  const waiting = unansweredOf(socket)
  const leave = (): void => {
    if (waiting.delete(leave)) told.done(response.headersSent ? response.statusCode : undefined, response.writableFinished)
  }
  waiting.add(leave)
  response.on('close', leave)
}

export interface NodeMessage {
  readonly incoming: IncomingMessage
  readonly response: ServerResponse
  readonly awaitsContinue: boolean
}

/** A client whose connection is read by the parser of Node: all that is rare, and what is no HTTP. */
export function createNodeClient({ incoming, response, awaitsContinue }: NodeMessage, peers: Peers): Client {
  // The message loses its socket in the end.
  const { socket } = incoming
  answering.set(socket, response)
  // A write after the client has gone is no error of ours, and unheard it would end the process (T52).
  response.on('error', nothing)
  // Whoever reads the body listens too, but may stop between the moment when Node sees that somebody does and the one when it tells:
  // a broken body behind a request that still has its answer to come ended the process so.
  incoming.on('error', nothing)
  let awaited = awaitsContinue
  return {
    message: incoming,
    peer: peers.of(socket),
    encrypted: isEncrypted(socket),
    crowded: unansweredOf(socket).size >= MAX_UNANSWERED,
    body: {
      whole: nothing as () => undefined,
      stream: () => incoming,
      ask: () => {
        if (awaited) response.writeContinue()
        awaited = false
      },
    },
    begun: () => response.headersSent,
    reply: (reply, { close, date = true, pastBody = false }) => {
      // Node reads past what nobody has read.
      const unread = !pastBody && hasUnreadBody(incoming)
      if (unread || close) lingerAfterAnswer(incoming)
      response.sendDate = date
      writeReply(response, reply, { close: close || unread, head: incoming.method === 'HEAD' })
    },
    relay: ({ status, message, lines, last }, hooks) => {
      const early = hasUnreadBody(incoming)
      if (early) lingerAfterAnswer(incoming)
      if (early || last) response.shouldKeepAlive = false
      writeAnswerHead(response, status, message, lines.list())
      return createAnswerSink(response, hooks)
    },
    inform: (status, fields) => writeInformational(response, status, fields),
    destroy: () => void response.destroy(),
    onDone: (told) => watch(socket, response, told),
  }
}
