import type { Attempt, Decision } from '../model/decision.ts'
import type { Denial } from '../model/denial.ts'
import type { AdministeredEvent, DecidedEvent } from '../model/event.ts'
import type { Principal } from '../model/principal.ts'
import type { LineWriter } from './line-writer.ts'
import { safeJson, truncated } from './safe-text.ts'
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

const OUTCOMES = { allow: ['success', 'allowed'], deny: ['failure', 'denied'], error: ['unknown', 'error'] } as const

function attemptRecord({ authenticatorId, kind, outcome, reason, cause }: Attempt): Record<string, unknown> {
  return { authenticator: authenticatorId, kind, outcome, reason, cause: cause === undefined ? undefined : truncated(cause) }
}

/** The subject and the id of the credential; never the credential. */
function principalRecord(principal: Principal | undefined): Record<string, unknown> {
  if (principal?.kind !== 'identified') return principal ? { 'auth.principal': 'anonymous' } : {}
  return { 'auth.principal': 'identified', 'user.id': truncated(principal.subject), 'auth.credential_id': principal.credentialId === undefined ? undefined : truncated(principal.credentialId) }
}

function verdictRecord(decision: Decision): Record<string, unknown> {
  const denial = denialOf(decision)
  const outcome = outcomeOf(decision)
  const speaker = speakerOf(decision)
  return {
    'event.type': [OUTCOMES[outcome][1]],
    'event.outcome': OUTCOMES[outcome][0],
    'event.code': denial?.code,
    'event.reason': denial ? slugOf(denial) : undefined,
    'postern.decision': decision.outcome,
    'postern.stage': decision.outcome === 'deny' ? decision.stage : undefined,
    'postern.observed': decision.outcome === 'allow' && decision.observed ? true : undefined,
    'postern.route': decision.route?.id,
    'auth.method': speaker.kind,
    'auth.provider': speaker.authenticatorId,
    ...principalRecord(decision.principals?.primary),
  }
}

function statusOf({ decision, status }: DecidedEvent, ofDenial: AuditOptions['statusOf']): number | undefined {
  if (status !== undefined) return status
  if (decision.outcome === 'answer') return decision.reply.status
  return decision.outcome === 'deny' ? ofDenial(decision.denial) : undefined
}

/**
 * Members with dotted names, after ECS and OpenTelemetry where those are stable. The path is without its query, which may
 * hold a token; header values are never in a record.
 */
function auditRecord(event: DecidedEvent, { version, statusOf: ofDenial }: AuditOptions): Record<string, unknown> {
  const { request, wire, decision } = event
  return {
    '@timestamp': new Date(request?.receivedAt ?? Date.now()).toISOString(),
    'event.dataset': 'postern.audit',
    'event.kind': 'event',
    'event.category': ['authentication'],
    ...verdictRecord(decision),
    'postern.face': event.face,
    'client.address': request?.client.ip ?? wire.peer,
    'http.request.method': truncated(request?.method ?? wire.method),
    'url.path': truncated((request?.target.path ?? wire.path).split('?', 1)[0] ?? ''),
    'http.response.status_code': statusOf(event, ofDenial),
    'http.request.id': truncated(request?.id ?? wire.id),
    'trace.id': request?.traceId,
    'event.duration': Math.round(event.durationMs * 1_000_000),
    attempts: decision.attempts.map(attemptRecord),
    'service.name': 'postern',
    'service.version': version,
  }
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
    decided: (event) => options.writer.write(safeJson(auditRecord(event, options))),
  }
}

/** `audit: off`. */
export const NO_AUDIT: AuditLog = { decided: () => undefined, administered: () => undefined }
