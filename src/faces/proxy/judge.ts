import type { MaybePromise } from '../../base/time.ts'
import type { Decision, Deny, Match, StageName } from '../../model/decision.ts'
import { type Denial, isDenial } from '../../model/denial.ts'
import type { Gateway } from '../../model/gateway.ts'
import type { RequestDescription } from '../../model/request.ts'
import type { BodyPolicy, Route } from '../../model/route.ts'
import { framingOf } from '../../wire/framing.ts'
import { describe } from '../../wire/incoming.ts'
import { createRequestId } from '../../wire/request-id.ts'
import type { Client } from './client.ts'
import type { FaceParts } from './exchange.ts'
import { readBody } from './read-body.ts'

/** A request and what was decided about it. */
export interface Judged {
  /** Absent when it could not be described. */
  readonly request?: RequestDescription
  readonly requestId: string
  readonly decision: Decision
  /** The framing or the target is in doubt, so the connection ends with the answer. */
  readonly close: boolean
}

/** Who asks. An upgrade has no body: `describe` has refused that. */
export type Asking = Pick<Client, 'message' | 'peer' | 'encrypted'> & Partial<Pick<Client, 'crowded' | 'body'>>

/** What is judged, and what becomes of it. */
export interface Case {
  readonly asking: Asking
  readonly parts: FaceParts
  readonly gateway: Gateway
  readonly upgrade: boolean
  /** Called once, at once or later. */
  readonly act: (judged: Judged) => void
}

const MAX_IN_FLIGHT = 10_000

export const deny = (stage: StageName, denial: Denial, route?: Route): Deny => ({ outcome: 'deny', stage, denial, limits: [], attempts: [], ...(route ? { route } : {}) })

const overloaded = (close: boolean): Judged => ({ requestId: createRequestId(), decision: deny('describe', { kind: 'denial', code: 'overloaded' }), close })

const settled = (request: RequestDescription, decision: Decision): Judged => ({ request, requestId: request.id, decision, close: false })

/** The body policy of the route, when there is a body for it. */
function policyFor({ asking }: Case, { headers }: RequestDescription, { body }: Route): BodyPolicy | undefined {
  if (!body) return undefined
  const framing = framingOf(headers, asking.message.httpVersion)
  const empty = isDenial(framing) || framing.kind === 'none' || (framing.kind === 'length' && framing.length === 0)
  return empty ? undefined : body
}

/** The rest of the line, after a declared body has been read into the description. */
async function decideWithBody({ asking, parts, gateway }: Case, request: RequestDescription, { match, policy }: { match: Match; policy: BodyPolicy }): Promise<Judged> {
  if (!asking.body) throw new Error('a request that can have no body has one')
  const body = await readBody(asking.body, { head: { headers: request.headers, rawHeaders: asking.message.rawHeaders }, policy, deadlineMs: parts.listener.bodyIdleTimeoutMs })
  if (isDenial(body)) return settled(request, deny('describe', body, match.route))
  const complete = { ...request, body }
  return settled(complete, await gateway.point.decide(complete, match))
}

/** Decides at once where nothing has to be waited for: most requests are, and a promise costs more than their decision. */
function judged(what: Case): MaybePromise<Judged> {
  const { asking: { message, peer, encrypted, crowded = false }, parts, gateway, upgrade } = what
  // Counted before it is looked at: what we have no room for must cost nothing.
  if (crowded || parts.inFlight.count() > (parts.listener.maxInFlight ?? MAX_IN_FLIGHT)) return overloaded(crowded)
  const request = describe(message, {
    wire: gateway.wire,
    peer,
    encrypted,
    now: parts.clock(),
    upgrade,
    maxHeaders: parts.listener.maxHeaders,
  })
  if (isDenial(request)) return { requestId: createRequestId(), decision: deny('describe', request), close: true }
  const match = gateway.point.match(request)
  if ('outcome' in match) return settled(request, match)
  const policy = policyFor(what, request, match.route)
  if (policy) return decideWithBody(what, request, { match, policy })
  const decision = gateway.point.decide(request, match)
  return decision instanceof Promise ? decision.then((late) => settled(request, late)) : settled(request, decision)
}

function tell({ asking: { message: { method = '', url = '' }, peer = '' }, parts }: Case, { request, requestId, decision }: Judged, startedAt: number): void {
  const query = url.indexOf('?')
  const wire = { id: requestId, method, path: query === -1 ? url : url.slice(0, query), peer }
  const durationMs = performance.now() - startedAt
  parts.observer.decided(request ? { face: 'proxy', request, wire, decision, durationMs } : { face: 'proxy', wire, decision, durationMs })
}

function finish(what: Case, result: Judged, startedAt: number): void {
  tell(what, result, startedAt)
  what.act(result)
}

function faulty({ parts }: Case, error: unknown): Judged {
  parts.observer.faulted(error)
  return { requestId: createRequestId(), decision: deny('describe', { kind: 'denial', code: 'internal' }), close: true }
}

const finishLater = (what: Case, result: Promise<Judged>, startedAt: number): void =>
  void result.catch((error: unknown) => faulty(what, error)).then((judgedLate) => finish(what, judgedLate, startedAt))

/** Judges a request, tells the observer once, and then acts. A fault denies. Never throws. */
export function judge(what: Case): void {
  const startedAt = performance.now()
  let result: MaybePromise<Judged>
  try {
    result = judged(what)
  } catch (error) {
    result = faulty(what, error)
  }
  if (result instanceof Promise) finishLater(what, result, startedAt)
  else finish(what, result, startedAt)
}
