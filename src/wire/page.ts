import { createHash } from 'node:crypto'

/** Markup that was put together by {@link html}: everything foreign in it is text. */
export interface Markup { readonly markup: string }

/** What may stand in a template: text and numbers are escaped, markup is not, nothing is nothing. */
export type Piece = string | number | Markup | undefined | null | false | readonly Piece[]

const ENTITIES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;', '`': '&#96;' }

/** Text for an element or a quoted attribute. */
export const escaped = (text: string): string => text.replace(/[&<>"'`]/g, (character) => ENTITIES[character] ?? '')

function rendered(piece: Piece): string {
  if (piece === undefined || piece === null || piece === false) return ''
  if (typeof piece === 'string' || typeof piece === 'number') return escaped(String(piece))
  return isList(piece) ? piece.map(rendered).join('') : piece.markup
}

const isList = (piece: Markup | readonly Piece[]): piece is readonly Piece[] => Array.isArray(piece)

/** A template of markup. Values are escaped for elements and double-quoted attributes; they must stand nowhere else. */
export const html = (parts: TemplateStringsArray, ...pieces: readonly Piece[]): Markup => ({ markup: parts.map((part, index) => `${part}${rendered(pieces[index])}`).join('') })

const STYLE = `
:root { color-scheme: light dark; --fg: #1c1e21; --bg: #fff; --soft: #5b616b; --line: #d4d8de; --accent: #0b57d0; --panel: #f5f6f8; --bad: #b3261e; --good: #146c2e }
@media (prefers-color-scheme: dark) { :root { --fg: #e6e8eb; --bg: #15171a; --soft: #a3a9b3; --line: #363b42; --accent: #8ab4f8; --panel: #1e2126; --bad: #f2b8b5; --good: #81c995 } }
* { box-sizing: border-box }
body { margin: 0; font: 15px/1.5 system-ui, sans-serif; color: var(--fg); background: var(--bg) }
header, main { max-width: 72rem; margin: 0 auto; padding: 0.75rem 1.25rem }
header { display: flex; gap: 1.25rem; align-items: center; flex-wrap: wrap; border-bottom: 1px solid var(--line) }
header strong { font-size: 1.05rem }
a { color: var(--accent) } a[aria-current] { color: inherit; font-weight: 600; text-decoration: none }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px }
h1 { font-size: 1.4rem; margin: 0.75rem 0 } h2 { font-size: 1.1rem; margin: 1.5rem 0 0.5rem }
.scroll { overflow-x: auto } table { border-collapse: collapse; width: 100% } th, td { text-align: left; padding: 0.4rem 0.75rem 0.4rem 0; border-bottom: 1px solid var(--line); vertical-align: top; overflow-wrap: break-word }
th, button { white-space: nowrap } td { max-width: 24rem } nav { display: flex; gap: 0.9rem; flex-wrap: wrap } .note { margin-bottom: 1rem }
th { color: var(--soft); font-weight: 500 } code, pre, input.key { font-family: ui-monospace, monospace; font-size: 0.9em }
pre { background: var(--panel); padding: 0.75rem; overflow-x: auto; border-radius: 6px }
form.inline { display: inline } fieldset { border: 1px solid var(--line); border-radius: 6px; padding: 0.75rem 1rem; display: grid; gap: 0.6rem; max-width: 34rem }
label { display: grid; gap: 0.2rem; color: var(--soft) } input, select, textarea { font: inherit; color: var(--fg); background: var(--bg); border: 1px solid var(--line); border-radius: 5px; padding: 0.4rem 0.55rem; width: 100% }
button { font: inherit; color: var(--bg); background: var(--accent); border: 0; border-radius: 5px; padding: 0.4rem 0.9rem; cursor: pointer; justify-self: start } button.quiet { color: var(--fg); background: var(--panel); border: 1px solid var(--line); padding: 0.15rem 0.6rem }
.note { border-left: 4px solid var(--accent); background: var(--panel); padding: 0.75rem 1rem; border-radius: 4px } .bad { color: var(--bad) } .good { color: var(--good) } .soft { color: var(--soft) }
`

/** By its digest, so that nothing else that could get into a page is a style. */
const STYLE_SOURCE = `'sha256-${createHash('sha256').update(STYLE).digest('base64')}'`

/** Fields of every page: no script, no frame, no other origin, and nobody keeps it. */
export const PAGE_HEADERS: readonly (readonly [name: string, value: string])[] = [
  ['Content-Type', 'text/html; charset=utf-8'],
  ['Content-Security-Policy', `default-src 'none'; style-src ${STYLE_SOURCE}; form-action 'self'; base-uri 'none'; frame-ancestors 'none'`],
  ['X-Content-Type-Options', 'nosniff'],
  ['X-Frame-Options', 'DENY'],
  // Not no-referrer: forms would then come with `Origin: null`, and be refused as foreign.
  ['Referrer-Policy', 'same-origin'],
  ['Cross-Origin-Opener-Policy', 'same-origin'],
  ['Cross-Origin-Resource-Policy', 'same-origin'],
  ['Cache-Control', 'no-store'],
]

/** A whole document. There is no script in it: it works by links and forms. */
export function page({ title, header, body }: { readonly title: string; readonly header: Markup; readonly body: Markup }): string {
  const head = html`<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><title>${title} – Postern</title>`
  return `<!doctype html>\n<html lang="en"><head>${head.markup}<style>${STYLE}</style></head><body><header>${header.markup}</header><main>${body.markup}</main></body></html>\n`
}

/** Rows under their titles. */
export const table = (titles: readonly string[], rows: readonly (readonly Piece[])[]): Markup =>
  html`<div class="scroll"><table><thead><tr>${titles.map((title) => html`<th scope="col">${title}</th>`)}</tr></thead><tbody>${rows.map((row) => html`<tr>${row.map((cell) => html`<td>${cell}</td>`)}</tr>`)}</tbody></table></div>`
