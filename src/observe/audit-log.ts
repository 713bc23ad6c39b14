import type { Attempt, Decision } from '../model/decision.ts'
import type { Denial, Evidence } from '../model/denial.ts'
import type { AdministeredEvent, DecidedEvent } from '../model/event.ts'
import type { Principal } from '../model/principal.ts'
import type { LineWriter } from './line-writer.ts'
import { cleaned, jsonText, safeJson, truncated } from './safe-text.ts'
import { denialOf, outcomeOf, slugOf, speakerOf } from './speaker.ts'

/** One line per request: who asked, what was decided and why. And one per act of administration. */
export interface AuditLog {
  readonly decided: (event: DecidedEvent) => void
  readonly administered: (event: AdministeredEvent) => void
}

export interface AuditOptions {
  readonly writer: LineWriter
  readonly version: string
  /** Status of a refusal for which the face did not report another. */
  readonly statusOf: (denial: Denial) => number | undefined
}

/** Members that follow from the outcome alone. */
const OUTCOMES = {
  allow: '"event.type":["allowed"],"event.outcome":"success"',
  deny: '"event.type":["denied"],"event.outcome":"failure"',
  error: '"event.type":["error"],"event.outcome":"unknown"',
} as const

/** `,"name":"value"`, or nothing. `name` is one of ours and needs no escapes. */
const member = (name: string, value: string | undefined): string => (value === undefined ? '' : `,"${name}":${jsonText(truncated(value))}`)

/** What was seen and what was expected, such as the issuers of a token of another project. Only refusals have it. */
function evidenceText(evidence: Evidence | undefined): string {
  return evidence === undefined ? '' : `,"evidence":${safeJson(cleaned(evidence))}`
}

function attemptText({ authenticatorId, kind, outcome, reason, cause, evidence }: Attempt): string {
  return `{"authenticator":${jsonText(authenticatorId)}${member('kind', kind)}${member('outcome', outcome)}${member('reason', reason)}${evidenceText(evidence)}${member('cause', cause)}}`
}

/** The subject and the id of the credential; never the credential. */
function principalText(principal: Principal | undefined): string {
  if (principal === undefined) return ''
  if (principal.kind !== 'identified') return ',"auth.principal":"anonymous"'
  return `,"auth.principal":"identified"${member('user.id', principal.subject)}${member('auth.credential_id', principal.credentialId)}${principal.asserted ? ',"auth.asserted":true' : ''}`
}

function verdictText(decision: Decision): string {
  const denial = denialOf(decision)
  const { kind, authenticatorId } = speakerOf(decision)
  const why = denial ? member('event.code', denial.code) + member('event.reason', slugOf(denial)) : ''
  const observed = decision.outcome === 'allow' ? decision.observed : undefined
  const where = member('postern.stage', decision.outcome === 'deny' ? decision.stage : observed?.stage) + (observed ? ',"postern.observed":true' : '')
  return `${OUTCOMES[outcomeOf(decision)]}${why},"postern.decision":"${decision.outcome}"${where}${member('postern.route', decision.route?.id)},"auth.method":"${kind}"${member('auth.provider', authenticatorId)}${principalText(decision.principals?.primary)}`
}

function statusOf({ decision, status }: DecidedEvent, ofDenial: AuditOptions['statusOf']): number | undefined {
  if (status !== undefined) return status
  if (decision.outcome === 'answer') return decision.reply.status
  return decision.outcome === 'deny' ? ofDenial(decision.denial) : undefined
}

/** What was asked, by whom. The path is without its query, which may hold a token; header values are never in a record. */
function requestText({ face, request, wire }: DecidedEvent): string {
  const path = request?.target.path ?? wire.path
  const query = path.indexOf('?')
  return `,"postern.face":"${face}"${member('client.address', request?.client.ip ?? wire.peer)}${member('http.request.method', request?.method ?? wire.method)}${member('url.path', query === -1 ? path : path.slice(0, query))}${member('http.request.id', request?.id ?? wire.id)}${member('trace.id', request?.traceId)}`
}

/**
 * Members with dotted names, after ECS and OpenTelemetry where those are stable. Put together as text, since this happens once
 * per request and a serialiser that has to look at every member costs several times as much.
 */
function decidedLine(event: DecidedEvent, { version, statusOf: ofDenial }: AuditOptions): string {
  const { request, decision } = event
  const status = statusOf(event, ofDenial)
  const code = status === undefined ? '' : `,"http.response.status_code":${status}`
  return `{"@timestamp":"${new Date(request?.receivedAt ?? Date.now()).toISOString()}","event.dataset":"postern.audit","event.kind":"event","event.category":["authentication"],${verdictText(decision)}${requestText(event)}${code},"event.duration":${Math.round(event.durationMs * 1_000_000)},"attempts":[${decision.attempts.map(attemptText).join(',')}],"service.name":"postern"${member('service.version', version)}}`
}

/** Who changed what. Details are named as the act names them, below `postern.`. */
export function administrationRecord({ act, actor, at, target, details }: AdministeredEvent, version: string): Record<string, unknown> {
  return {
    '@timestamp': new Date(at).toISOString(),
    'event.dataset': 'postern.audit',
    'event.kind': 'event',
    'event.category': ['iam'],
    'event.type': ['change'],
    'event.outcome': 'success',
    'event.action': act,
    'postern.actor': truncated(actor),
    'postern.target': truncated(target),
    ...Object.fromEntries(Object.entries(details).map(([name, value]) => [`postern.${name}`, value === undefined ? undefined : truncated(value)])),
    'service.name': 'postern',
    'service.version': version,
  }
}

export function createAuditLog(options: AuditOptions): AuditLog {
  return {
    administered: (event) => options.writer.write(safeJson(administrationRecord(event, options.version))),
    decided: (event) => options.writer.write(decidedLine(event, options)),
  }
}

/** `audit: off`. */
export const NO_AUDIT: AuditLog = { decided: () => undefined, administered: () => undefined }
