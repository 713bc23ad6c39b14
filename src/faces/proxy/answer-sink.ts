import type { ServerResponse } from 'node:http'
import { passedOn } from './bulk.ts'
import type { AnswerSink, AnswerSinkHooks } from './client.ts'

/** A body that fits with its head into what Node copies to the kernel without allocating, bytes. */
const SMALL = 12 * 1_024

/**
 * Writes with backpressure. Holds the newest chunk until the turn is over, because a small answer arrives in one piece (head, body
 * and end) and should leave as one too; nothing is held longer than that, so the head of an event stream leaves at once.
 */
export function createAnswerSink(response: ServerResponse, hooks: AnswerSinkHooks): AnswerSink {
  let held: Buffer | undefined
  let scheduled = false
  let full = false
  let watched = false
  let lasting = false
  let stalled: NodeJS.Timeout | undefined

  const patience = (): void => {
    if (stalled) return
    stalled = setTimeout(() => hooks.onStalled(), hooks.stallMs)
    // Once for the answer: a slow client fills and drains the socket thousands of times.
    if (!watched) response.once('close', () => clearTimeout(stalled))
    watched = true
  }
  const onDrain = (): void => {
    full = false
    clearTimeout(stalled)
    stalled = undefined
    hooks.onDrained()
  }
  const send = (chunk: Buffer): void => {
    passedOn(chunk.length)
    if (response.write(chunk) || full) return
    full = true
    response.once('drain', onDrain)
    hooks.onFull()
    patience()
  }
  const flush = (): void => {
    scheduled = false
    if (response.writableEnded || response.destroyed) return
    if (!lasting) hooks.onLasting()
    lasting = true
    const chunk = held
    held = undefined
    if (chunk) send(chunk)
    else response.flushHeaders()
  }
  const schedule = (): void => {
    if (scheduled) return
    scheduled = true
    queueMicrotask(flush)
  }

  return {
    begin: schedule,
    write: (chunk) => {
      if (held) send(held)
      held = chunk
      schedule()
    },
    end: () => {
      // As text it joins its head in one write, where Node would hand the kernel a list of two.
      if (held !== undefined && held.length <= SMALL) response.end(held.toString('latin1'), 'latin1')
      else response.end(held)
      held = undefined
      // What is left is in our memory; the same patience applies.
      if (response.writableLength > 0) patience()
    },
  }
}
