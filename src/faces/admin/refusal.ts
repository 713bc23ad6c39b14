import type { Reply } from '../../model/decision.ts'
import type { Denial } from '../../model/denial.ts'
import type { ServiceLimit } from '../../model/quota.ts'
import { html, page, PAGE_HEADERS } from '../../wire/page.ts'
import { replyOf } from '../../wire/reply.ts'
import type { AdminGateway } from './gate.ts'
import { loginPage } from './page-views.ts'
import { LOG_IN } from './routes.ts'

/** A refusal of the pipe, and what was asked for. */
export interface Refused {
  readonly denial: Denial
  readonly requestId: string
  readonly limits: readonly ServiceLimit[]
  /** Id of the route; undefined where there is none. */
  readonly route: string | undefined
  readonly now: number
}

/** Refusals after which one logs in anew. */
const NOT_LOGGED_IN: ReadonlySet<Denial['code']> = new Set(['credential_missing', 'credential_rejected', 'credential_malformed', 'credential_ambiguous', 'credential_expired', 'credential_revoked'])

const WORDS: Partial<Readonly<Record<Denial['code'], string>>> = {
  quota_exceeded: 'Too many refused credentials or requests came from this address; wait a minute.',
  scope_insufficient: 'You may look at this, or nothing here, but not do it: a scope is missing.',
  forbidden: 'You may not do this.',
  dependency_unavailable: 'It cannot be checked now; try again later.',
}

const wordsOf = (denial: Denial, told: string): string => WORDS[denial.code] ?? told

const withFields = (reply: Reply, body: string): Reply => ({
  status: reply.status,
  // Those of the refusal that are not about its body: Retry-After, the limits, the id of the request.
  headers: [...PAGE_HEADERS, ...reply.headers.filter(([name]) => !/^(content-|cache-control|x-content-type-options|www-authenticate)/i.test(name))],
  body,
})

const LOGIN_WORDS = 'This was not accepted.'

/** How a refusal is told: to programs as problem details, to people as a page, or by sending them to the log-in. */
export function refusalReply({ denial, requestId, limits, route, now }: Refused, { wire, others }: AdminGateway): Reply {
  const reply = replyOf(denial, { wire, requestId, now, limits })
  const forPeople = route?.startsWith('admin:page-') || route?.startsWith(LOG_IN)
  if (!forPeople) return reply
  const { detail } = JSON.parse(reply.body) as { readonly detail: string }
  if (route === LOG_IN) return withFields(reply, loginPage(NOT_LOGGED_IN.has(denial.code) ? LOGIN_WORDS : wordsOf(denial, detail), others))
  if (NOT_LOGGED_IN.has(denial.code)) return { status: 303, headers: [...PAGE_HEADERS, ['Location', '/login']], body: '' }
  return withFields(reply, page({ title: 'Not done', header: html`<strong>Postern</strong>`, body: html`<h1>Not done</h1><p class="note bad" role="alert">${wordsOf(denial, detail)}</p><p><a href="/">Overview</a></p>` }))
}
