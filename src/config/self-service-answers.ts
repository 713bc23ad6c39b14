import type { Clock } from '../base/time.ts'
import { displayOf } from '../keys/key-format.ts'
import type { KeyRecord } from '../keys/key-record.ts'
import { KeyActRefused } from '../keys/key-request.ts'
import type { IssuedKey } from '../keys/key-service.ts'
import { KeyStoreUnavailable } from '../keys/key-store.ts'
import { viewOf } from '../keys/key-view.ts'
import type { OwnTokens, TokenOwner } from '../keys/self-service.ts'
import type { Reply } from '../model/decision.ts'
import type { Principals } from '../model/principal.ts'
import type { RequestDescription } from '../model/request.ts'
import { html, page, PAGE_HEADERS, table, type Markup, type Piece } from '../wire/page.ts'

export interface SelfServiceOptions {
  readonly tokens: OwnTokens
  readonly path: string
  readonly clock: Clock
}

type Answer = (request: RequestDescription, principals: Principals) => Promise<Reply>

const JSON_HEADERS = [['Content-Type', 'application/json'], ['Cache-Control', 'no-store'], ['X-Content-Type-Options', 'nosniff']] as const
const STATUS: Readonly<Partial<Record<KeyActRefused['code'], number>>> = { key_not_found: 404, request_invalid: 400 }

const json = (status: number, body: unknown): Reply => ({ status, headers: JSON_HEADERS, body: JSON.stringify(body) })

const problem = (status: number, code: string, detail: string): Reply => ({ status, headers: [['Content-Type', 'application/problem+json'], ...JSON_HEADERS.slice(1)], body: JSON.stringify({ type: `https://postern.example/errors/${code}`, title: 'The request cannot be carried out', status, code, detail }) })

/** A page for who asks for one or sent a form; data for everybody else. */
function wantsPage({ headers }: RequestDescription): boolean {
  return (headers.get('accept') ?? []).some((accept) => accept.includes('text/html')) || (headers.get('content-type') ?? []).some((type) => type.startsWith('application/x-www-form-urlencoded'))
}

/** @throws {KeyActRefused} for who has nothing of their own: nobody in particular, or somebody that a service vouches for */
function ownerOf({ primary }: Principals): TokenOwner {
  if (primary.kind !== 'identified' || primary.asserted) throw new KeyActRefused('request_invalid', 'tokens are for people who signed in themselves')
  const { subject, authenticatorId, email, tier, scopes } = primary
  return { subject, actor: `user:${authenticatorId}:${subject}`, email, tier, scopes }
}

const SORTS = ['name', 'scopes', 'expires'] as const

/** Unknown members are refused: a misspelled `expires` must not mean the longest life. */
function wishesOf({ body }: RequestDescription): { name?: string; expires?: string; scopes?: readonly string[] } {
  const value = body?.value ?? {}
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new KeyActRefused('request_invalid', 'expected an object')
  const members = new Map(Object.entries(value).filter(([, member]) => member !== '' && member !== null))
  const unknown = [...members.keys()].find((name) => !SORTS.some((known) => known === name))
  if (unknown !== undefined) throw new KeyActRefused('request_invalid', `unknown member ${JSON.stringify(unknown.slice(0, 64))}; there are ${SORTS.join(', ')}`)
  const text = (name: string): string | undefined => {
    const member: unknown = members.get(name)
    if (member !== undefined && typeof member !== 'string') throw new KeyActRefused('request_invalid', `${name} – expected text`)
    return member
  }
  const listed: unknown = members.get('scopes')
  const scopes = Array.isArray(listed) ? listed.map(String) : text('scopes')?.split(/[\s,]+/).filter((scope) => scope !== '')
  const [name, expires] = [text('name'), text('expires')]
  return { ...(name !== undefined && { name }), ...(expires !== undefined && { expires }), ...(scopes && { scopes }) }
}

/** A view without what is not for its owner. */
function told(record: KeyRecord, clock: Clock) {
  const { id, display, state, name, scopes, created_at, expires_at, last_used_at, uses } = viewOf(record, clock())
  return { id, display, state, name, scopes, created_at, expires_at, last_used_at, uses }
}

