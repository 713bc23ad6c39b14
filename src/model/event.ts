import type { DurationMs, EpochMs } from '../base/time.ts'
import type { Decision, StageName } from './decision.ts'
import type { RequestDescription } from './request.ts'

/** Where a request came in; a metric label. */
export type Face = 'proxy' | 'forward_auth' | 'admin'

/** One request was judged. Exactly one per request, refusals before routing included. */
export interface DecidedEvent {
  readonly face: Face
  /** Absent when the request could not even be described; then `wire` says what is known. */
  readonly request?: RequestDescription
  readonly wire: { readonly id: string; readonly method: string; readonly path: string; readonly peer: string }
  readonly decision: Decision
  /** Status of the answer, when the face knows it by now: its own reply, or that of the upstream. */
  readonly status?: number
  readonly durationMs: DurationMs
}

/** One exchange with an upstream ended. */
export interface ExchangedEvent {
  readonly upstream: string
  readonly outcome: 'ok' | 'connect_error' | 'timeout' | 'reset' | 'client_abort' | 'protocol_error'
  readonly status?: number | undefined
  readonly durationMs: DurationMs
  readonly requestId: string
}

/** One answer left a face. */
export interface AnsweredEvent {
  readonly face: Face
  readonly method: string
  readonly status: number
  readonly durationMs: DurationMs
}

/** A call through one of the doors, or of a key source. */
export interface CalledEvent {
  readonly provider: string
  readonly operation: 'jwks' | 'discovery' | 'introspection' | 'user' | 'session' | 'remote' | 'store'
  readonly outcome: 'ok' | 'error' | 'timeout'
  readonly durationMs: DurationMs
  readonly detail?: string
}

/** Somebody changed something that decides who gets in. */
export interface AdministeredEvent {
  /** A stable slug: key_issued, key_rotated, key_revoked, … */
  readonly act: string
  /** Who did it: `admin`, `cli:alice`. */
  readonly actor: string
  readonly at: EpochMs
  /** Public id of what was changed. */
  readonly target: string
  /** Never a secret. */
  readonly details: Readonly<Record<string, string | undefined>>
}

/** What watches. Nothing in pipeline, authenticators, limiters or keys knows more of it than this. */
export interface Observer {
  readonly decided: (event: DecidedEvent) => void
  readonly exchanged: (event: ExchangedEvent) => void
  readonly answered: (event: AnsweredEvent) => void
  readonly called: (event: CalledEvent) => void
  /** An act of administration, for the audit log. An observer without it is told by `noticed`. */
  readonly administered?: (event: AdministeredEvent) => void
  /** A cache was asked. `cache` is a closed set: verified, jwks, introspection, … */
  readonly cached: (cache: string, result: 'hit' | 'miss' | 'stale') => void
  /** An identity header that a client claimed was removed. `header` is one of the configured names. */
  readonly stripped: (header: string) => void
  /** In-flight requests and open tunnels. */
  readonly opened: (what: 'request' | 'tunnel', face: Face) => void
  readonly closed: (what: 'request' | 'tunnel', face: Face) => void
  /** A control ended open: the counter store fell back, shadow mode let something pass. */
  readonly failedOpen: (reason: string) => void
  /** A bug. `failClosed` reports it and denies. */
  readonly faulted: (error: unknown, stage?: StageName) => void
  /** Something the operator should know; `code` is a stable slug. Never a secret in `fields`. */
  readonly noticed: (level: 'debug' | 'info' | 'warn' | 'error', code: string, message: string, fields?: Readonly<Record<string, unknown>>) => void
}

const nothing = (): void => undefined

/** Watches nothing; for tests and `explain`. */
export const SILENT: Observer = {
  decided: nothing,
  exchanged: nothing,
  answered: nothing,
  called: nothing,
  cached: nothing,
  stripped: nothing,
  opened: nothing,
  closed: nothing,
  failedOpen: nothing,
  faulted: nothing,
  noticed: nothing,
}
