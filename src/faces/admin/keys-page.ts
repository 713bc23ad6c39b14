import type { Clock } from '../../base/time.ts'
import { KeyActRefused } from '../../keys/key-request.ts'
import type { KeyService } from '../../keys/key-service.ts'
import type { Form } from './form.ts'
import { keysPage } from './keys-view.ts'
import { filled, orNote, pageResponse, type PageDesk } from './page-desk.ts'
import type { Frame, Note } from './page-views.ts'

export interface KeysPageDesk {
  readonly services: () => ReadonlyMap<string, KeyService>
  readonly clock: Clock
}

const listed = (form: Form, name: string): readonly string[] | undefined => filled(form, name)?.split(',').map((entry) => entry.trim()).filter((entry) => entry !== '')

/** @throws {KeyActRefused} when nobody with that name has a store */
function chosen(services: ReadonlyMap<string, KeyService>, wanted: string | undefined): { readonly authenticator: string; readonly service: KeyService } {
  const authenticator = wanted ?? services.keys().next().value
  const service = authenticator === undefined ? undefined : services.get(authenticator)
  if (authenticator === undefined || !service) throw new KeyActRefused('request_invalid', 'No authenticator with this name has a key store.')
  return { authenticator, service }
}

async function actOn(service: KeyService, { id, act, actor }: { readonly id: string; readonly act: string; readonly actor: string }): Promise<Note> {
  if (act === 'rotate') {
    const { key, record } = await service.rotate(id, {}, actor)
    return { key, words: `${id} was rotated: ${record.id} takes its place, and the old key works for a day. The new key is shown once; store it now.` }
  }
  const done = act === 'suspend' ? await service.suspend(id, actor) : act === 'resume' ? await service.resume(id, actor) : await service.revoke(id, actor)
  return { words: `${done.id} of ${done.owner}: ${act} is done.` }
}

async function createKey(service: KeyService, form: Form, actor: string): Promise<Note> {
  const texts = Object.fromEntries(['name', 'notes', 'tier', 'expires'].map((name) => [name, filled(form, name)]))
  const lists = { scopes: listed(form, 'scopes'), allowedNetworks: listed(form, 'allowed_networks'), limits: listed(form, 'limits') }
  const { key, record } = await service.issue({ owner: form.get('owner') ?? '', ...texts, ...lists }, actor)
  return { key, words: `${record.id} was created. It is shown once; store it now.` }
}

/** Adds the page of keys and its acts. */
export function addKeysPage({ show, act }: PageDesk, { services, clock }: KeysPageDesk): void {
  const keys = (frame: Frame, wanted: string | undefined, more: { readonly after?: string | undefined; readonly note?: Note } = {}): Promise<string> =>
    keysPage(frame, { ...chosen(services(), wanted), names: [...services().keys()], after: more.after, note: more.note, now: clock() })

  /** What an act says stands above the keys; a refusal too. */
  const noted = async (frame: Frame, form: Form, work: (service: KeyService) => Promise<Note>): Promise<Response> => {
    const { authenticator, service } = chosen(services(), filled(form, 'authenticator'))
    const note = await orNote(() => work(service))
    return pageResponse(await keys(frame, authenticator, { note }), note.bad ? 400 : 200)
  }

  show('/keys', (context, frame) => keys(frame, context.req.query('authenticator'), { after: context.req.query('after') }))
  act('/keys', '/keys', (form, _context, frame) => noted(frame, form, (service) => createKey(service, form, frame.actor)))
  act('/keys/:id/:act', '/keys', (form, context, frame) => noted(frame, form, (service) => actOn(service, { id: context.req.param('id') ?? '', act: context.req.param('act') ?? '', actor: frame.actor })))
}
