import { randomUUID } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Clock } from '../../base/time.ts'
import type { Decision, Deny, Reply, StageName } from '../../model/decision.ts'
import { type Denial, isDenial } from '../../model/denial.ts'
import type { Observer } from '../../model/event.ts'
import type { Gateway } from '../../model/gateway.ts'
import type { RequestDescription } from '../../model/request.ts'
import type { Route } from '../../model/route.ts'
import { describeForwarded } from '../../wire/forwarded-request.ts'
import { replyOf } from '../../wire/reply.ts'
import { writeReply } from '../../wire/write.ts'
import type { Dialect } from './dialect.ts'
import { ENVOY, ENVOY_PREFIX } from './envoy.ts'
import { FORWARD } from './forward.ts'
import { NGINX } from './nginx.ts'
import { passageOf } from './passage.ts'
import { SECRET_HEADER, trustIn } from './trust.ts'

export interface ForwardAuthOptions {
  /** Read once per check. */
  readonly gateway: () => Gateway
  readonly observer: Observer
  readonly clock: Clock
  /** Whether its listener has nothing else to do: then every target is taken, and what is no check is not found. */
  readonly dedicated: boolean
}

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

/** A check on its way. */
interface Check extends CheckContext {
  readonly incoming: IncomingMessage
  readonly response: ServerResponse
  readonly gateway: Gateway
  readonly dialect: Dialect | undefined
  readonly startedAt: number
  readonly options: ForwardAuthOptions
}

interface Judged { readonly decision: Decision; readonly request?: RequestDescription }

const WITHHELD: ReadonlySet<string> = new Set([SECRET_HEADER])

const deny = (stage: StageName, denial: Denial, route?: Route): Deny => ({ outcome: 'deny', stage, denial, limits: [], attempts: [], ...(route ? { route } : {}) })

/** The path alone says who asks. Some callers put the query of the client behind it. */
function dialectOf(rawTarget: string): Dialect | undefined {
  const mark = rawTarget.indexOf('?')
  const path = mark < 0 ? rawTarget : rawTarget.slice(0, mark)
  if (path === '/_postern/forward') return FORWARD
  if (path === '/_postern/nginx') return NGINX
  return path === ENVOY_PREFIX || path.startsWith(`${ENVOY_PREFIX}/`) ? ENVOY : undefined
}

/** The request that is asked about, or why nobody can say what it is. */
function described({ incoming, gateway, dialect, peer, maxHeaders, overloaded, options }: Check): RequestDescription | Denial {
  if (overloaded) return { kind: 'denial', code: 'overloaded' }
  if (!dialect) return { kind: 'denial', code: 'route_not_found' }
  const trust = trustIn(incoming, { peer, dedicated: options.dedicated }, gateway)
  if (!trust) return { kind: 'denial', code: 'forwarder_untrusted' }
  return describeForwarded(incoming, { wire: gateway.wire, peer, trust, now: options.clock(), maxHeaders, withheld: WITHHELD, own: dialect.own, askedOf: dialect.askedOf })
}

/** The line, as far as one can go without the body of the request and without being its upstream. Calls `then` once. */
function judge(check: Check, then: (judged: Judged) => void): void {
  const request = described(check)
  if (isDenial(request)) return then({ decision: deny('describe', request) })
  const { point } = check.gateway
  const match = point.match(request)
  // An answer at this point is that to a preflight.
  if ('outcome' in match) return then({ request, decision: match })
  const { route } = match
  if (route.body) return then({ request, decision: deny('authorize', { kind: 'denial', code: 'forbidden', rule: 'body' }, route) })
  if (route.answer) return then({ request, decision: deny('match_route', { kind: 'denial', code: 'route_not_found' }, route) })
  const decision = point.decide(request, match)
  if (decision instanceof Promise) decision.then((decided) => then({ request, decision: decided }), (error: unknown) => failClosed(check, error))
  else then({ request, decision })
}

