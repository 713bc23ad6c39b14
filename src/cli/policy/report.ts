import type { PlacedMistake } from '../../config/mistake.ts'
import { explanationData, explanationText } from '../explanation-text.ts'
import type { Paint } from '../terminal.ts'
import { percentOf, type Coverage } from './coverage.ts'
import type { Subject } from './subject.ts'
import type { CaseResult } from './run-table.ts'

/** A table that was run, with the config that it was run against. */
export interface RunTable {
  readonly file: string
  readonly config: string
  readonly results: readonly CaseResult[]
  readonly subject: Subject
  readonly placeOf: (result: CaseResult) => PlacedMistake | undefined
}

export const hasFailed = ({ differences }: CaseResult): boolean => differences.length > 0

const indented = (text: string, by: string): string => text.split('\n').map((line) => `${by}${line}`).join('\n')

/** What was expected against what came, and then every stage, as `explain` tells it. */
function failureLines(result: CaseResult, { subject, placeOf }: RunTable, paint: Paint): readonly string[] {
  const { name, differences, explanation } = result
  const place = placeOf(result)
  const width = Math.max(...differences.map(({ what }) => what.length))
  return [
    `  ${paint('red', '✗')} ${paint('bold', name)}${place ? paint('dim', `  ${place.file}:${place.line}:${place.column}`) : ''}`,
    ...differences.map(({ what, expected, got }) => `      ${what.padEnd(width)}  expected ${expected}, got ${paint('red', got)}`),
    ...(explanation ? [indented(explanationText(explanation, { gateway: subject.compiled.gateway, mode: subject.loaded.config.mode, paint }), '      | ')] : []),
  ]
}

/** One table, for people: a line for each case, more for those that failed. */
export function tableText(table: RunTable, paint: Paint, onlyFailed = false): string {
  const { file, config, results } = table
  const lines = results.flatMap((result) => (hasFailed(result) ? failureLines(result, table, paint) : onlyFailed ? [] : [`  ${paint('green', '✓')} ${result.name}`]))
  return [`${paint('bold', file)}  ${paint('dim', `against ${config}`)}`, ...lines].join('\n')
}

/** What no case reached. */
export function coverageText(coverage: Coverage, threshold: number | undefined, paint: Paint): string {
  const { config, routes, missed } = coverage
  const percent = percentOf(coverage)
  const low = threshold !== undefined && percent < threshold
  const demanded = threshold === undefined ? '' : `, ${threshold} % demanded`
  return [
    `${low ? paint('red', '✗') : missed.length === 0 ? paint('green', '✓') : paint('yellow', '!')} ${config}: ${routes.length - missed.length} of ${routes.length} routes reached (${percent} %${demanded})`,
    ...missed.map((route) => `    not reached: ${route}`),
  ].join('\n')
}

/** For programs. Header values of failed expectations are those of the text: what may be secret is not in them. */
export function reportData(tables: readonly RunTable[], coverage: readonly Coverage[], ok: boolean): Record<string, unknown> {
  return {
    ok,
    passed: tables.flatMap(({ results }) => results).filter((result) => !hasFailed(result)).length,
    failed: tables.flatMap(({ results }) => results).filter(hasFailed).length,
    tables: tables.map((table) => ({
      file: table.file,
      config: table.config,
      cases: table.results.map((result) => {
        const place = table.placeOf(result)
        return { name: result.name, ok: !hasFailed(result), line: place?.line, column: place?.column, differences: result.differences, explanation: result.explanation && explanationData(result.explanation, table.subject.compiled.gateway) }
      }),
    })),
    coverage: coverage.map((each) => ({ ...each, percent: percentOf(each) })),
  }
}
