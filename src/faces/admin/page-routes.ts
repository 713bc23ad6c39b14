import type { Context, Hono } from 'hono'
import type { Clock } from '../../base/time.ts'
import { KeyActRefused } from '../../keys/key-request.ts'
import type { KeyService } from '../../keys/key-service.ts'
import { PAGE_HEADERS } from '../../wire/page.ts'
import { textOf } from './body.ts'
import type { AdminEnv } from './keys-routes.ts'
import { auditPage, configPage, decisionsPage, framed, keysPage, limitsPage, loginPage, overviewPage, tryPage, type Frame, type KeysNote, type PageFacts } from './page-views.ts'
import { sameText, type PageSession, type PageSessions } from './sessions.ts'
import { html } from '../../wire/page.ts'

export interface PageRoutesOptions {
  readonly facts: PageFacts
  readonly sessions: PageSessions
  readonly services: () => ReadonlyMap<string, KeyService>
  readonly clock: Clock
  /** Why a token is not the admin token, for who is asking; undefined: it is. */
  readonly wrongToken: (context: Context<AdminEnv>, token: string) => string | undefined
}

const COOKIE = 'postern_admin'
const ACTOR = 'admin:page'

type Form = ReadonlyMap<string, string>
type Page = (context: Context<AdminEnv>, frame: Frame) => string | Promise<string>
type Act = (form: Form, context: Context<AdminEnv>, frame: Frame) => Response | Promise<Response>

export const pageResponse = (body: string, status = 200, headers: readonly (readonly [string, string])[] = []): Response => new Response(body, { status, headers: [...PAGE_HEADERS, ...headers].map(([name, value]) => [name, value]) })

const seeOther = (location: string, headers: readonly (readonly [string, string])[] = []): Response => pageResponse('', 303, [['Location', location], ...headers])

/** The one cookie of ours; two of them are none. */
function cookieOf(context: Context<AdminEnv>): string | undefined {
  const pairs = (context.env.incoming.headersDistinct['cookie'] ?? []).flatMap((line) => line.split(';')).map((pair) => pair.trim())
  const [only, ...others] = pairs.filter((pair) => pair.startsWith(`${COOKIE}=`))
  return others.length > 0 ? undefined : only?.slice(COOKIE.length + 1)
}

const setCookie = (value: string, maxAge: number): readonly [string, string] => ['Set-Cookie', `${COOKIE}=${value}; Path=/; HttpOnly; SameSite=Strict; Max-Age=${maxAge}`]

async function formOf(context: Context<AdminEnv>): Promise<Form> {
  if (!/^application\/x-www-form-urlencoded\s*(;|$)/i.test(context.req.header('content-type') ?? '')) return new Map()
  const entries = [...new URLSearchParams(await textOf(context.env.incoming))].map(([name, value]) => [name, value.trim()] as const)
  return new Set(entries.map(([name]) => name)).size === entries.length ? new Map(entries) : new Map()
}

const filled = (form: Form, name: string): string | undefined => (form.get(name) === '' ? undefined : form.get(name))
const listed = (form: Form, name: string): readonly string[] | undefined => filled(form, name)?.split(',').map((entry) => entry.trim()).filter((entry) => entry !== '')

/** @throws {KeyActRefused} when nobody with that name has a store */
function chosen(services: ReadonlyMap<string, KeyService>, wanted: string | undefined): { readonly authenticator: string; readonly service: KeyService } {
  const authenticator = wanted ?? services.keys().next().value
  const service = authenticator === undefined ? undefined : services.get(authenticator)
  if (authenticator === undefined || !service) throw new KeyActRefused('request_invalid', 'No authenticator with this name has a key store.')
  return { authenticator, service }
}

async function actOn(service: KeyService, id: string, act: string): Promise<KeysNote> {
  if (act === 'rotate') {
    const { key, record } = await service.rotate(id, {}, ACTOR)
    return { key, words: `${id} was rotated: ${record.id} takes its place, and the old key works for a day. The new key is shown once; store it now.` }
  }
  const done = act === 'suspend' ? await service.suspend(id, ACTOR) : act === 'resume' ? await service.resume(id, ACTOR) : await service.revoke(id, ACTOR)
  return { words: `${done.id} of ${done.owner}: ${act} is done.` }
}

async function createKey(service: KeyService, form: Form): Promise<KeysNote> {
  const texts = Object.fromEntries(['name', 'notes', 'tier', 'expires'].map((name) => [name, filled(form, name)]))
  const lists = { scopes: listed(form, 'scopes'), allowedNetworks: listed(form, 'allowed_networks'), limits: listed(form, 'limits') }
  const { key, record } = await service.issue({ owner: form.get('owner') ?? '', ...texts, ...lists }, ACTOR)
  return { key, words: `${record.id} was created. It is shown once; store it now.` }
}