function refusal({ incoming, gateway, dialect, options }: Check, { decision, request }: Judged & { readonly decision: Deny }, requestId: string): Reply {
  const { origin } = incoming.headers
  const reply = replyOf(decision.denial, {
    wire: gateway.wire,
    requestId,
    now: options.clock(),
    origin: request && origin !== undefined && !origin.includes(',') ? origin : undefined,
    cors: decision.route?.cors,
    limits: decision.limits,
  })
  return dialect ? dialect.refuse(reply) : reply
}

/** Renders a decision in the caller's dialect; the only place where a check becomes bytes. */
function replyTo(check: Check, judged: Judged, requestId: string): Reply {
  const { decision, request } = judged
  if (decision.outcome === 'deny') return refusal(check, { ...judged, decision }, requestId)
  if (!request || !check.dialect) throw new Error('an undescribed request was allowed')
  return check.dialect.allow(passageOf(request, decision, check.gateway, check.options.clock()))
}

/** Claims that a client made and that the caller is told to overwrite. */
function countClaims({ headers }: RequestDescription, { wire: { owned } }: Gateway, observer: Observer): void {
  for (const name of owned.identity) if (headers.has(name)) observer.stripped(name)
}

/** The answer to what was judged; a fault on the way to it is a refusal. */
function rendered(check: Check, judged: Judged, requestId: string): Judged & { readonly reply: Reply } {
  try {
    return { ...judged, reply: replyTo(check, judged, requestId) }
  } catch (error) {
    check.options.observer.faulted(error)
    const decision = deny('describe', { kind: 'denial', code: 'internal' })
    return { decision, reply: refusal(check, { decision }, requestId) }
  }
}

/** Tells the observer, once, and the caller. Never throws. */
function finish(check: Check, judged: Judged): void {
  const { incoming, response, gateway, peer, startedAt, last, options: { observer } } = check
  const id = judged.request?.id ?? randomUUID()
  const { request, decision, reply } = rendered(check, judged, id)
  if (request) countClaims(request, gateway, observer)
  observer.decided({
    face: 'forward_auth',
    ...(request ? { request } : {}),
    wire: { id, method: incoming.method ?? '', path: incoming.url?.split('?', 1)[0] ?? '', peer: peer ?? '' },
    decision,
    status: reply.status,
    durationMs: performance.now() - startedAt,
  })
  if (response.destroyed) return
  // A caller that copies every field into the request has no use for the date.
  response.sendDate = decision.outcome === 'deny'
  try {
    writeReply(response, reply, { close: last, head: incoming.method === 'HEAD' })
  } catch (error) {
    observer.faulted(error)
    response.destroy()
  }
}

function failClosed(check: Check, error: unknown): void {
  check.options.observer.faulted(error)
  finish(check, { decision: deny('describe', { kind: 'denial', code: 'internal' }) })
}

function track({ incoming, response, startedAt, options: { observer } }: Check): void {
  observer.opened('request', 'forward_auth')
  response.on('error', () => undefined)
  response.once('close', () => {
    observer.closed('request', 'forward_auth')
    if (response.headersSent) observer.answered({ face: 'forward_auth', method: incoming.method ?? '', status: response.statusCode, durationMs: performance.now() - startedAt })
  })
}

/**
 * Builds the face that answers checks: nginx `auth_request`, Caddy and Traefik, Envoy, each at a path of its own. It has no listener; the
 * one that hands it requests is shared with the API, or is there for checks alone.
 */
export function createForwardAuth(options: ForwardAuthOptions): ForwardAuth {
  return {
    takes: options.dedicated ? () => true : (rawTarget) => rawTarget.startsWith('/_postern/') && dialectOf(rawTarget) !== undefined,
    answer: (incoming, response, context) => {
      const check: Check = { ...context, incoming, response, gateway: options.gateway(), dialect: dialectOf(incoming.url ?? ''), startedAt: performance.now(), options }
      track(check)
      try {
        judge(check, (judged) => finish(check, judged))
      } catch (error) {
        failClosed(check, error)
      }
    },
  }
}
