import type { KeyService } from '../../keys/key-service.ts'
import { viewOf, type KeyView } from '../../keys/key-view.ts'
import type { KeyCounts } from '../../keys/key-census.ts'
import type { AdministeredEvent } from '../../model/event.ts'
import type { RecentDecision } from '../../observe/recent.ts'
import { html, page, table, type Markup, type Piece } from '../../wire/page.ts'

/** One value of the config: secrets and what came from references are hidden already. */
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
  /** The trace of a request as lines of text. @throws {KeyActRefused} when it has not the form of one */
  readonly explain: (request: { readonly method: string; readonly path: string; readonly token: string; readonly key: string; readonly ip: string; readonly header: string }) => Promise<string>
}

export interface Frame { readonly csrf: string; readonly current: string }

const TABS = [['/', 'Overview'], ['/try', 'Try a request'], ['/keys', 'Keys'], ['/decisions', 'Decisions'], ['/limits', 'Limits'], ['/config', 'Config'], ['/audit', 'Audit']] as const

const time = (at: number): string => new Date(at).toISOString().replace('T', ' ').slice(0, 19)

export const csrfField = ({ csrf }: Frame): Markup => html`<input type="hidden" name="csrf" value="${csrf}">`

/** A page with its tabs. */
export function framed(frame: Frame, title: string, body: Markup): string {
  const tabs = TABS.map(([path, name]) => html`<a href="${path}"${path === frame.current ? html` aria-current="page"` : undefined}>${name}</a>`)
  return page({ title, header: html`<strong>Postern</strong><nav aria-label="Pages">${tabs.map((tab) => html`${tab} `)}</nav><form class="inline" method="post" action="/logout">${csrfField(frame)}<button class="quiet">Log out</button></form>`, body: html`<h1>${title}</h1>${body}` })
}

export const loginPage = (wrong: string | undefined): string =>
  page({ title: 'Log in', header: html`<strong>Postern</strong>`, body: html`<h1>Log in</h1>${wrong === undefined ? undefined : html`<p class="note bad" role="alert">${wrong}</p>`}<form method="post" action="/login"><fieldset><legend>With the admin token</legend><label>Admin token<input type="password" name="token" autocomplete="current-password" required></label><button>Log in</button></fieldset></form>` })

export function overviewPage(frame: Frame, facts: PageFacts): string {
  const counts = [...facts.counts()].map(([name, { active, suspended, revoked, expired, expiring }]): readonly Piece[] => [name, active, suspended, revoked, expired, expiring])
  return framed(frame, 'Overview', html`${table(['', ''], facts.overview().map(([title, words]) => [title, words]))}<h2>Managed keys</h2>${counts.length === 0 ? html`<p class="soft">Not counted yet, or there is no key store.</p>` : table(['Authenticator', 'Active', 'Suspended', 'Revoked', 'Expired', 'Expire within 14 days'], counts)}`)
}

const verdict = ({ outcome, reason }: RecentDecision): Markup => html`<span class="${outcome === 'deny' ? 'bad' : 'good'}">${outcome}</span> ${reason}`

export const decisionsPage = (frame: Frame, facts: PageFacts): string =>
  framed(frame, 'Decisions', html`<p class="soft">The last of this process, newest first; the page is read anew every five seconds.</p>${table(['Time', 'Request', 'From', 'Route', 'Decision', 'Principal', 'Request id'], facts.decisions().map((decision) => [time(decision.at), `${decision.method} ${decision.path}`, decision.client, decision.route, verdict(decision), decision.principal, html`<code>${decision.requestId}</code>`]))}`)

export const auditPage = (frame: Frame, facts: PageFacts): string =>
  framed(frame, 'Audit', html`<p class="soft">Acts in this process, newest first. All of them are in the audit log.</p>${table(['Time', 'Act', 'Actor', 'Target', 'Details'], facts.acts().map(({ at, act, actor, target, details }) => [time(at), act, actor, html`<code>${target}</code>`, Object.entries(details).flatMap(([name, value]) => (value === undefined ? [] : [`${name}: ${value} `]))]))}`)

export const limitsPage = (frame: Frame, facts: PageFacts): string =>
  framed(frame, 'Limits', table(['Name', 'Where', 'Limit', 'Counted by'], facts.limits().map(({ name, where, limit, key }) => [name, where, limit, key])))

