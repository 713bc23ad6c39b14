import type { Denial } from '../../model/denial.ts'
import type { ExchangedEvent } from '../../model/event.ts'

/** What became of an exchange that failed, for the metrics and for the client. */
export interface Failure {
  readonly outcome: ExchangedEvent['outcome']
  readonly denial: Denial
  /** Status of the protocol rather than of the code. */
  readonly status?: number
}

/** An exchange that we ended ourselves, and as what. */
export class ExchangeEnded extends Error {
  readonly failure: Failure
  constructor(failure: Failure) {
    super(`exchange ended: ${failure.denial.code}`)
    this.name = 'ExchangeEnded'
    this.failure = failure
  }
}

type Phase = Extract<Denial, { code: 'upstream_timeout' }>['phase']

const TIMEOUTS: Readonly<Record<string, Phase>> = {
  POSTERN_CONNECT_TIMEOUT: 'connect',
  POSTERN_FIRST_BYTE_TIMEOUT: 'first_byte',
  POSTERN_IDLE_TIMEOUT: 'idle',
  UND_ERR_CONNECT_TIMEOUT: 'connect',
  ECONNECT_TIMEOUT: 'connect',
  ETIMEDOUT: 'connect',
  UND_ERR_HEADERS_TIMEOUT: 'first_byte',
  UND_ERR_BODY_TIMEOUT: 'idle',
}

/** Codes under which undici, llhttp and this face report an answer that is not HTTP. */
const PROTOCOL = /^(HPE_|POSTERN_UPSTREAM_PROTOCOL$|UND_ERR_HEADERS_OVERFLOW$|UND_ERR_RES_CONTENT_LENGTH_MISMATCH$)/

/** undici has no code of its own for an answer nobody asked for, or an upgrade nobody asked for. */
const OUT_OF_TURN = /^bad (response|upgrade)$/

/** Name of the trouble without values from the wire. */
export function causeOf(error: unknown): string {
  if (!(error instanceof Error)) return 'unknown'
  const code: unknown = 'code' in error ? error.code : undefined
  return typeof code === 'string' ? code : error.name
}

/** What an error means. `sent`: the request was on its way, so the connection itself had worked. */
export function failureOf(error: unknown, { upstream, sent }: { upstream: string; sent: boolean }): Failure {
  if (error instanceof ExchangeEnded) return error.failure
  const cause = causeOf(error)
  if (cause === 'UND_ERR_INVALID_ARG' || cause === 'UND_ERR_NOT_SUPPORTED') return { outcome: 'protocol_error', denial: { kind: 'denial', code: 'internal' } }
  const phase = Object.hasOwn(TIMEOUTS, cause) ? TIMEOUTS[cause] : undefined
  if (phase) return { outcome: 'timeout', denial: { kind: 'denial', code: 'upstream_timeout', upstream, phase } }
  const foul = PROTOCOL.test(cause) || (error instanceof Error && (error.name === 'HTTPParserError' || OUT_OF_TURN.test(error.message)))
  const outcome = foul ? 'protocol_error' : sent ? 'reset' : 'connect_error'
  return { outcome, denial: { kind: 'denial', code: 'upstream_unreachable', upstream, cause } }
}
