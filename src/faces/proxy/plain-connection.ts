import { Readable } from 'node:stream'
import type { Socket } from 'node:net'
import type { DurationMs } from '../../base/time.ts'
import type { RequestHead } from '../../wire/request-head.ts'
import type { BodyStream, Ending } from './client.ts'
import { KeptFields } from './kept-fields.ts'
import { afterReading, type Task } from './loop.ts'

/** What a connection of ordinary requests hands on. */
export interface PlainEvents {
  readonly request: (turn: Turn) => void
  /** The first request of a connection is here. */
  readonly spoke: (socket: Socket) => void
  /** Something that is not ordinary: from here on, somebody else reads. What has not been read is back in the socket. */
  readonly handedOver: (socket: Socket) => void
}

/** One request on its way, and what is known of its body. */
export interface Turn {
  readonly connection: PlainConnection
  readonly head: RequestHead
  /** Bytes of the body that have not arrived. */
  left: number
  /** What has arrived and nobody has asked for. */
  arrived: Buffer | undefined
  stream: (BodyStream & { complete: boolean }) | undefined
  /** Status of the answer that has begun. */
  status: number | undefined
  /** It is the last of its connection. */
  last: boolean
  over: boolean
  /** Whom to tell of its end. */
  endings: Ending[]
}

/** `waiting`: for a request. `asked`: one is on its way. `leaving`: the last answer was given. `over`: closed, or somebody else's. */
type State = 'waiting' | 'asked' | 'leaving' | 'over'

/** A connection whose requests have been ordinary so far. One at a time: what is pipelined waits in the order in which it came. As a task it looks at what has arrived. */
export interface PlainConnection extends Task {
  readonly socket: Socket
  readonly peer: string | undefined
  readonly encrypted: boolean
  /** Bytes of one request head. */
  readonly maxHead: number
  readonly keepAliveMs: DurationMs
  readonly events: PlainEvents
  state: State
  /** Bytes that nobody has read yet, and in how many pieces they came. */
  held: Buffer | undefined
  pieces: number
  /** When its state, or its waiting for the rest of a head, began; by the monotonic clock. */
  since: number
  requests: number
  /** Those of the last request. */
  readonly fields: KeptFields
  turn: Turn | undefined
  /** Its bytes are looked at once in a turn of the event loop, when all of them are here. */
  due: boolean
  /** Stops listening. */
  detach: () => void
}

/** Pipelined bytes, and bytes of a body that nobody wants, that are kept before the client is made to wait. */
const MAX_HELD = 64 * 1_024
/** A head that comes in more pieces is read by the parser that need not look at the first ones again. */
const MAX_PIECES = 8
/** How long an unread request is read and thrown away, so that the client gets to read the answer. */
const LINGER_MS: DurationMs = 1_000

const NOBODY: Ending[] = []
const BLANK_LINE = '\r\n\r\n'
/** What has begun as an ordinary head and may go on as one: whoever waits for the end of anything else may wait in vain. */
const BEGINNING = /^[A-Z](?:[\t\x20-\x7e\x80-\xff]|\r\n|\r$)*$/

function handOver(connection: PlainConnection, bytes: Buffer): void {
  const { socket, events } = connection
  connection.state = 'over'
  connection.detach()
  socket.pause()
  socket.unshift(bytes)
  events.handedOver(socket)
  socket.resume()
}

function begin(connection: PlainConnection, head: RequestHead, bytes: Buffer, at: number): void {
  const { length, keepAlive } = head.fields
  const end = Math.min(bytes.length, at + length)
  const turn: Turn = {
    connection, head, left: length - (end - at), arrived: end > at ? bytes.subarray(at, end) : undefined, stream: undefined, status: undefined, last: !keepAlive, over: false, endings: NOBODY,
  }
  connection.held = end < bytes.length ? bytes.subarray(end) : undefined
  connection.state = 'asked'
  connection.turn = turn
  connection.requests += 1
  if (connection.requests === 1) connection.events.spoke(connection.socket)
  connection.events.request(turn)
}

/** Reads a head from bytes that begin with one, if the whole of it is there. */
function read(connection: PlainConnection, bytes: Buffer): void {
  const { maxHead, fields } = connection
  const same = fields.same(bytes, maxHead)
  if (same) return begin(connection, same, bytes, bytes.length)
  const text = bytes.toString('latin1', 0, Math.min(bytes.length, maxHead + BLANK_LINE.length))
  const end = text.indexOf(BLANK_LINE)
  if (end !== -1) {
    const head = fields.read(text.slice(0, end), bytes)
    return head ? begin(connection, head, bytes, end + BLANK_LINE.length) : handOver(connection, bytes)
  }
  connection.pieces += 1
  if (connection.pieces > MAX_PIECES || bytes.length > maxHead || !BEGINNING.test(text)) return handOver(connection, bytes)
  if (connection.pieces === 1) connection.since = performance.now()
  connection.held = bytes
}

function hold(connection: PlainConnection, bytes: Buffer): void {
  connection.held = connection.held ? Buffer.concat([connection.held, bytes]) : bytes
  if (connection.held.length > MAX_HELD) connection.socket.pause()
}

