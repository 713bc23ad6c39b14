import type { IncomingMessage, ServerResponse } from 'node:http'
import { writeReply } from '../../wire/write.ts'
import type { Reply } from '../../model/decision.ts'
import { answerCheck, type Check, type Conclusion, type ForwardAuthOptions } from './check.ts'
import type { Dialect } from './dialect.ts'
import { ENVOY, ENVOY_PREFIX } from './envoy.ts'
import { FORWARD } from './forward.ts'
import { NGINX } from './nginx.ts'

export type { ForwardAuthOptions } from './check.ts'

/** What the listener knows of a check. */
export interface CheckContext {
  readonly peer: string | undefined
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
  readonly answer: (incoming: IncomingMessage, response: ServerResponse, context: CheckContext) => void
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

function track(incoming: IncomingMessage, response: ServerResponse, { options: { observer }, startedAt }: Check): void {
  observer.opened('request', 'forward_auth')
  response.on('error', () => undefined)
  response.once('close', () => {
    observer.closed('request', 'forward_auth')
    if (response.headersSent) observer.answered({ face: 'forward_auth', method: incoming.method ?? '', status: response.statusCode, durationMs: performance.now() - startedAt })
  })
}

function write(incoming: IncomingMessage, response: ServerResponse, { reply, allowed, last }: { readonly reply: Reply; readonly allowed: boolean; readonly last: boolean }): void {
  if (response.destroyed) return
  // A caller that copies every field into the request has no use for the date.
  response.sendDate = !allowed
  try {
    writeReply(response, reply, { close: last, head: incoming.method === 'HEAD' })
  } catch (error) {
    response.destroy()
    throw error
  }
}

/**
 * Builds the face that answers checks: nginx `auth_request`, Caddy and Traefik, Envoy, each at a path of its own. It has no listener; the
 * one that hands it requests is shared with the API, or is there for checks alone.
 */
export function createForwardAuth(options: ForwardAuthOptions): ForwardAuth {
  return {
    takes: options.dedicated ? () => true : (rawTarget) => rawTarget.startsWith('/_postern/') && dialectOf(rawTarget) !== undefined,
    answer: (incoming, response, { peer, last, overloaded, maxHeaders }) => {
      const dialect = dialectOf(incoming.url ?? '')
      const check: Check = { options, gateway: options.gateway(), message: incoming, credentials: incoming, peer, overloaded, maxHeaders, dialect, canAnswer: false, startedAt: performance.now() }
      track(incoming, response, check)
      let reply: Reply | undefined
      const once = (conclusion: Conclusion): Reply => (reply ??= replyIn(dialect, conclusion))
      answerCheck(check, (conclusion) => once(conclusion).status, (conclusion) => write(incoming, response, { reply: once(conclusion), allowed: conclusion.passage !== undefined, last }))
    },
  }
}
