import type { Reply } from '../../model/decision.ts'
import type { IncomingLines } from '../../wire/incoming.ts'
import { answerCheck, type Check, type Conclusion, type ForwardAuthOptions } from './check.ts'
import type { Dialect } from './dialect.ts'
import { ENVOY, ENVOY_PREFIX } from './envoy.ts'
import { FORWARD } from './forward.ts'
import { NGINX } from './nginx.ts'

export type { ForwardAuthOptions } from './check.ts'

/** A caller that waits for its answer, as the listener knows it. */
export interface Caller {
  readonly message: IncomingLines
  readonly peer: string | undefined
  /** A caller that copies every field into the request has no use for the date. */
  readonly reply: (reply: Reply, options: { readonly close: boolean; readonly date: boolean; readonly pastBody: true }) => void
  /** Cuts the connection off. */
  readonly destroy: () => void
  /** Tells once when the answer has left or the caller has: the status if an answer had begun. */
  readonly onDone: (ending: { readonly done: (status: number | undefined) => void }) => void
}

/** What the listener says about a check. */
export interface CheckContext {
  /** The answer is the last of its connection. */
  readonly last: boolean
  readonly overloaded: boolean
  readonly maxHeaders: number
}

/** Decides about requests that another proxy holds in its hands. */
export interface ForwardAuth {
  /** Whether a request with this target, as sent, is a check. */
  readonly takes: (rawTarget: string) => boolean
  /** Answers a check. Never throws: a fault is answered 500. */
  readonly answer: (caller: Caller, context: CheckContext) => void
}

/** The path alone says who asks. Some callers put the query of the client behind it. */
function dialectOf(rawTarget: string): Dialect | undefined {
  const mark = rawTarget.indexOf('?')
  const path = mark < 0 ? rawTarget : rawTarget.slice(0, mark)
  if (path === '/_postern/forward') return FORWARD
  if (path === '/_postern/nginx') return NGINX
  return path === ENVOY_PREFIX || path.startsWith(`${ENVOY_PREFIX}/`) ? ENVOY : undefined
}

/** The conclusion in the caller's dialect. */
function replyIn(dialect: Dialect | undefined, { passage, reply }: Conclusion): Reply {
  if (reply) return dialect ? dialect.refuse(reply) : reply
  if (!dialect) throw new Error('a request that nobody asked about was allowed')
  return dialect.allow(passage)
}

function write(caller: Caller, reply: Reply, options: Parameters<Caller['reply']>[1]): void {
  try {
    caller.reply(reply, options)
  } catch (error) {
    caller.destroy()
    throw error
  }
}

function track(caller: Caller, { options: { observer }, message, startedAt }: Check): void {
  observer.opened('request', 'forward_auth')
  caller.onDone({ done: (status) => {
    observer.closed('request', 'forward_auth')
    if (status !== undefined) observer.answered({ face: 'forward_auth', method: message.method ?? '', status, durationMs: performance.now() - startedAt })
  } })
}

/**
 * Builds the face that answers checks: nginx `auth_request`, Caddy and Traefik, Envoy, each at a path of its own. It has no listener; the
 * one that hands it requests is shared with the API, or is there for checks alone.
 */
export function createForwardAuth(options: ForwardAuthOptions): ForwardAuth {
  return {
    takes: options.dedicated ? () => true : (rawTarget) => rawTarget.startsWith('/_postern/') && dialectOf(rawTarget) !== undefined,
    answer: (caller, { last, overloaded, maxHeaders }) => {
      const { message, peer } = caller
      const dialect = dialectOf(message.url ?? '')
      const check: Check = { options, gateway: options.gateway(), message, credentials: message, peer, overloaded, maxHeaders, dialect, canAnswer: false, startedAt: performance.now() }
      track(caller, check)
      let reply: Reply | undefined
      const once = (conclusion: Conclusion): Reply => (reply ??= replyIn(dialect, conclusion))
      answerCheck(check, (conclusion) => once(conclusion).status, (conclusion) => write(caller, once(conclusion), { close: last, date: conclusion.passage === undefined, pastBody: true }))
    },
  }
}
