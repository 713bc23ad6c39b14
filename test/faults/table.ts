import { percentile } from '../support/limit-load.ts'
import type { Matrix, Round } from './matrix.ts'
import { DEADLINES } from './places.ts'
import type { Question } from './questions.ts'
import type { Cell, Face } from './round.ts'

type Place = Exclude<Question['place'], 'bystander'>

export const TITLES: Readonly<Record<Place, string>> = {
  upstream: 'Upstream',
  issuer: 'Issuer (key set)',
  introspection: 'Introspection endpoint',
  supabase: 'Supabase (`GET /auth/v1/user`)',
  limits: 'Redis of the limits',
  keys_redis: 'Key store, Redis',
  keys_postgres: 'Key store, PostgreSQL',
  keys_sqlite: 'Key store, file',
}

export const PLACES = Object.keys(TITLES) as readonly Place[]

const statusesOf = (cells: readonly Cell[]): string => [...new Set(cells.flatMap(({ statuses }) => Object.keys(statuses)))].toSorted().join(', ')

/** Both faces as one where they agree. */
export function statusText(cells: readonly Cell[]): string {
  const [inline, forward] = (['inline', 'forward-auth'] as const).map((face) => statusesOf(cells.filter((cell) => cell.face === face)))
  return forward === '' || forward === inline ? (inline ?? '') : `${inline} / ${forward}`
}

function latencyText(cells: readonly Cell[], face: Face): string {
  const values = cells.filter((cell) => cell.face === face && !cell.question.forged).flatMap(({ latencies }) => latencies)
  return values.length === 0 ? '–' : `${percentile(values, 0.5).toFixed(0)} / ${Math.max(...values).toFixed(0)}`
}

const columnsOf = (cells: readonly Cell[]): readonly string[] => [...new Set(cells.map(({ question }) => question.column))]

/** The part of a row that must be the same in every run: fault, statuses and codes. */
export interface Verdict { readonly place: Place; readonly fault: string; readonly columns: Readonly<Record<string, string>>; readonly codes: string }

const codesOf = (cells: readonly Cell[]): string => [...new Set(cells.flatMap(({ codes }) => codes.map((code) => code.replace(/^\d+ (.*)/, '`$1`'))))].toSorted().join(', ') || '–'

const cellsAt = ({ cells }: Round, place: Place): readonly Cell[] => cells.filter(({ question }) => question.place === place)

export function verdictsOf({ rounds }: Matrix): readonly Verdict[] {
  return PLACES.flatMap((place) => rounds.flatMap((round) => {
    const cells = cellsAt(round, place)
    if (cells.length === 0) return []
    const columns = Object.fromEntries(columnsOf(cells).map((column) => [column, statusText(cells.filter(({ question }) => question.column === column))]))
    return [{ place, fault: round.fault, columns, codes: codesOf(cells) }]
  }))
}

const recovery = (cells: readonly Cell[]): string => {
  const ms = Math.max(...cells.map(({ recoveredMs }) => recoveredMs))
  return ms < 50 ? 'at once' : `${(ms / 1_000).toFixed(1)} s`
}

function tableAt(matrix: Matrix, place: Place): string {
  const rounds = matrix.rounds.filter((round) => cellsAt(round, place).length > 0)
  const columns = columnsOf(rounds.flatMap((round) => cellsAt(round, place)))
  const head = ['fault', ...columns, 'code', 'inline p50 / max ms', 'forward-auth p50 / max ms', 'good again after']
  const verdicts = verdictsOf(matrix).filter((verdict) => verdict.place === place)
  const rows = rounds.map((round, index) => {
    const cells = cellsAt(round, place)
    return [round.fault, ...columns.map((column) => verdicts[index]?.columns[column] ?? ''), verdicts[index]?.codes ?? '', latencyText(cells, 'inline'), latencyText(cells, 'forward-auth'), recovery(cells)]
  })
  return [`### ${TITLES[place]}`, '', `Deadline ${DEADLINES[place]} ms.`, '', `| ${head.join(' | ')} |`, `|${'---|'.repeat(head.length)}`, ...rows.map((row) => `| ${row.join(' | ')} |`)].join('\n')
}

/** What depended on nothing, meanwhile. */
export function bystanderText({ rounds }: Matrix): string {
  const cells = rounds.flatMap(({ cells: all }) => all.filter(({ question }) => question.place === 'bystander'))
  const values = cells.flatMap(({ latencies }) => latencies)
  return `A route that depends on none of them was asked all the while: ${values.length} answers, ${statusText(cells)} each, p50 ${percentile(values, 0.5).toFixed(0)} ms, p99 ${percentile(values, 0.99).toFixed(0)} ms, longest ${Math.max(...values).toFixed(0)} ms.`
}

/** Everything between the markers of the page. */
export function pageOf(matrix: Matrix): string {
  const answers = matrix.rounds.flatMap(({ cells }) => cells).reduce((sum, cell) => sum + cell.answers, 0)
  const tables = PLACES.filter((place) => !(matrix.missing as readonly string[]).includes(place)).map((place) => tableAt(matrix, place))
  return [`${answers} requests; forged ones that were let in: ${matrix.letIn.length}; good ones that were called bad: ${matrix.rounds.flatMap(({ cells }) => cells).filter(({ question, wrongs }) => !question.forged && wrongs.length > 0).length}. ${bystanderText(matrix)}`, ...tables].join('\n\n')
}
