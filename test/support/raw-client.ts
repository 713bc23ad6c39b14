import { connect } from 'node:net'
import { type HeaderLine, type Read, readBody, readHead, valuesOf } from './strict-http.ts'

/** One answer, as it came. */
export interface RawAnswer {
  readonly status: number
  /** In order, names as they were spelled. */
  readonly headers: readonly HeaderLine[]
  /** The body without its framing, one character a byte. */
  readonly body: string
  /** Every byte of this answer, one character a byte. */
  readonly raw: string
  /** Whether the other side had ended the connection when the exchange was over. */
  readonly closed: boolean
}

export interface RawRequestOptions {
  /** How long nothing may come before the exchange is taken as over, in ms. Default 2,000. */
  readonly timeoutMs?: number
  /** Ends the exchange at once when so many answers are whole; interim ones (1xx) do not count. Default: no such end. */
  readonly answers?: number
}

/** What may be written: one piece, or several that go out in order with a turn of the event loop between them. */
export type Bytes = string | Buffer | readonly (string | Buffer)[]

interface Collected { readonly bytes: Buffer; readonly closed: boolean }

const STATUS_LINE = /^HTTP\/1\.[01] (\d{3})(?: .*)?$/

type ParsedAnswer = Omit<RawAnswer, 'closed'>

/** The first whole answer in the bytes. Without framing fields it goes on until the connection ends. */
function readAnswer(bytes: Buffer, { bodiless, closed }: { bodiless: boolean; closed: boolean }): Read<ParsedAnswer> {
  const head = readHead(bytes, 0)
  if (head.kind !== 'read') return head
  const { start, headers } = head.value
  const status = Number(STATUS_LINE.exec(start)?.[1])
  if (Number.isNaN(status)) return { kind: 'violation', reason: `a status line ${JSON.stringify(start)}` }
  const answer = (body: string, end: number): Read<ParsedAnswer> => ({ kind: 'read', end, value: { status, headers, body, raw: bytes.toString('latin1', 0, end) } })
  if (status < 200 || status === 204 || status === 304 || (bodiless && status >= 200)) return answer('', head.end)
  const body = readBody(bytes, head.end, headers)
  if (body.kind !== 'read') return body
  if (body.value) return answer(body.value.bytes.toString('latin1'), body.end)
  return closed ? answer(bytes.toString('latin1', head.end), bytes.length) : { kind: 'incomplete' }
}

/** Splits what was received into answers, up to the first that is cut short or no HTTP/1.1. */
function answersOf({ bytes, closed }: Collected, bodiless: boolean): { readonly answers: RawAnswer[]; readonly mistake?: string } {
  const answers: RawAnswer[] = []
  for (let rest = bytes; rest.length > 0; ) {
    const answer = readAnswer(rest, { bodiless, closed })
    if (answer.kind === 'violation') return { answers, mistake: `an answer with ${answer.reason}` }
    if (answer.kind === 'incomplete') return { answers, mistake: `an answer that was cut short: ${JSON.stringify(rest.toString('latin1', 0, 500))}` }
    answers.push({ ...answer.value, closed })
    rest = rest.subarray(answer.end)
  }
  return { answers }
}

/**
 * Writes bytes on a connection of their own, exactly as given, and collects every answer until the other side ends the
 * connection or says nothing for `timeoutMs`. Checks nothing of what is written. When the first piece starts with `HEAD `,
 * answers are read as those to HEAD. The connection is destroyed at the end.
 *
 * @throws {Error} when what comes back is not whole HTTP/1.1 answers, or nobody listens
 */
export async function rawRequest(port: number, bytes: Bytes, { timeoutMs = 2_000, answers = Infinity }: RawRequestOptions = {}): Promise<RawAnswer[]> {
  const pieces = (Array.isArray(bytes) ? bytes : [bytes]).map((piece: string | Buffer) => (typeof piece === 'string' ? Buffer.from(piece, 'latin1') : piece))
  const bodiless = pieces[0]?.toString('latin1', 0, 5) === 'HEAD '
  const isOver = (sofar: Collected): boolean => answers !== Infinity && answersOf(sofar, bodiless).answers.filter(({ status }) => status >= 200).length >= answers
  const result = answersOf(await exchange(port, pieces, timeoutMs, isOver), bodiless)
  if (result.mistake !== undefined) throw new Error(result.mistake)
  return result.answers
}

async function exchange(port: number, pieces: readonly Buffer[], timeoutMs: number, isOver: (collected: Collected) => boolean): Promise<Collected> {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true })
  const chunks: Buffer[] = []
  const collected = new Promise<Collected>((resolve, reject) => {
    const over = (closed: boolean): void => resolve({ bytes: Buffer.concat(chunks), closed })
    socket.setTimeout(timeoutMs, () => over(false))
    socket.on('data', (chunk: Buffer) => {
      chunks.push(chunk)
      const sofar = { bytes: Buffer.concat(chunks), closed: false }
      if (isOver(sofar)) over(false)
    })
    socket.on('end', () => over(true))
    // A reset counts as an end: the other side may close while we still write.
    socket.on('error', (error: NodeJS.ErrnoException) => (error.code === 'ECONNREFUSED' ? reject(error) : over(true)))
    socket.on('close', () => over(true))
  })
  const write = async (): Promise<void> => {
    for (const piece of pieces) {
      if (socket.writable) await new Promise<void>((resolve) => socket.write(piece, () => setImmediate(resolve)))
    }
  }
  try {
    return (await Promise.all([collected, write()]))[0]
  } finally {
    socket.destroy()
  }
}

/** All values of one field of an answer, by name in any case. */
export const headerOf = ({ headers }: Pick<RawAnswer, 'headers'>, name: string): string[] => valuesOf(headers, name)
