import { randomUUID } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import type { Decision, Deny, StageName } from '../../model/decision.ts'
import { type Denial, isDenial } from '../../model/denial.ts'
import type { Gateway } from '../../model/gateway.ts'
import type { RequestDescription } from '../../model/request.ts'
import type { Route } from '../../model/route.ts'
import { framingOf } from '../../wire/framing.ts'
import { describe } from '../../wire/incoming.ts'
import type { FaceParts } from './exchange.ts'
import { isEncrypted } from './peer.ts'
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

/** What is judged, and how. */
export interface Case {
  readonly incoming: IncomingMessage
  readonly parts: FaceParts
  readonly gateway: Gateway
  readonly upgrade: boolean
  /** The moment for `100 Continue`: a declared body is about to be read. */
  readonly onBodyWanted: () => void
}

const MAX_IN_FLIGHT = 10_000

export const deny = (stage: StageName, denial: Denial, route?: Route): Deny => ({ outcome: 'deny', stage, denial, limits: [], attempts: [], ...(route ? { route } : {}) })

/** The rest of the line, after a declared body has been read into the description. */
async function decideWithBody({ incoming, parts, gateway, onBodyWanted }: Case, request: RequestDescription): Promise<{ request: RequestDescription; decision: Decision }> {
  const match = gateway.point.match(request)
  if ('outcome' in match) return { request, decision: match }
  const { body: policy } = match.route
  const framing = framingOf(request.headers, incoming.httpVersion)
  const empty = isDenial(framing) || framing.kind === 'none' || (framing.kind === 'length' && framing.length === 0)
  if (!policy || empty) return { request, decision: await gateway.point.decide(request, match) }
  const body = await readBody(incoming, { policy, deadlineMs: parts.listener.bodyIdleTimeoutMs, onWanted: onBodyWanted })
  if (isDenial(body)) return { request, decision: deny('describe', body, match.route) }
  const complete = { ...request, body }
  return { request: complete, decision: await gateway.point.decide(complete, match) }
}

async function judged(what: Case): Promise<Judged> {
  const { incoming, parts, gateway, upgrade } = what
  // Counted before it is looked at: what we have no room for must cost nothing.
  if (parts.inFlight.count() > (parts.listener.maxInFlight ?? MAX_IN_FLIGHT)) return { requestId: randomUUID(), decision: deny('describe', { kind: 'denial', code: 'overloaded' }), close: false }
  const described = describe(incoming, {
    wire: gateway.wire,
    peer: parts.peers.of(incoming.socket),
    encrypted: isEncrypted(incoming.socket),
    now: parts.clock(),
    upgrade,
    maxHeaders: parts.listener.maxHeaders,
  })
  if (isDenial(described)) return { requestId: randomUUID(), decision: deny('describe', described), close: true }
  return { ...(await decideWithBody(what, described)), requestId: described.id, close: false }
}

/** Judges a request and tells the observer, once. A fault denies. */
export async function judge(what: Case): Promise<Judged> {
  const { incoming, parts } = what
  const startedAt = performance.now()
  const result = await judged(what).catch((error: unknown): Judged => {
    parts.observer.faulted(error)
    return { requestId: randomUUID(), decision: deny('describe', { kind: 'denial', code: 'internal' }), close: true }
  })
  parts.observer.decided({
    face: 'proxy',
    ...(result.request ? { request: result.request } : {}),
    wire: { id: result.requestId, method: incoming.method ?? '', path: incoming.url?.split('?', 1)[0] ?? '', peer: parts.peers.of(incoming.socket) ?? '' },
    decision: result.decision,
    durationMs: performance.now() - startedAt,
  })
  return result
}
