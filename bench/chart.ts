import type { Row } from './measure.ts'
import type { BenchResult } from './table.ts'

/** One bar: what it stands for, how long, and how it is drawn. */
interface Bar { readonly label: string; readonly value: number; readonly kind: 'own' | 'asking' | 'guarded' | 'bare' }

interface Group { readonly title: string; readonly bars: readonly Bar[] }

const WIDTH = 880
const LABELS = 280
const ROOM_FOR_VALUES = 70
const LINE = 22
const BAR = 14
const TOP = 90
const BETWEEN = 34

/** Two sets of colours: a page that is read in the dark shows pictures in the dark. */
const STYLE = `<style>
    text { font: 13px system-ui, sans-serif; fill: #24292f }
    .title { font-weight: 600; font-size: 15px } .group { font-weight: 600 } .note { fill: #57606a; font-size: 12px }
    .own { fill: #0969da } .asking { fill: #54aeff } .guarded { fill: #bf8700 } .bare { fill: #8c959f }
    @media (prefers-color-scheme: dark) {
      text { fill: #e6edf3 } .note { fill: #9198a1 }
      .own { fill: #4493f8 } .asking { fill: #1f6feb } .guarded { fill: #d29922 } .bare { fill: #6e7681 }
    }
  </style>`

const SPECIAL: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' }
const escaped = (text: string): string => text.replace(/[&<>"]/g, (character) => SPECIAL[character] ?? '')

function kindOf({ name, kind }: Row): Bar['kind'] {
  if (name.startsWith('postern')) return 'own'
  if (name.endsWith('Postern')) return 'asking'
  return kind === 'guarded' ? 'guarded' : 'bare'
}

const LEGEND: readonly (readonly [kind: Bar['kind'], text: string])[] = [['own', 'Postern'], ['asking', 'a proxy that asks Postern, both'], ['guarded', 'verifies by itself'], ['bare', 'no authentication']]

const legendSvg = LEGEND.map(([kind, text], index) => `  <rect class="${kind}" x="${16 + index * 215}" y="58" width="12" height="12" rx="2"/><text class="note" x="${34 + index * 215}" y="69">${text}</text>`).join('\n')

const barsOf = (rows: readonly Row[]): readonly Bar[] => rows.map((row) => ({ label: row.name, value: row.cpuUs, kind: kindOf(row) })).toSorted((a, b) => a.value - b.value)

const groupsOf = (rows: readonly Row[]): readonly Group[] =>
  [
    { title: 'Relays and authenticates', bars: barsOf(rows.filter(({ kind }) => kind === 'guarded')) },
    { title: 'Relays only', bars: barsOf(rows.filter(({ kind }) => kind === 'bare')) },
    { title: 'Answers by itself', bars: barsOf(rows.filter(({ kind }) => kind === 'check' || kind === 'refusal' || kind === 'answer')) },
  ].filter(({ bars }) => bars.length > 0)

function barSvg({ label, value, kind }: Bar, y: number, scale: number): string {
  const length = Math.max(1, value * scale)
  return `  <text x="${LABELS - 10}" y="${y + 12}" text-anchor="end">${escaped(label)}</text>
  <rect class="${kind}" x="${LABELS}" y="${y + 1}" width="${length.toFixed(1)}" height="${BAR}" rx="2"/>
  <text x="${(LABELS + length + 6).toFixed(1)}" y="${y + 12}">${value.toFixed(0)}</text>`
}

/** CPU time per request of every row as bars, shortest first in each group. Made of one result and nothing else. */
export function chart({ at, machine, rows }: BenchResult): string {
  const groups = groupsOf(rows)
  const longest = Math.max(1, ...rows.map(({ cpuUs }) => cpuUs))
  const scale = (WIDTH - LABELS - ROOM_FOR_VALUES) / longest
  let y = TOP
  const drawn = groups.flatMap(({ title, bars }) => {
    const lines = [`  <text class="group" x="${LABELS}" y="${y + 12}">${escaped(title)}</text>`]
    y += LINE
    for (const bar of bars) {
      lines.push(barSvg(bar, y, scale))
      y += LINE
    }
    y += BETWEEN - LINE
    return lines
  })
  const note = `${at.slice(0, 10)}, ${machine.cores} × ${machine.cpu ?? 'unknown processor'}, Node ${machine.node}; medians of interleaved rounds`
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${y}" width="${WIDTH}" height="${y}" role="img" aria-label="CPU time per request of Postern and of other proxies">
  ${STYLE}
  <text class="title" x="16" y="24">CPU time per request, µs (less is better)</text>
  <text class="note" x="16" y="43">${escaped(note)}</text>
${legendSvg}
${drawn.join('\n')}
</svg>
`
}
