import type { Socket } from 'node:net'
import type { UpstreamSettings } from '../../model/gateway.ts'
import { type AnswerReader, createAnswerReader } from './answer-reader.ts'
import { type AnswerControl, type AnswerEvents, type UpstreamConnection, UpstreamClosedError, type UpstreamRequest, UpstreamTimeoutError } from './engine.ts'
import { afterOneTurn, type Task } from './loop.ts'
import { openSocket } from './open-socket.ts'
import { type BodyProgress, writeRequest } from './request-writer.ts'
import { createWait, type Wait } from './wait.ts'

const nothing = (): void => undefined

/**
 * The exchange under way, and the hold on it. Whoever still writes its answer to a client has that hold longer than it lasts: the socket is
 * somebody else's by then. As a task it begins.
 */
class Running implements AnswerControl, BodyProgress, Task {
  private readonly place: Place
  readonly request: UpstreamRequest
  readonly events: AnswerEvents
  /** Some of the request has been written. Until then nothing that arrives is an answer to it. */
  begun = false
  /** The whole request has been written. */
  sent = false
  answered = false
  /** The final head has arrived: from now on it is the next byte that is waited for. */
  headed = false
  /** The client does not keep up: it is its turn, and somebody else's patience. */
  paused = false
  stopBody = nothing

  constructor(place: Place, request: UpstreamRequest, events: AnswerEvents) {
    this.place = place
    this.request = request
    this.events = events
  }

  private get isOver(): boolean {
    return this.place.running !== this
  }

  abort(reason: Error): void {
    if (!this.isOver) fail(this.place, reason)
  }

  pause(): void {
    if (this.isOver) return
    this.paused = true
    this.place.next.end()
    this.place.socket?.pause()
  }

  resume(): void {
    if (this.isOver) return
    this.paused = false
    this.place.next.begin()
    this.place.socket?.resume()
  }

  moved(): void {
    if (!this.isOver && !this.answered) this.place.first.begin()
  }

  done(): void {
    this.sent = true
    this.moved()
  }

  run(): void {
    begin(this.place, this)
  }
}

interface Place {
  readonly settings: UpstreamSettings
  readonly reader: AnswerReader
  /** For the first byte. */
  readonly first: Wait
  /** Between any two. */
  readonly next: Wait
  socket: Socket | undefined
  carried: number
  running: Running | undefined
  destroyed: boolean
  giveUp: () => void
}

function drop(place: Place): void {
  const old = place.socket
  place.socket = undefined
  place.reader.reset()
  old?.destroy()
}

/** Ends the exchange; gives it, so that whoever ends it can tell. */
function over(place: Place): Running | undefined {
  const done = place.running
  place.running = undefined
  if (!done) return undefined
  place.first.end()
  place.next.end()
  done.stopBody()
  return done
}

function fail(place: Place, error: unknown): void {
  drop(place)
  over(place)?.events.failed(error)
}

/** What the reader finds, told to the exchange. */
function readerOf(place: () => Place): AnswerReader {
  return createAnswerReader({
    head: (head) => {
      const { running } = place()
      if (!running) return
      if (head.status >= 200) {
        running.headed = true
        place().first.end()
      }
      running.events.head(head)
    },
    data: (chunk) => {
      place().running?.events.data(chunk)
    },
    end: (reusable) => {
      const done = over(place())
      // An answer before the end of its request is the last one of its connection (RFC 9112 section 9.3).
      if (!reusable || !done?.sent || done.request.reset) drop(place())
      else place().socket?.resume()
      done?.events.ended()
    },
  })
}

function onData(place: Place, chunk: Buffer): void {
  const { running, reader } = place
  // Nobody asked. The request that waits for its turn gets a new connection.
  if (!running?.begun) return drop(place)
  if (!running.answered) {
    running.answered = true
    running.events.answered()
  }
  try {
    reader.push(chunk)
    // Most answers are over by now.
    if (place.running === running && running.headed && !running.paused) place.next.begin()
  } catch (error) {
    fail(place, error)
  }
}

function onClose(place: Place, error: Error | undefined): void {
  if (place.running && !place.running.begun) return drop(place)
  if (error) return fail(place, error)
  try {
    place.reader.close()
    fail(place, new UpstreamClosedError())
  } catch (reason) {
    fail(place, reason)
  }
}

/** Listens to a socket for as long as it is ours. */
function adopt(place: Place, opened: Socket): void {
  let failure: Error | undefined
  place.socket = opened
  place.carried = 0
  opened.on('data', (chunk: Buffer) => place.socket === opened && onData(place, chunk))
  opened.on('error', (error) => {
    failure = error
  })
  opened.on('close', () => place.socket === opened && onClose(place, failure))
  opened.resume()
}

function write(place: Place, open: Socket, now: Running): void {
  const { request } = now
  now.begun = true
  now.events.started(now)
  // Whoever was told may have ended it.
  if (place.running !== now) return
  place.reader.expect(request.method)
  place.first.begin()
  const stop = writeRequest(open, request, now)
  if (stop) now.stopBody = stop
  else now.sent = true
}

function send(place: Place, open: Socket, now: Running): void {
  try {
    write(place, open, now)
  } catch (error) {
    fail(place, error)
  }
}

function openAnew(place: Place, now: Running): void {
  place.giveUp = openSocket(place.settings, (error, opened) => {
    // It holds the exchange, which the connection outlives.
    place.giveUp = nothing
    if (!opened || place.destroyed || place.running !== now) {
      opened?.destroy()
      if (place.running === now) fail(place, error ?? new UpstreamClosedError())
      return
    }
    adopt(place, opened)
    send(place, opened, now)
  })
}

function begin(place: Place, now: Running): void {
  if (place.running !== now) return
  const { socket } = place
  if (socket && !socket.destroyed) return send(place, socket, now)
  try {
    openAnew(place, now)
  } catch (error) {
    fail(place, error)
  }
}

/**
 * A connection with a strict reader of its own. The socket is always listened to: bytes that nobody asked for end it at once, while it
 * is idle too, and a connection that was used before gets its next request only after one whole turn of the event loop in
 * which nothing arrived on it (T12).
 */
export function createDirectConnection(settings: UpstreamSettings): UpstreamConnection {
  const get = (): Place => place
  const late = (code: UpstreamTimeoutError['code']) => (): void => fail(place, new UpstreamTimeoutError(code))
  const first = createWait(settings.firstByteTimeoutMs, late('POSTERN_FIRST_BYTE_TIMEOUT'))
  const next = createWait(settings.idleTimeoutMs, late('POSTERN_IDLE_TIMEOUT'))
  const place: Place = { settings, first, next, reader: readerOf(get), socket: undefined, carried: 0, running: undefined, destroyed: false, giveUp: nothing }
  return {
    dispatch: (request, events) => {
      const now = new Running(place, request, events)
      place.running = now
      if (place.socket && !place.socket.destroyed) afterOneTurn(now)
      else begin(place, now)
    },
    carry: () => place.carried++,
    destroy: async () => {
      place.destroyed = true
      place.giveUp()
      fail(place, new UpstreamClosedError())
      first.close()
      next.close()
    },
  }
}
