import type { Context, Hono } from 'hono'
import type { Clock } from '../../base/time.ts'
import type { IdentifiedPrincipal } from '../../model/principal.ts'
import { html } from '../../wire/page.ts'
import type { ExplainRoutesOptions } from './explain-routes.ts'
import { formOf } from './form.ts'
import type { AdminGateway } from './gate.ts'
import { addKeysPage, type KeysPageDesk } from './keys-page.ts'
import type { AdminEnv } from './keys-routes.ts'
import { addLimitsPage, type LimitsPageDesk } from './limits-page.ts'
import { clearedCookie, cookieOf, freshCookie } from './page-cookie.ts'
import { filled, orNote, pageResponse, seeOther, type PageDesk } from './page-desk.ts'
import { auditPage, configPage, decisionsPage, framed, loginPage, overviewPage, tryPage, type Frame, type PageFacts } from './page-views.ts'
import { sameText, type PageSession, type PageSessions } from './sessions.ts'

export interface PageRoutesOptions extends KeysPageDesk, LimitsPageDesk {
  readonly gateway: () => AdminGateway
  readonly sessions: PageSessions
  readonly explain: ExplainRoutesOptions['explain']
  readonly clock: Clock
  readonly facts: PageFacts
}

function principalOf({ var: { judged: { decision } } }: Context<AdminEnv>): IdentifiedPrincipal {
  const primary = decision.principals?.primary
  if (primary?.kind !== 'identified') throw new Error('nobody was let in')
  return primary
}

/** Adds the pages. The pipe has let in by the session of the page; each act needs the secret of its form as well. */
export function addPageRoutes(app: Hono<AdminEnv>, options: PageRoutesOptions): void {
  const { gateway, facts, sessions, explain } = options
  const sessionOf = (context: Context<AdminEnv>): PageSession | undefined => sessions.find(cookieOf(context))
  const frameOf = (context: Context<AdminEnv>, { csrf }: PageSession, current: string): Frame => ({ csrf, current, actor: context.var.actor, mayWrite: gateway().mayWrite(principalOf(context)) })
  const show: PageDesk['show'] = (path, render, headers) => void app.get(path, async (context) => {
    const session = sessionOf(context)
    return session ? pageResponse(await render(context, frameOf(context, session, path)), 200, headers) : seeOther('/login')
  })
  const act: PageDesk['act'] = (path, current, work) => void app.post(path, async (context) => {
    const session = sessionOf(context)
    if (!session) return seeOther('/login')
    const form = await formOf(context.env.incoming)
    const frame = frameOf(context, session, current)
    if (!sameText(form.get('csrf') ?? '', session.csrf)) return pageResponse(framed(frame, 'Not done', html`<p class="note bad" role="alert">The form was not one of this page, or it is from an earlier log-in.</p>`), 403)
    return work(form, context, frame)
  })
  const begin = (context: Context<AdminEnv>, principal: IdentifiedPrincipal): Response => seeOther('/', [freshCookie(context, sessions.begin(principal))])

  app.get('/login', (context) => {
    const code = context.req.query('code')
    const { holder, others } = gateway()
    if (code === undefined) return pageResponse(loginPage(undefined, others))
    return sessions.redeem(code) ? begin(context, holder) : pageResponse(loginPage('This link was used already, or is too old.', others), 401)
  })
  app.post('/login', (context) => begin(context, principalOf(context)))
  act('/logout', '/', (_form, context) => {
    sessions.end(cookieOf(context))
    return seeOther('/login', [clearedCookie(context)])
  })

  show('/', (_context, frame) => overviewPage(frame, facts))
  show('/decisions', (_context, frame) => decisionsPage(frame, facts), [['Refresh', '5']])
  show('/config', (_context, frame) => configPage(frame, facts))
  show('/audit', (_context, frame) => auditPage(frame, facts))
  show('/try', (_context, frame) => tryPage(frame, undefined))
  act('/try', '/try', async (form, _context, frame) => {
    const header = filled(form, 'header')
    const tried = { method: form.get('method') ?? '', path: form.get('path') ?? '', token: filled(form, 'token'), key: filled(form, 'key'), ip: filled(form, 'ip'), ...(header !== undefined && { headers: [header] }) }
    const note = await orNote(async () => ({ words: (await explain(tried)).text }))
    return pageResponse(tryPage(frame, note), note.bad ? 400 : 200)
  })
  addLimitsPage({ show, act }, options)
  addKeysPage({ show, act }, options)
}
