import type { Denial } from '../../model/denial.ts'
import type { DecidedEvent, ExchangedEvent, Observer } from '../../model/event.ts'
import { denialOf, slugOf } from '../../observe/speaker.ts'
import { PROBLEMS } from '../../wire/problems.ts'
import type { Color, Paint } from '../terminal.ts'

export interface RequestLinesOptions {
  /** Takes one line; makes foreign text in it safe. */
  readonly say: (line: string) => void
  readonly paint: Paint
  /** Milliseconds since the epoch. */
  readonly clock: () => number
}

/** Requests that wait for their upstream at once; more are not shown. */
const MAX_PENDING = 1_000

const MAX_PATH = 100

/** What clients get when the upstream gave no status. */
const TROUBLE: Readonly<Record<Exclude<ExchangedEvent['outcome'], 'ok'>, readonly [status: string, words: string]>> = {
  connect_error: ['502', 'upstream_unreachable'],
  reset: ['502', 'upstream_unreachable'],
  protocol_error: ['502', 'upstream_unreachable'],
  timeout: ['504', 'upstream_timeout'],
  client_abort: ['---', 'the client left'],
}

const colorOf = (status: string): Color => (/^[123]/.test(status) ? 'green' : status.startsWith('4') ? 'yellow' : 'red')

const statusOf = (denial: Denial): number => (denial.code === 'request_too_large' ? denial.status : PROBLEMS[denial.code].status)

/** Who was let in, or why not. */
function wordsOf({ decision }: DecidedEvent): string {
  const denial = denialOf(decision)
  if (denial) return decision.outcome === 'allow' ? `${slugOf(denial)} (only observed)` : slugOf(denial)
  const primary = decision.principals?.primary
  return primary?.kind === 'identified' ? primary.subject : ''
}

/**
 * The same observer, which also says a line for each request: `00:09:40 401 GET /hello credential_missing`. A line has no header, no
 * query and no credential.
 */
export function withRequestLines(observer: Observer, { say, paint, clock }: RequestLinesOptions): Observer {
  const pending = new Map<string, DecidedEvent>()

  const tell = (event: DecidedEvent, status: string, words: string): void => {
    const { method, path } = event.wire
    // Local time: it is read beside the terminal in which the request was sent.
    const time = new Date(clock()).toTimeString().slice(0, 8)
    say([paint('dim', time), paint(colorOf(status), status), method, path.length > MAX_PATH ? `${path.slice(0, MAX_PATH)}…` : path, words].filter((part) => part !== '').join(' '))
  }

  return {
    ...observer,
    decided: (event) => {
      observer.decided(event)
      const { decision } = event
      if (decision.outcome === 'deny') return tell(event, String(event.status ?? statusOf(decision.denial)), wordsOf(event))
      if (decision.outcome === 'answer') return tell(event, String(decision.reply.status), wordsOf(event))
      if (pending.size < MAX_PENDING) pending.set(event.wire.id, event)
    },
    exchanged: (event) => {
      observer.exchanged(event)
      const decided = pending.get(event.requestId)
      if (!decided) return
      pending.delete(event.requestId)
      const [status, words] = event.outcome === 'ok' ? [String(event.status ?? '---'), ''] : event.status === undefined ? TROUBLE[event.outcome] : [String(event.status), event.outcome]
      tell(decided, status, [wordsOf(decided), words].filter((part) => part !== '').join(' '))
    },
  }
}
