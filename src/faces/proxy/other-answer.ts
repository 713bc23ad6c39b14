import { type IncomingMessage, ServerResponse } from 'node:http'
import { pipeline } from 'node:stream'
import { writeAnswerHead } from '../../wire/write.ts'
import { checkAnswer, relayedHead } from './answer-head.ts'
import { type Allowed, answered } from './upgrading.ts'

const headOf = ({ statusCode = 502, rawHeaders }: IncomingMessage): { status: number; raw: readonly Buffer[] } => ({ status: statusCode, raw: rawHeaders.map((part) => Buffer.from(part, 'latin1')) })

/** What is wrong with an answer that is not a 101, or is one without an upgrade. */
export function mistakeIn(answer: IncomingMessage): unknown {
  const { status, raw } = headOf(answer)
  try {
    checkAnswer(status, raw)
    return undefined
  } catch (error) {
    return error
  }
}

/** Passes on an answer that is not a 101, as the last one of both connections: nothing was switched. */
export function relayAnswer(allowed: Allowed, answer: IncomingMessage, onEnd: (ok: boolean, status: number) => void): void {
  const { client, incoming, parts, gateway, decision, request } = allowed
  const { status, raw } = headOf(answer)
  const response = new ServerResponse(incoming)
  response.shouldKeepAlive = false
  response.assignSocket(client)
  response.on('error', () => undefined)
  writeAnswerHead(response, status, answer.statusMessage, relayedHead({ incoming, parts, gateway }, { decision, requestId: request.id }, { status, message: undefined, raw, passing: undefined }).list())
  response.flushHeaders()
  answered(allowed, status)
  pipeline(answer, response, (error) => {
    onEnd(!error, status)
    response.detachSocket(client)
    if (error) client.destroy()
    else client.destroySoon()
  })
}
