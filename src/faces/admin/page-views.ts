import type { KeyCounts } from '../../keys/key-census.ts'
import type { AdministeredEvent } from '../../model/event.ts'
import type { RecentDecision } from '../../observe/recent.ts'
import { html, page, table, type Markup, type Piece } from '../../wire/page.ts'

/** One value of the config: secrets are hidden already. */
export interface ShownSetting { readonly path: string; readonly value: string; readonly origin: string }

/** One limit of the config. */
export interface ShownLimit { readonly name: string; readonly where: string; readonly limit: string; readonly key: string }

/** What the pages show of the running Postern; read anew for each request. */
export interface PageFacts {
  readonly overview: () => readonly (readonly [title: string, words: string])[]
  readonly counts: () => ReadonlyMap<string, KeyCounts>
  readonly settings: () => readonly ShownSetting[]
  readonly limits: () => readonly ShownLimit[]
  readonly decisions: () => readonly RecentDecision[]
  readonly acts: () => readonly AdministeredEvent[]
}

/** Around what a page shows: who looks, and whether they may change anything. */
export interface Frame { readonly csrf: string; readonly current: string; readonly actor: string; readonly mayWrite: boolean }

const TABS = [['/', 'Overview'], ['/try', 'Try a request'], ['/keys', 'Keys'], ['/decisions', 'Decisions'], ['/limits', 'Limits'], ['/config', 'Config'], ['/audit', 'Audit']] as const

const time = (at: number): string => new Date(at).toISOString().replace('T', ' ').slice(0, 19)

export const csrfField = ({ csrf }: Frame): Markup => html`<input type="hidden" name="csrf" value="${csrf}">`

/** A page with its tabs. */
export function framed(frame: Frame, title: string, body: Markup): string {
  const tabs = TABS.map(([path, name]) => html`<a href="${path}"${path === frame.current ? html` aria-current="page"` : undefined}>${name}</a>`)
  return page({ title, header: html`<strong>Postern</strong><nav aria-label="Pages">${tabs.map((tab) => html`${tab} `)}</nav><span class="soft">${frame.actor}${frame.mayWrite ? undefined : ' (read only)'}</span><form class="inline" method="post" action="/logout">${csrfField(frame)}<button class="quiet">Log out</button></form>`, body: html`<h1>${title}</h1>${body}` })
}

/** @param others  whether there are other ways in than the admin token */
export function loginPage(wrong: string | undefined, others: boolean): string {
  const [legend, label] = others ? ['With a token', 'Admin token, or another bearer credential'] : ['With the admin token', 'Admin token']
  const form = html`<form method="post" action="/login"><fieldset><legend>${legend}</legend><label>${label}<input type="password" name="token" autocomplete="current-password" required></label><button>Log in</button></fieldset></form>`
  const session = others && html`<form method="post" action="/login"><p><button class="quiet">Log in with what this browser is signed in with</button></p></form>`
  return page({ title: 'Log in', header: html`<strong>Postern</strong>`, body: html`<h1>Log in</h1>${wrong === undefined ? undefined : html`<p class="note bad" role="alert">${wrong}</p>`}${form}${session}` })
}

export function overviewPage(frame: Frame, facts: PageFacts): string {
  const counts = [...facts.counts()].map(([name, { active, suspended, revoked, expired, expiring }]): readonly Piece[] => [name, active, suspended, revoked, expired, expiring])
  return framed(frame, 'Overview', html`${table(['', ''], facts.overview().map(([title, words]) => [title, words]))}<h2>Managed keys</h2>${counts.length === 0 ? html`<p class="soft">Not counted yet, or there is no key store.</p>` : table(['Authenticator', 'Active', 'Suspended', 'Revoked', 'Expired', 'Expire within 14 days'], counts)}`)
}

const verdict = ({ outcome, reason }: RecentDecision): Markup => html`<span class="${outcome === 'deny' ? 'bad' : 'good'}">${outcome}</span> ${reason}`

export const decisionsPage = (frame: Frame, facts: PageFacts): string =>
  framed(frame, 'Decisions', html`<p class="soft">The last of this process, newest first; the page is read anew every five seconds.</p>${table(['Time', 'Request', 'From', 'Route', 'Decision', 'Principal', 'Request id'], facts.decisions().map((decision) => [time(decision.at), `${decision.method} ${decision.path}`, decision.client, decision.route, verdict(decision), decision.principal, html`<code>${decision.requestId}</code>`]))}`)

export const auditPage = (frame: Frame, facts: PageFacts): string =>
  framed(frame, 'Audit', html`<p class="soft">Acts in this process, newest first. All of them are in the audit log.</p>${table(['Time', 'Act', 'Actor', 'Target', 'Details'], facts.acts().map(({ at, act, actor, target, details }) => [time(at), act, actor, html`<code>${target}</code>`, Object.entries(details).flatMap(([name, value]) => (value === undefined ? [] : [`${name}: ${value} `]))]))}`)

export const configPage = (frame: Frame, facts: PageFacts): string =>
  framed(frame, 'Config', html`<p class="soft">As it runs. Secrets are not shown: neither what is one by its nature, nor what came from a file of its own or from a variable that is called like one.</p>${table(['Setting', 'Value', 'From'], facts.settings().map(({ path, value, origin }) => [html`<code>${path}</code>`, value, html`<span class="soft">${origin}</span>`]))}`)

export function tryPage(frame: Frame, said: Note | undefined): string {
  const form = html`<form method="post" action="/try">${csrfField(frame)}<fieldset><legend>Request</legend><label>Method<input name="method" value="GET" required></label><label>Path<input name="path" value="/" required></label><label>Bearer token<input name="token" type="password" autocomplete="off"></label><label>API key<input name="key" type="password" autocomplete="off"></label><label>Address of the client<input name="ip" value="127.0.0.1"></label><label>Another header, as Name: value<input name="header"></label><button>Explain</button></fieldset></form>`
  const answer = said && (said.bad ? noteOf(said) : html`<h2>What happens</h2><pre tabindex="0">${said.words}</pre>`)
  return framed(frame, 'Try a request', html`<p class="soft">Runs through the real checks with the counters of this moment, counts nothing and never reaches the upstream. What is pasted here is not kept.</p>${frame.mayWrite ? form : html`<p class="note">Trying credentials out takes more than looking.</p>`}${answer}`)
}

/** What an act has to say, and the key that it made. */
export interface Note { readonly key?: string; readonly words: string; readonly bad?: boolean }

export const noteOf = ({ key, words, bad }: Note): Markup =>
  html`<div class="note${bad ? ' bad' : ''}" role="${bad ? 'alert' : 'status'}"><p>${words}</p>${key === undefined ? undefined : html`<input class="key" readonly aria-label="New key" value="${key}">`}</div>`
