import type { Clock, DurationMs } from '../base/time.ts'
import type { CalledEvent, Observer } from '../model/event.ts'
import type { Verification } from '../model/ports.ts'
import { memberFaultOf } from './duplicate-member.ts'
import type { FetchJson, SideAnswer, SideCall, SideFailure } from './side-call.ts'

export type Unavailable = Extract<Verification, { readonly kind: 'unavailable' }>

/** What an authority says, when it could be understood. */
export interface Answered {
  readonly kind: 'answered'
  readonly status: number
  /** Lower-case names. */
  readonly headers: ReadonlyMap<string, string>
  /** The body as JSON; undefined when it is not. */
  readonly json: unknown
}

/** Somebody who is asked about credentials: an identity provider, the application, any URL of the config. */
export interface Authority {
  /** Asks. A failure to get an answer is `unavailable`; so are 429 and every 5xx. Never rejects. */
  readonly ask: (question: Question) => Promise<Answered | Unavailable>
  /** "Could not check", in this authority's name. */
  readonly unavailable: (cause: string) => Unavailable
  /** "Could not check, and it is our own settings that are wrong". */
  readonly misconfigured: (cause: string) => Unavailable
}

export interface Question {
  readonly url: string
  readonly method?: 'GET' | 'POST'
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
}

export interface AuthoritySettings {
  /** What a denial and the log call it: the authenticator's name. */
  readonly dependency: string
  readonly operation: CalledEvent['operation']
  readonly timeoutMs: DurationMs
  readonly fetchJson: FetchJson
  readonly observer: Observer
  readonly clock: Clock
}

/** Longest answer that is read (T46). */
export const MAX_ANSWER_BYTES = 65_536
const LONGEST_RETRY_MS = 3_600_000

/** `Retry-After` in seconds or as a date (RFC 9110 section 10.2.3); at least 1 s, at most an hour. */
export function retryAfterMs(value: string | undefined, now: number): DurationMs | undefined {
  if (value === undefined) return undefined
  const ms = /^\d{1,9}$/.test(value) ? Number(value) * 1_000 : Date.parse(value) - now
  return Number.isFinite(ms) ? Math.min(Math.max(ms, 1_000), LONGEST_RETRY_MS) : undefined
}

export function createAuthority({ dependency, operation, timeoutMs, fetchJson, observer, clock }: AuthoritySettings): Authority {
  const unavailable = (cause: string): Unavailable => ({ kind: 'unavailable', dependency, cause })
  const tell = (answer: SideAnswer | SideFailure, startedAt: number): void => {
    const outcome = answer.kind === 'timeout' ? 'timeout' : answer.kind === 'answer' && answer.status < 500 ? 'ok' : 'error'
    const detail = answer.kind === 'answer' ? `answered ${answer.status}` : answer.detail
    observer.called({ provider: dependency, operation, outcome, durationMs: performance.now() - startedAt, detail })
  }

  const understood = (answer: SideAnswer): Answered | Unavailable => {
    const { status, headers, text, json } = answer
    if (status === 429) {
      const wait = retryAfterMs(headers.get('retry-after'), clock())
      return { ...unavailable('answered 429'), ...(wait === undefined ? {} : { retryAfterMs: wait }) }
    }
    if (status >= 500 || status < 200) return unavailable(`answered ${status}`)
    // `{"active":false,"active":true}`: whoever reads the first and whoever reads the last would disagree (T46, T65).
    const fault = json === undefined ? undefined : memberFaultOf(text)
    return fault ? unavailable(`answered ${status} with doubtful JSON (${fault})`) : { kind: 'answered', status, headers, json }
  }

  return {
    unavailable,
    misconfigured: (cause) => ({ ...unavailable(cause), misconfigured: true }),
    ask: async (question) => {
      const startedAt = performance.now()
      const call: SideCall = { ...question, timeoutMs, maxBytes: MAX_ANSWER_BYTES }
      const answer = await fetchJson(call)
      tell(answer, startedAt)
      return answer.kind === 'answer' ? understood(answer) : unavailable(`${answer.kind}: ${answer.detail}`)
    },
  }
}

/** A JSON object with own members, or undefined. */
export const objectOf = (value: unknown): Readonly<Record<string, unknown>> | undefined =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Readonly<Record<string, unknown>>) : undefined
