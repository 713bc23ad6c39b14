import type { Clock } from '../../base/time.ts'
import type { Decision, Deny, Reply, StageName } from '../../model/decision.ts'
import { type Denial, isDenial } from '../../model/denial.ts'
import type { Observer } from '../../model/event.ts'
import type { Gateway } from '../../model/gateway.ts'
import type { RequestDescription } from '../../model/request.ts'
import type { Route } from '../../model/route.ts'
import { answerHeaders } from '../../wire/answer-headers.ts'
import { describeForwarded } from '../../wire/forwarded-request.ts'
import type { IncomingLines } from '../../wire/incoming.ts'
import { replyOf } from '../../wire/reply.ts'
import { createRequestId } from '../../wire/request-id.ts'
import type { Dialect, Passage } from './dialect.ts'
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

/** One question about one request, however it came. */
export interface Check {
  readonly options: ForwardAuthOptions
  readonly gateway: Gateway
  /** The lines of the request that it is about, with what the caller wrote among them. */
  readonly message: IncomingLines
  /** Where the caller shows its secret: the lines of its own message. */
  readonly credentials: Pick<IncomingLines, 'rawHeaders'>
  readonly peer: string | undefined
  readonly overloaded: boolean
  readonly maxHeaders: number
  /** Undefined when nobody is known to ask this way. */
  readonly dialect: Pick<Dialect, 'own' | 'askedOf'> | undefined
  /** Whether the caller can give its client an answer of ours that is no refusal. */
  readonly canAnswer: boolean
  readonly startedAt: number
}

interface Judged { readonly decision: Decision; readonly request?: RequestDescription }

/** What the caller is to be told. */
export type Conclusion = { readonly passage: Passage; readonly reply?: undefined } | { readonly reply: Reply; readonly passage?: undefined }

const WITHHELD: ReadonlySet<string> = new Set([SECRET_HEADER])

/** A rule about a body that stays where it is. */
const UNREAD: Denial = { kind: 'denial', code: 'forbidden', rule: 'body' }

const deny = (stage: StageName, denial: Denial, route?: Route): Deny => ({ outcome: 'deny', stage, denial, limits: [], attempts: [], ...(route ? { route } : {}) })

/** The request that is asked about, or why nobody can say what it is. */
function described({ message, credentials, gateway, dialect, peer, maxHeaders, overloaded, options }: Check): RequestDescription | Denial {
  if (overloaded) return { kind: 'denial', code: 'overloaded' }
  if (!dialect) return { kind: 'denial', code: 'route_not_found' }
  const trust = trustIn(credentials, { peer, dedicated: options.dedicated }, gateway)
  if (!trust) return { kind: 'denial', code: 'forwarder_untrusted' }
  return describeForwarded(message, { wire: gateway.wire, peer, trust, now: options.clock(), maxHeaders, withheld: WITHHELD, own: dialect.own, askedOf: dialect.askedOf })
}

/** The line, as far as one can go without the body of the request and, for most callers, without being its upstream. Calls `then` once. */
function judge(check: Check, then: (judged: Judged) => void): void {
  const request = described(check)
  if (isDenial(request)) return then({ decision: deny('describe', request) })
  const { point } = check.gateway
  const match = point.match(request)
  // An answer at this point is that to a preflight.
  if ('outcome' in match) return then({ request, decision: match })
  const { route } = match
  if (route.body && !route.observe) return then({ request, decision: deny('authorize', UNREAD, route) })
  if (route.answer && !check.canAnswer) return then({ request, decision: deny('match_route', { kind: 'denial', code: 'route_not_found' }, route) })
  const decision = point.decide(request, route.body ? { observed: { stage: 'authorize', denial: UNREAD }, ...match } : match)
  if (decision instanceof Promise) decision.then((decided) => then({ request, decision: decided }), (error: unknown) => then(fault(check, error)))
  else then({ request, decision })
}

function fault({ options }: Check, error: unknown): Judged {
  options.observer.faulted(error)
  return { decision: deny('describe', { kind: 'denial', code: 'internal' }) }
}

/** The one `Origin` of the request, if it has exactly one. */
function originOf(request: RequestDescription | undefined): string | undefined {
  const [origin, ...more] = request?.headers.get('origin') ?? []
  return more.length === 0 ? origin : undefined
}

function concluded(check: Check, { decision, request }: Judged, requestId: string): Conclusion {
  const { gateway, options, canAnswer } = check
  const about = { wire: gateway.wire, requestId, now: options.clock(), origin: originOf(request) }
  if (decision.outcome === 'deny') return { reply: replyOf(decision.denial, { ...about, cors: decision.route?.cors, limits: decision.limits }) }
  if (!request) throw new Error('an undescribed request was allowed')
  if (decision.outcome === 'answer' && canAnswer) return { reply: { ...decision.reply, headers: [...decision.reply.headers, ...answerHeaders(decision, about)] } }
  return { passage: passageOf(request, decision, gateway, about.now) }
}

/** What was judged and what follows from it; a fault on the way from one to the other is a refusal. */
interface Rendered { readonly judged: Judged; readonly conclusion: Conclusion }

function rendered(check: Check, judged: Judged, requestId: string): Rendered {
  try {
    return { judged, conclusion: concluded(check, judged, requestId) }
  } catch (error) {
    const faulty = fault(check, error)
    return { judged: faulty, conclusion: concluded(check, faulty, requestId) }
  }
}

function tell({ message: { method = '', url = '' }, peer = '', startedAt, options: { observer } }: Check, { request, decision }: Judged, id: string, status: number): void {
  const query = url.indexOf('?')
  const wire = { id, method, path: query === -1 ? url : url.slice(0, query), peer }
  const durationMs = performance.now() - startedAt
  observer.decided(request ? { face: 'forward_auth', request, wire, decision, status, durationMs } : { face: 'forward_auth', wire, decision, status, durationMs })
}

/** Claims that a client made and that the caller is told to overwrite. */
function countClaims({ headers }: RequestDescription, { wire: { owned } }: Gateway, observer: Observer): void {
  for (const name of owned.identity) if (headers.has(name)) observer.stripped(name)
}

/**
 * Answers a check: describes, decides, tells the observer exactly once, and hands the conclusion to `write`, which gives the status that
 * the caller sees. Never throws; a fault is a refusal.
 */
export function answerCheck(check: Check, statusOf: (conclusion: Conclusion) => number, write: (conclusion: Conclusion) => void): void {
  const { gateway, options: { observer } } = check
  const finish = (found: Judged): void => {
    const id = found.request?.id ?? createRequestId()
    const { judged, conclusion } = rendered(check, found, id)
    if (judged.request) countClaims(judged.request, gateway, observer)
    tell(check, judged, id, statusOf(conclusion))
    try {
      write(conclusion)
    } catch (error) {
      observer.faulted(error)
    }
  }
  try {
    judge(check, finish)
  } catch (error) {
    finish(fault(check, error))
  }
}