function rowOf(record: KeyRecord, { path, clock }: SelfServiceOptions): readonly Piece[] {
  const { id, display, state, name, scopes, expires_at: expires, last_used_at: used } = told(record, clock)
  const revoke = state === 'active' || state === 'suspended' ? html`<form class="inline" method="post" action="${path}/${id}/revoke"><button class="quiet" aria-label="Revoke ${name ?? display}">Revoke</button></form>` : undefined
  return [name ?? '–', html`<code>${display}</code>`, html`<span class="${state === 'active' ? 'good' : 'bad'}">${state}</span>`, scopes.join(' '), expires ?? 'never', used ?? 'never', revoke]
}

function accountPage(options: SelfServiceOptions, owner: TokenOwner, records: readonly KeyRecord[], note: Markup | undefined): string {
  const { path } = options
  const form = html`<form method="post" action="${path}"><fieldset><legend>New token</legend>
<label>Name<input name="name" maxlength="200" required></label><label>Scopes, separated by blanks (you have: ${[...owner.scopes].join(' ') || 'none'})<input name="scopes"></label>
<label>Expires, such as 30d<input name="expires" maxlength="40"></label><button>Create token</button></fieldset></form>`
  const list = records.length === 0 ? html`<p class="soft">There are none yet.</p>` : table(['Name', 'Token', 'State', 'Scopes', 'Expires', 'Last used', ''], records.map((record) => rowOf(record, options)))
  return page({ title: 'My tokens', header: html`<strong>My tokens</strong><span class="soft">${owner.subject}</span>`, body: html`<h1>My tokens</h1>${note}${list}<h2>Create</h2>${form}` })
}

const issuedNote = ({ key }: IssuedKey): Markup => html`<div class="note" role="status"><p>This is your new token. It is shown once; store it now.</p><input class="key" readonly aria-label="New token" value="${key}"></div>`

/** Acts that were refused are answers; anything else is a bug and goes up. */
async function answered(request: RequestDescription, work: () => Promise<Reply>, refused: (message: string) => Promise<Reply>): Promise<Reply> {
  try {
    return await work()
  } catch (error) {
    if (error instanceof KeyStoreUnavailable) return problem(503, 'dependency_unavailable', 'The tokens cannot be read or changed now; try again later.')
    if (!(error instanceof KeyActRefused)) throw error
    const status = STATUS[error.code] ?? 409
    return wantsPage(request) ? { ...(await refused(error.message)), status } : problem(status, error.code, error.message)
  }
}

/** The answers of Postern to people about tokens of their own. Who they are was proven before; cookies come with the rule about origins. */
export function selfServiceAnswers(options: SelfServiceOptions): { readonly list: Answer; readonly create: Answer; readonly revoke: Answer } {
  const { tokens, path, clock } = options
  const show = async (owner: TokenOwner, note?: Markup, status = 200): Promise<Reply> => ({ status, headers: PAGE_HEADERS, body: accountPage(options, owner, await tokens.list(owner), note) })
  const refusal = (principals: Principals) => async (message: string): Promise<Reply> => show(ownerOf(principals), html`<p class="note bad" role="alert">${message}</p>`)
  const idIn = ({ target }: RequestDescription): string => target.path.slice(path.length + 1).split('/', 1)[0] ?? ''

  return {
    list: (request, principals) => answered(request, async () => {
      const owner = ownerOf(principals)
      return wantsPage(request) ? show(owner) : json(200, { items: (await tokens.list(owner)).map((record) => told(record, clock)) })
    }, async (message) => problem(400, 'request_invalid', message)),
    create: (request, principals) => answered(request, async () => {
      const owner = ownerOf(principals)
      const issued = await tokens.create(owner, wishesOf(request))
      return wantsPage(request) ? show(owner, issuedNote(issued), 201) : json(201, { ...told(issued.record, clock), key: issued.key })
    }, refusal(principals)),
    revoke: (request, principals) => answered(request, async () => {
      const owner = ownerOf(principals)
      const record = await tokens.revoke(owner, idIn(request))
      if (request.method === 'DELETE') return { status: 204, headers: JSON_HEADERS.slice(1), body: '' }
      return show(owner, html`<p class="note" role="status">${record.name ?? displayOf(record)} is revoked.</p>`)
    }, refusal(principals)),
  }
}
