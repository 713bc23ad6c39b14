import { html, table, type Markup, type Piece } from '../../wire/page.ts'
import type { CloseCallView, LimitsService, LimitView } from './limits-routes.ts'
import { filled, orNote, pageResponse, type PageDesk } from './page-desk.ts'
import { csrfField, framed, noteOf, type Frame, type Note, type PageFacts } from './page-views.ts'

export interface LimitsPageDesk {
  readonly facts: Pick<PageFacts, 'limits'>
  readonly limits: () => LimitsService
  readonly clock: () => number
}

function inWords(instant: string, now: number): string {
  const seconds = Math.max(Math.ceil((Date.parse(instant) - now) / 1_000), 0)
  return seconds < 120 ? `${seconds} s` : seconds < 7_200 ? `${Math.ceil(seconds / 60)} min` : `${Math.ceil(seconds / 3_600)} h`
}

function resetForm(frame: Frame, partition: string, policy: string): Piece {
  if (!frame.mayWrite) return undefined
  return html`<form class="inline" method="post" action="/limits/reset">${csrfField(frame)}<input type="hidden" name="partition" value="${partition}"><input type="hidden" name="policy" value="${policy}"><button class="quiet" aria-label="Reset ${policy} of ${partition}">Reset</button></form>`
}

function closeCallsTable(frame: Frame, calls: readonly CloseCallView[], now: number): Markup {
  if (calls.length === 0) return html`<p class="soft">Nobody is near a limit.</p>`
  return table(['Who', 'Limit', 'State', 'Left', 'Resets in', ''], calls.map(({ partition, policy, exceeded, remaining, quota, resets_at }) => [
    html`<code>${partition}</code>`, policy, html`<span class="${exceeded ? 'bad' : 'soft'}">${exceeded ? 'over' : 'near'}</span>`, `${remaining} of ${quota}`, inWords(resets_at, now), resetForm(frame, partition, policy),
  ]))
}

function countersTable(frame: Frame, { partition, counters, now }: { readonly partition: string; readonly counters: readonly LimitView[]; readonly now: number }): Markup {
  if (counters.length === 0) return html`<p class="soft">Nothing is counted for ${partition}.</p>`
  return table(['Limit', 'Used', 'Left', 'Resets in', ''], counters.map(({ policy, used, quota, remaining, resets_at }) => [policy, used, remaining === null || quota === null ? 'no such limit any more' : `${remaining} of ${quota}`, inWords(resets_at, now), resetForm(frame, partition, policy)]))
}

/** Adds the page of limits: who is near or over one, the counters of anybody, and what the config says. */
export function addLimitsPage({ show, act }: PageDesk, { facts, limits, clock }: LimitsPageDesk): void {
  const render = async (frame: Frame, { partition, note }: { readonly partition?: string | undefined; readonly note?: Note }): Promise<string> => {
    const now = clock()
    let wrong: Note | undefined
    let counters: readonly LimitView[] = []
    if (partition !== undefined) wrong = await orNote(async () => {
      counters = await limits().show(partition)
      return { words: '' }
    })
    const found = partition === undefined ? undefined : wrong?.bad ? noteOf(wrong) : countersTable(frame, { partition, counters, now })
    const lookUp = html`<form method="get" action="/limits"><fieldset><legend>Counters of somebody</legend><label>Who, such as client_ip:203.0.113.9 or principal:web:alice<input name="partition" value="${partition ?? ''}" required></label><button>Show</button></fieldset></form>`
    const policies = table(['Name', 'Where', 'Limit', 'Counted by'], facts.limits().map(({ name, where, limit, key }) => [name, where, limit, key]))
    return framed(frame, 'Limits', html`${note && noteOf(note)}<h2>Near or over</h2><p class="soft">As this process has seen, with a fifth or less left; numbers are of this moment.</p>${closeCallsTable(frame, await limits().closeCalls(), now)}<h2>Look up</h2>${lookUp}${found}<h2>Limits of the config</h2>${policies}`)
  }

  show('/limits', (context, frame) => render(frame, { partition: context.req.query('partition')?.trim() || undefined }))
  act('/limits/reset', '/limits', async (form, _context, frame) => {
    const note = await orNote(async () => {
      const count = await limits().reset(form.get('partition') ?? '', filled(form, 'policy'), frame.actor)
      return { words: `${count} ${count === 1 ? 'counter' : 'counters'} of ${form.get('partition') ?? ''} forgotten.` }
    })
    return pageResponse(await render(frame, { note }), note.bad ? 400 : 200)
  })
}
