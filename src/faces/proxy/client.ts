import type { Readable } from 'node:stream'
import type { DurationMs } from '../../base/time.ts'
import type { Reply } from '../../model/decision.ts'
import type { AnswerLines } from '../../wire/answer-lines.ts'
import type { IncomingLines } from '../../wire/incoming.ts'

/** The bytes of a request's body as they arrive. `complete`: all of them have. */
export type BodyStream = Readable & { readonly complete: boolean }

/** The body of a request. */
export interface ClientBody {
  /** Takes all of it, when it came together with its head. */
  readonly whole: () => Buffer | undefined
  readonly stream: () => BodyStream
  /** Asks for it, where the client waits to be asked (`Expect: 100-continue`). */
  readonly ask: () => void
}

/** The head of an answer that is relayed. */
export interface AnswerHead {
  readonly status: number
  readonly message: string | undefined
  readonly lines: AnswerLines
  /** Nothing else follows on this connection. */
  readonly last: boolean
}

/** Called as methods: whoever hands one on wraps it. */
export interface AnswerSinkHooks {
  /** The client does not keep up: stop reading from the upstream. */
  readonly onFull: () => void
  readonly onDrained: () => void
  /** It has not taken a byte for too long (T51). */
  readonly onStalled: () => void
  readonly stallMs: DurationMs
  /** The answer has not ended in the turn in which it began. Called once. */
  readonly onLasting: () => void
}

/** The body of a relayed answer on its way to the client. */
export interface AnswerSink {
  /** Sends the head alone, unless a body follows in this very turn. */
  readonly begin: () => void
  readonly write: (chunk: Buffer) => void
  readonly end: () => void
}

export interface ReplyOptions {
  /** It is the last answer of its connection. */
  readonly close: boolean
  /** Default true. */
  readonly date?: boolean
  /** The answer is not about the body: one that has come is read past. Default false. */
  readonly pastBody?: boolean
}

/** Who is told of the end of a request. */
export interface Ending {
  /** The answer has left or the client has: the status if an answer had begun, and whether all of it has left. */
  readonly done: (status: number | undefined, whole: boolean) => void
}

/** The client's side of one request, whoever reads its connection. After the end has been told, every method does nothing. */
export interface Client {
  readonly message: IncomingLines
  readonly peer: string | undefined
  /** Whether the connection itself is TLS. */
  readonly encrypted: boolean
  /** Too many requests of its connection wait for their answers. */
  readonly crowded: boolean
  readonly body: ClientBody
  /** Whether an answer has begun: then there can be no other. */
  readonly begun: () => boolean
  /** Gives a complete answer. With a body that nobody will read it is the last one of its connection (T13). */
  readonly reply: (reply: Reply, options: ReplyOptions) => void
  /** Begins an answer that is relayed; one before the end of its request is the last one of its connection. */
  readonly relay: (head: AnswerHead, hooks: AnswerSinkHooks) => AnswerSink
  /** Passes an interim answer (1xx) on. */
  readonly inform: (status: number, fields: readonly string[]) => void
  /** Cuts the connection off. */
  readonly destroy: () => void
  /** Tells `ending` once. */
  readonly onDone: (ending: Ending) => void
}