/** Adds the pages. Each but the log-in needs a session, and each act the secret of its form. */
export function addPageRoutes(app: Hono<AdminEnv>, { facts, sessions, services, clock, wrongToken }: PageRoutesOptions): void {
  const sessionOf = (context: Context<AdminEnv>): PageSession | undefined => sessions.find(cookieOf(context))
  const show = (path: string, render: Page, headers?: readonly (readonly [string, string])[]): void => void app.get(path, async (context) => {
    const session = sessionOf(context)
    return session ? pageResponse(await render(context, { csrf: session.csrf, current: path }), 200, headers) : seeOther('/login')
  })
  const act = (path: string, current: string, work: Act): void => void app.post(path, async (context) => {
    const session = sessionOf(context)
    if (!session) return seeOther('/login')
    const form = await formOf(context)
    const frame = { csrf: session.csrf, current }
    if (!sameText(form.get('csrf') ?? '', session.csrf)) return pageResponse(framed(frame, 'Not done', html`<p class="note bad" role="alert">The form was not one of this page, or it is from an earlier log-in.</p>`), 403)
    return work(form, context, frame)
  })
  const begin = (): Response => seeOther('/', [setCookie(sessions.begin(), 8 * 3_600)])

  app.get('/login', (context) => {
    const code = context.req.query('code')
    if (code === undefined) return pageResponse(loginPage(undefined))
    return sessions.redeem(code) ? begin() : pageResponse(loginPage('This link was used already, or is too old.'), 401)
  })
  app.post('/login', async (context) => {
    const wrong = wrongToken(context, (await formOf(context)).get('token') ?? '')
    return wrong === undefined ? begin() : pageResponse(loginPage(wrong), 401)
  })
  act('/logout', '/', (_form, context) => {
    sessions.end(cookieOf(context))
    return seeOther('/login', [setCookie('', 0)])
  })

  show('/', (_context, frame) => overviewPage(frame, facts))
  show('/decisions', (_context, frame) => decisionsPage(frame, facts), [['Refresh', '5']])
  show('/limits', (_context, frame) => limitsPage(frame, facts))
  show('/config', (_context, frame) => configPage(frame, facts))
  show('/audit', (_context, frame) => auditPage(frame, facts))
  show('/try', (_context, frame) => tryPage(frame, undefined))
  act('/try', '/try', async (form, _context, frame) => {
    const text = (name: string): string => form.get(name) ?? ''
    return pageResponse(tryPage(frame, await facts.explain({ method: text('method'), path: text('path'), token: text('token'), key: text('key'), ip: text('ip'), header: text('header') })))
  })

  const keys = (frame: Frame, wanted: string | undefined, more: { readonly after?: string | undefined; readonly note?: KeysNote } = {}): Promise<string> =>
    keysPage(frame, { ...chosen(services(), wanted), names: [...services().keys()], after: more.after, note: more.note, now: clock() })
  show('/keys', (context, frame) => keys(frame, context.req.query('authenticator'), { after: context.req.query('after') }))
  /** What an act says stands above the keys; a refusal too. */
  const noted = async (frame: Frame, form: Form, work: (service: KeyService) => Promise<KeysNote>): Promise<Response> => {
    const { authenticator, service } = chosen(services(), filled(form, 'authenticator'))
    const note = await work(service).catch((error: unknown): KeysNote => {
      if (error instanceof KeyActRefused) return { words: error.message, bad: true }
      throw error
    })
    return pageResponse(await keys(frame, authenticator, { note }), note.bad ? 400 : 200)
  }
  act('/keys', '/keys', (form, _context, frame) => noted(frame, form, (service) => createKey(service, form)))
  act('/keys/:id/:act', '/keys', (form, context, frame) => noted(frame, form, (service) => actOn(service, context.req.param('id') ?? '', context.req.param('act') ?? '')))
}

/** Addresses of the pages, as they are sent. */
export const PAGE_PATHS: readonly (readonly [RegExp, methods: readonly string[]])[] = [
  [/^\/(?:decisions|limits|config|audit)?$/, ['GET', 'HEAD']],
  [/^\/(?:login|try|keys)$/, ['GET', 'HEAD', 'POST']],
  [/^\/logout$/, ['POST']],
  [/^\/keys\/[A-Za-z0-9_]{1,64}\/(?:rotate|suspend|resume|revoke)$/, ['POST']],
]
