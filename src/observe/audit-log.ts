import { recall, remember } from '../base/memory.ts'
import { remembering } from '../base/remembering.ts'
import type { EpochMs } from '../base/time.ts'
import type { Attempt, Decision } from '../model/decision.ts'
import type { Denial, Evidence } from '../model/denial.ts'
import type { AdministeredEvent, DecidedEvent } from '../model/event.ts'
import type { Principal, Principals } from '../model/principal.ts'
import type { Client } from '../model/request.ts'
import type { Route } from '../model/route.ts'
import { createTexts } from './known.ts'
import type { LineWriter } from './line-writer.ts'
import { cleaned, isPlain, jsonText, safeJson, truncated } from './safe-text.ts'
import { denialOf, outcomeOf, slugOf, speakerOf } from './speaker.ts'

/** One line per request: who asked, what was decided and why. And one per act of administration. */
export interface AuditLog {
  readonly decided: (event: DecidedEvent) => void
  readonly administered: (event: AdministeredEvent) => void
}

export interface AuditOptions {
  readonly writer: Pick<LineWriter, 'write' | 'writeLater'>
  readonly version: string
  /** Status of a refusal for which the face did not report another. */
  readonly statusOf: (denial: Denial) => number | undefined
}

/** The members up to those that follow from the outcome alone, behind the time. */
const OUTCOMES = {
  allow: '","event.dataset":"postern.audit","event.kind":"event","event.category":["authentication"],"event.type":["allowed"],"event.outcome":"success"',
  deny: '","event.dataset":"postern.audit","event.kind":"event","event.category":["authentication"],"event.type":["denied"],"event.outcome":"failure"',
  error: '","event.dataset":"postern.audit","event.kind":"event","event.category":["authentication"],"event.type":["error"],"event.outcome":"unknown"',
} as const

const DECISIONS = { allow: ',"postern.decision":"allow"', deny: ',"postern.decision":"deny"', answer: ',"postern.decision":"answer"' } as const

const FACES = { proxy: ',"postern.face":"proxy"', forward_auth: ',"postern.face":"forward_auth"', admin: ',"postern.face":"admin"' } as const

/** `,"name":"value"`, or nothing. `name` is one of ours and needs no escapes. */
function member(name: string, value: string | undefined): string {
  if (value === undefined) return ''
  const text = truncated(value)
  return isPlain(text) ? `,"${name}":"${text}"` : `,"${name}":${safeJson(text)}`
}

// What the code or the config has few of, written out once.
const requestMethodText = remembering((name) => member('http.request.method', name))
const routeText = createTexts((id) => member('postern.route', id))
const providerText = createTexts((id) => member('auth.provider', id))
const methodText = createTexts((kind) => member('auth.method', kind))
const stageText = createTexts((stage) => member('postern.stage', stage))
const codeText = createTexts((code) => member('event.code', code))
const reasonText = createTexts((reason) => member('event.reason', reason))
const triedText = createTexts((id) => `{"authenticator":${jsonText(id)}`)
const kindText = createTexts((kind) => member('kind', kind))
const foundText = createTexts((outcome) => member('outcome', outcome))

/** What was seen and what was expected, such as the issuers of a token of another project. Only refusals have it. */
function evidenceText(evidence: Evidence | undefined): string {
  return evidence === undefined ? '' : `,"evidence":${safeJson(cleaned(evidence))}`
}

function attemptText({ authenticatorId, kind, outcome, reason, cause, evidence }: Attempt): string {
  return `${triedText(authenticatorId)}${kindText(kind)}${foundText(outcome)}${member('reason', reason)}${evidenceText(evidence)}${member('cause', cause)}}`
}

function attemptsText(attempts: readonly Attempt[]): string {
  let text = ''
  for (const attempt of attempts) text += text === '' ? attemptText(attempt) : `,${attemptText(attempt)}`
  return text
}

/** The subject and the id of the credential; never the credential. */
function principalText(principal: Principal | undefined): string {
  if (principal === undefined) return ''
  if (principal.kind !== 'identified') return ',"auth.principal":"anonymous"'
  return `,"auth.principal":"identified"${member('user.id', principal.subject)}${member('auth.credential_id', principal.credentialId)}${principal.asserted ? ',"auth.asserted":true' : ''}`
}

function stageOf(decision: Decision): string {
  if (decision.outcome === 'deny') return stageText(decision.stage)
  return decision.outcome === 'allow' && decision.observed ? `${stageText(decision.observed.stage)},"postern.observed":true` : ''
}

