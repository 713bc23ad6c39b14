import { join } from 'node:path'

export const PAGE = join(import.meta.dirname, '..', '..', 'docs', 'reliability.md')

const MARKS = /(<!-- faults: written by `npm run faults` -->\n)[^]*?(<!-- \/faults -->)/

/** The page with other tables. */
export const withMatrix = (page: string, tables: string): string => page.replace(MARKS, (_all, start: string, end: string) => `${start}${tables}\n${end}`)

/** The statuses and codes that the page states for one fault of one section, by column. */
export function statedIn(page: string, title: string, fault: string): Readonly<Record<string, string>> | undefined {
  const section = page.split('\n### ').find((part) => part.startsWith(`${title}\n`))
  const lines = (section ?? '').split('\n').filter((line) => line.startsWith('| '))
  const cellsOf = (line: string | undefined): readonly string[] => (line ?? '').split('|').slice(1, -1).map((cell) => cell.trim())
  const head = cellsOf(lines[0])
  const row = lines.map(cellsOf).find(([name]) => name === fault)
  return row && Object.fromEntries(head.map((name, index) => [name, row[index] ?? '']))
}
