import type { KeyService } from '../../keys/key-service.ts'
import { viewOf, type KeyView } from '../../keys/key-view.ts'
import { html, table, type Markup, type Piece } from '../../wire/page.ts'
import { csrfField, framed, noteOf, type Frame, type Note } from './page-views.ts'

function actForms(frame: Frame, authenticator: string, key: KeyView): Piece {
  const form = (act: string, label: string): Markup => html`<form class="inline" method="post" action="/keys/${key.id}/${act}">${csrfField(frame)}<input type="hidden" name="authenticator" value="${authenticator}"><button class="quiet" aria-label="${label} ${key.name ?? key.display}">${label}</button></form> `
  if (!frame.mayWrite || key.state === 'revoked' || key.state === 'expired') return undefined
  return [key.replaced_by === null && form('rotate', 'Rotate'), key.state === 'active' ? form('suspend', 'Suspend') : form('resume', 'Resume'), form('revoke', 'Revoke')]
}

export interface KeysPageOptions {
  readonly authenticator: string
  readonly names: readonly string[]
  readonly service: KeyService
  readonly after: string | undefined
  readonly now: number
  readonly note?: Note | undefined
}

/** The keys of one authenticator, a page at a time. */
export async function keysPage(frame: Frame, { authenticator, names, service, after, now, note }: KeysPageOptions): Promise<string> {
  const { items, next } = await service.list({ limit: 100, after })
  const rows = items.map((record) => viewOf(record, now)).map((key): readonly Piece[] => [html`<code>${key.id}</code>`, html`<code>${key.display}</code>`, html`<span class="${key.state === 'active' ? 'good' : 'bad'}">${key.state}</span>`, key.owner, [key.name, key.notes === null ? undefined : html`<br><span class="soft">${key.notes}</span>`], key.scopes.join(' '), key.expires_at ?? 'never', key.last_used_at ?? 'never', key.uses, actForms(frame, authenticator, key)])
  const choice = names.length < 2 ? undefined : html`<p>${names.map((name) => html`<a href="/keys?authenticator=${name}"${name === authenticator ? html` aria-current="page"` : undefined}>${name}</a> `)}</p>`
  const create = frame.mayWrite && html`<h2>New key</h2><form method="post" action="/keys">${csrfField(frame)}<input type="hidden" name="authenticator" value="${authenticator}"><fieldset><legend>For somebody</legend><label>Owner<input name="owner" required></label><label>Name<input name="name"></label><label>Notes<textarea name="notes" rows="2"></textarea></label><label>Scopes, separated by commas<input name="scopes"></label><label>Tier<input name="tier"></label><label>Expires, such as 90d<input name="expires"></label><label>Allowed networks<input name="allowed_networks"></label><label>Limits, such as 100/minute<input name="limits"></label><button>Create key</button></fieldset></form>`
  return framed(frame, 'Keys', html`${note && noteOf(note)}${choice}${table(['Id', 'Key', 'State', 'Owner', 'Name', 'Scopes', 'Expires', 'Last used', 'Uses', ''], rows)}${next === undefined ? undefined : html`<p><a href="/keys?authenticator=${authenticator}&amp;after=${next}">Next page</a></p>`}${create}`)
}
