import type { IncomingMessage } from 'node:http'
import type { Clock } from '../../base/time.ts'
import type { Decision, DecisionPoint, Deny, StageName } from '../../model/decision.ts'
import { isDenial, type Denial } from '../../model/denial.ts'
import type { Observer } from '../../model/event.ts'
import type { WireSettings } from '../../model/gateway.ts'
import type { IdentifiedPrincipal } from '../../model/principal.ts'
import type { RequestDescription } from '../../model/request.ts'
import { describe } from '../../wire/incoming.ts'
import { createRequestId } from '../../wire/request-id.ts'
import { strangeOrigin, type Strangeness } from './origin.ts'
import type { PathTable } from './routes.ts'

/** The compiled guard of the admin listener, read once for each request, since a reload may change it. */
export interface AdminGateway {
  /** Names that it may be asked by, besides `localhost` and IP addresses. */
  readonly hosts: readonly string[]
  readonly wire: WireSettings
  /** Decides by the routes of `routes.ts`. Never rejects. */
  readonly point: DecisionPoint
  /** Whoever holds the link that was printed at the start. */
  readonly holder: IdentifiedPrincipal
  readonly mayWrite: (principal: IdentifiedPrincipal) => boolean
  /** Whether others may log in than who holds the admin token. */
  readonly others: boolean
}

/** A request to the admin listener and what was decided about it. */
export interface Judged {
  /** Absent when it could not be described, or is for nothing that there is. */
  readonly request?: RequestDescription
  readonly requestId: string
  readonly decision: Decision
}

export interface GateOptions {
  readonly gateway: () => AdminGateway
  readonly paths: PathTable
  /** Name of the address that is listened on. */
  readonly own: string
  /** Whether the listener is a unix socket. */
  readonly unix: boolean
  readonly encrypted: boolean
  /** The fields under which a request is judged, when a form brings a credential that is no field. */
  readonly withForm: (incoming: IncomingMessage, request: RequestDescription) => Promise<RequestDescription>
  readonly clock: Clock
  readonly observer: Observer
}

const MAX_HEADERS = 100

const deny = (stage: StageName, denial: Denial): Deny => ({ outcome: 'deny', stage, denial, limits: [], attempts: [] })

const pathOf = ({ url = '' }: IncomingMessage): string => url.split('?', 1)[0] ?? ''

/** Methods are told of before anybody has proven anything: what there is stands in the documentation. */
function checkPath(incoming: IncomingMessage, paths: PathTable): Denial | undefined {
  const path = pathOf(incoming)
  const methods = paths.find(([pattern]) => pattern.test(path))?.[1]
  if (!methods) return { kind: 'denial', code: 'route_not_found' }
  return methods.includes(incoming.method ?? '') ? undefined : { kind: 'denial', code: 'method_not_allowed', allow: methods }
}

const isGuess = (decision: Decision): decision is Deny => decision.outcome === 'deny' && decision.stage === 'authenticate' && 'reason' in decision.denial

/** Builds the gate: every request is judged by the pipe, told to the observer once, and never let in by a fault. */
export function createGate({ gateway, paths, own, unix, encrypted, withForm, clock, observer }: GateOptions): (incoming: IncomingMessage) => Promise<Judged> {
  const strange = (found: Strangeness): Denial => {
    if (found.what === 'name') observer.noticed('warn', 'admin_name_refused', 'the admin listener was asked by a name that is not in admin.hosts', { host: found.value.slice(0, 255) })
    return { kind: 'denial', code: 'forbidden', rule: 'origin', evidence: { [found.what]: found.value } }
  }

  const judged = async (incoming: IncomingMessage): Promise<Judged> => {
    const nowhere = checkPath(incoming, paths)
    if (nowhere) return { requestId: createRequestId(), decision: deny('match_route', nowhere) }
    const { wire, hosts, point } = gateway()
    const request = describe(incoming, { wire, peer: unix ? 'unix' : incoming.socket.remoteAddress, encrypted, now: clock(), upgrade: false, maxHeaders: MAX_HEADERS })
    if (isDenial(request)) return { requestId: createRequestId(), decision: deny('describe', request) }
    const settled = (decision: Decision, described = request): Judged => ({ request: described, requestId: request.id, decision })
    const foreign = strangeOrigin(incoming, new Set(['localhost', own, ...hosts].map((host) => host.toLowerCase())))
    if (foreign) return settled(deny('check_network', strange(foreign)))
    const match = point.match(request)
    if ('outcome' in match) return settled(match)
    const complete = await withForm(incoming, request)
    return settled(await point.decide(complete, match), complete)
  }

  return async (incoming) => {
    const startedAt = performance.now()
    const peer = unix ? 'unix' : (incoming.socket.remoteAddress ?? '')
    const result = await judged(incoming).catch((error: unknown): Judged => {
      observer.faulted(error)
      return { requestId: createRequestId(), decision: deny('describe', { kind: 'denial', code: 'internal' }) }
    })
    const { request, requestId, decision } = result
    const wire = { id: requestId, method: incoming.method ?? '', path: pathOf(incoming), peer }
    observer.decided({ face: 'admin', ...(request && { request }), wire, decision, durationMs: performance.now() - startedAt })
    if (isGuess(decision)) observer.noticed('warn', 'admin_credential_rejected', 'somebody presented a credential that the admin listener does not take', { peer: request?.client.ip ?? peer })
    return result
  }
}