export const configPage = (frame: Frame, facts: PageFacts): string =>
  framed(frame, 'Config', html`<p class="soft">As it runs. Secrets, and whatever came from a variable or a file, are not shown.</p>${table(['Setting', 'Value', 'From'], facts.settings().map(({ path, value, origin }) => [html`<code>${path}</code>`, value, html`<span class="soft">${origin}</span>`]))}`)

export const tryPage = (frame: Frame, trace: string | undefined): string =>
  framed(frame, 'Try a request', html`<p class="soft">Runs through the real checks, counts nothing and never reaches the upstream.</p><form method="post" action="/try">${csrfField(frame)}<fieldset><legend>Request</legend><label>Method<input name="method" value="GET" required></label><label>Path<input name="path" value="/" required></label><label>Bearer token<input name="token" type="password" autocomplete="off"></label><label>API key<input name="key" type="password" autocomplete="off"></label><label>Address of the client<input name="ip" value="127.0.0.1"></label><label>Another header, as Name: value<input name="header"></label><button>Explain</button></fieldset></form>${trace === undefined ? undefined : html`<h2>What happens</h2><pre tabindex="0">${trace}</pre>`}`)

function actForms(frame: Frame, authenticator: string, key: KeyView): Piece {
  const form = (act: string, label: string): Markup => html`<form class="inline" method="post" action="/keys/${key.id}/${act}">${csrfField(frame)}<input type="hidden" name="authenticator" value="${authenticator}"><button class="quiet" aria-label="${label} ${key.name ?? key.display}">${label}</button></form> `
  if (key.state === 'revoked' || key.state === 'expired') return undefined
  return [key.replaced_by === null && form('rotate', 'Rotate'), key.state === 'active' ? form('suspend', 'Suspend') : form('resume', 'Resume'), form('revoke', 'Revoke')]
}

/** What the page of keys shows besides the keys. */
export interface KeysNote { readonly key?: string; readonly words: string; readonly bad?: boolean }

const noteOf = ({ key, words, bad }: KeysNote): Markup =>
  html`<div class="note${bad ? ' bad' : ''}" role="${bad ? 'alert' : 'status'}"><p>${words}</p>${key === undefined ? undefined : html`<input class="key" readonly aria-label="New key" value="${key}">`}</div>`

export interface KeysPageOptions {
  readonly authenticator: string
  readonly names: readonly string[]
  readonly service: KeyService
  readonly after: string | undefined
  readonly now: number
  readonly note?: KeysNote | undefined
}

/** The keys of one authenticator, a page at a time. */
export async function keysPage(frame: Frame, { authenticator, names, service, after, now, note }: KeysPageOptions): Promise<string> {
  const { items, next } = await service.list({ limit: 100, after })
  const rows = items.map((record) => viewOf(record, now)).map((key): readonly Piece[] => [html`<code>${key.id}</code>`, html`<code>${key.display}</code>`, html`<span class="${key.state === 'active' ? 'good' : 'bad'}">${key.state}</span>`, key.owner, [key.name, key.notes === null ? undefined : html`<br><span class="soft">${key.notes}</span>`], key.scopes.join(' '), key.expires_at ?? 'never', key.last_used_at ?? 'never', key.uses, actForms(frame, authenticator, key)])
  const choice = names.length < 2 ? undefined : html`<p>${names.map((name) => html`<a href="/keys?authenticator=${name}"${name === authenticator ? html` aria-current="page"` : undefined}>${name}</a> `)}</p>`
  const create = html`<h2>New key</h2><form method="post" action="/keys">${csrfField(frame)}<input type="hidden" name="authenticator" value="${authenticator}"><fieldset><legend>For somebody</legend><label>Owner<input name="owner" required></label><label>Name<input name="name"></label><label>Notes<textarea name="notes" rows="2"></textarea></label><label>Scopes, separated by commas<input name="scopes"></label><label>Tier<input name="tier"></label><label>Expires, such as 90d<input name="expires"></label><label>Allowed networks<input name="allowed_networks"></label><label>Limits, such as 100/minute<input name="limits"></label><button>Create key</button></fieldset></form>`
  return framed(frame, 'Keys', html`${note && noteOf(note)}${choice}${table(['Id', 'Key', 'State', 'Owner', 'Name', 'Scopes', 'Expires', 'Last used', 'Uses', ''], rows)}${next === undefined ? undefined : html`<p><a href="/keys?authenticator=${authenticator}&amp;after=${next}">Next page</a></p>`}${create}`)
}