function verdictText(decision: Decision): string {
  const denial = denialOf(decision)
  const speaker = speakerOf(decision)
  const why = denial ? codeText(denial.code) + reasonText(slugOf(denial)) : ''
  const route = decision.route ? routeText(decision.route.id) : ''
  const who = speaker ? methodText(speaker.kind) + providerText(speaker.authenticatorId) : ',"auth.method":"none"'
  return `${OUTCOMES[outcomeOf(decision)]}${why}${DECISIONS[decision.outcome]}${stageOf(decision)}${route}${who}${principalText(decision.principals?.primary)}`
}

function statusOf({ decision, status }: DecidedEvent, ofDenial: AuditOptions['statusOf']): number | undefined {
  if (status !== undefined) return status
  if (decision.outcome === 'answer') return decision.reply.status
  return decision.outcome === 'deny' ? ofDenial(decision.denial) : undefined
}

/** What was decided, and whose request it was. */
const aboutText = ({ face, request, wire, decision }: DecidedEvent): string => `${verdictText(decision)}${FACES[face]}${member('client.address', request?.client.ip ?? wire.peer)}`

/** What was asked. The path is without its query, which may hold a token; header values are never in a record. */
function requestText({ request, wire }: DecidedEvent): string {
  const path = request?.target.path ?? wire.path
  const query = path.indexOf('?')
  return `${requestMethodText(request?.method ?? wire.method)}${member('url.path', query === -1 ? path : path.slice(0, query))}${member('http.request.id', request?.id ?? wire.id)}${member('trace.id', request?.traceId)}`
}

/** The parts of a record that are the same while one connection asks on one route, and one and the same principal is proven to it at once. */
interface Lasting { readonly face: DecidedEvent['face']; readonly route: Route; readonly principals: Principals; readonly client: Client; readonly about: string; readonly attempts: string }

/** Where it stands in the memory of a connection. */
const LASTING = {}

/** Whether nothing but the proof of one principal was looked at, and it let the request in. */
function isPlainlyAllowed({ decision }: DecidedEvent): boolean {
  const { attempts } = decision
  return decision.outcome === 'allow' && decision.observed === undefined && attempts.length === 1 && attempts[0]?.outcome === 'authenticated' && attempts[0].evidence === undefined
}

function partsOf(event: DecidedEvent): Pick<Lasting, 'about' | 'attempts'> {
  const { face, request, decision: { route, principals, attempts } } = event
  const memory = isPlainlyAllowed(event) ? request?.memory : undefined
  const known = recall<Lasting>(memory, LASTING)
  if (known && known.face === face && known.route === route && known.principals === principals && known.client === request?.client) return known
  const made = { about: aboutText(event), attempts: attemptsText(attempts) }
  if (request && route && principals) remember(memory, LASTING, { face, route, principals, client: request.client, ...made } satisfies Lasting)
  return made
}

/** The millisecond that was written last: under load several requests share it. */
const lately = { at: NaN, text: '' }

function timeText(at: EpochMs): string {
  if (at !== lately.at) {
    lately.text = new Date(at).toISOString()
    lately.at = at
  }
  return lately.text
}

/**
 * Members with dotted names, after ECS and OpenTelemetry where those are stable. Put together as text, since this happens once
 * per request and a serialiser that has to look at every member costs several times as much.
 */
function decidedLine(event: DecidedEvent, ofDenial: AuditOptions['statusOf'], end: string): string {
  const status = statusOf(event, ofDenial)
  const code = status === undefined ? '' : `,"http.response.status_code":${status}`
  const { about, attempts } = partsOf(event)
  return `{"@timestamp":"${timeText(event.request?.receivedAt ?? Date.now())}${about}${requestText(event)}${code},"event.duration":${Math.round(event.durationMs * 1_000_000)},"attempts":[${attempts}${end}`
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

export function createAuditLog({ writer, version, statusOf: ofDenial }: AuditOptions): AuditLog {
  const end = `],"service.name":"postern"${member('service.version', version)}}`
  return {
    administered: (event) => writer.write(safeJson(administrationRecord(event, version))),
    decided: (event) => {
      // One that was not described has no time but that of now, and a body that was read is not kept.
      if (event.request && !event.request.body) writer.writeLater(() => decidedLine(event, ofDenial, end))
      else writer.write(decidedLine(event, ofDenial, end))
    },
  }
}

/** `audit: off`. */
export const NO_AUDIT: AuditLog = { decided: () => undefined, administered: () => undefined }