/** Gives bytes of the body to whoever reads it. */
function pass(turn: Turn, bytes: Buffer): void {
  const { stream, connection: { socket } } = turn
  if (!stream) {
    turn.arrived = turn.arrived ? Buffer.concat([turn.arrived, bytes]) : bytes
    if (turn.arrived.length > MAX_HELD) socket.pause()
    return
  }
  stream.complete = turn.left === 0
  if (!stream.push(bytes)) socket.pause()
  if (turn.left === 0) stream.push(null)
}

function takeBody(connection: PlainConnection, turn: Turn, bytes: Buffer): void {
  const mine = Math.min(bytes.length, turn.left)
  turn.left -= mine
  if (mine < bytes.length) hold(connection, bytes.subarray(mine))
  if (mine > 0) pass(turn, mine === bytes.length ? bytes : bytes.subarray(0, mine))
}

/** Throws away what comes behind the last answer, until all of the request has come. */
function discard({ socket, turn }: PlainConnection, bytes: number): void {
  if (!turn) return
  turn.left -= bytes
  if (turn.left <= 0) socket.destroy()
}

/** Looks at what is held when everything that has arrived in this turn of the event loop is here. */
function lookSoon(connection: PlainConnection): void {
  if (connection.due) return
  connection.due = true
  afterReading(connection)
}

function look(connection: PlainConnection): void {
  const { held, socket, state } = connection
  connection.due = false
  if (state !== 'waiting' || !held || socket.destroyed) return
  connection.held = undefined
  read(connection, held)
}

function onData(connection: PlainConnection, bytes: Buffer): void {
  const { state, held, turn } = connection
  if (state === 'waiting') {
    connection.held = held ? Buffer.concat([held, bytes]) : bytes
    lookSoon(connection)
  } else if (state === 'asked' && turn) takeBody(connection, turn, bytes)
  else if (state === 'leaving') discard(connection, bytes.length)
}

/** The body of a turn as a stream, made when it is first asked for. */
export function streamOf(turn: Turn): BodyStream {
  const { socket } = turn.connection
  if (turn.stream) return turn.stream
  const stream = Object.assign(new Readable({ highWaterMark: MAX_HELD, read: () => void (turn.over || socket.resume()) }), { complete: turn.left === 0 })
  turn.stream = stream
  if (turn.arrived) stream.push(turn.arrived)
  turn.arrived = undefined
  if (turn.left === 0) stream.push(null)
  return stream
}

/** Most requests have one: no room is made for more. */
export function addEnding(turn: Turn, ending: Ending): void {
  if (turn.endings === NOBODY) turn.endings = [ending]
  else turn.endings.push(ending)
}

function tell(turn: Turn, whole: boolean): void {
  if (turn.over) return
  turn.over = true
  for (const ending of turn.endings) ending.done(turn.status, whole)
}

/**
 * Says goodbye (FIN) and reads on for a moment where the request has not come completely: a close with unread bytes would reset the
 * connection and take the answer with it (RFC 9112 section 9.6).
 */
function leave(connection: PlainConnection, { left }: Turn): void {
  const { socket } = connection
  connection.state = 'leaving'
  if (left === 0) return socket.destroySoon()
  const timer = setTimeout(() => socket.destroy(), LINGER_MS)
  socket.once('close', () => clearTimeout(timer))
  socket.end()
  socket.resume()
}

/** The system has all of the answer of a turn. One that it never gets is told by the close of the connection. */
export function answered(turn: Turn): void {
  const { connection } = turn
  if (turn.over) return
  tell(turn, true)
  if (turn.last) return leave(connection, turn)
  connection.turn = undefined
  connection.state = 'waiting'
  connection.pieces = 0
  connection.since = performance.now()
  // The next request may have come already.
  if (connection.held) lookSoon(connection)
  if (connection.socket.isPaused()) connection.socket.resume()
}

function onClose(connection: PlainConnection): void {
  const { turn } = connection
  connection.state = 'over'
  if (!turn) return
  tell(turn, false)
  turn.stream?.destroy()
}

export type PlainSettings = Pick<PlainConnection, 'socket' | 'peer' | 'encrypted' | 'maxHead' | 'keepAliveMs' | 'events'>

/** Reads ordinary requests from a connection, until it ends or something comes that is not ordinary. */
export function readPlainly(settings: PlainSettings): PlainConnection {
  const { socket } = settings
  const data = (bytes: Buffer): void => onData(connection, bytes)
  const close = (): void => onClose(connection)
  // Half a connection is none: the answer to whoever has hung up goes nowhere.
  const end = (): void => void socket.end()
  const error = (): void => undefined
  const connection: PlainConnection = {
    ...settings, state: 'waiting', held: undefined, pieces: 0, since: performance.now(), requests: 0, fields: new KeptFields(), turn: undefined, due: false, run: () => look(connection),
    detach: () => void socket.off('data', data).off('close', close).off('end', end).off('error', error),
  }
  socket.on('data', data).on('close', close).on('end', end).on('error', error)
  return connection
}
