import { relative } from 'node:path'
import { routeNames } from '../../config/compile-routes.ts'
import { ConfigFileError, type PlacedMistake } from '../../config/mistake.ts'
import { formatList } from '../../config/report.ts'
import { textOption, type Invocation, type Run } from '../command.ts'
import { findConfigFile } from '../config-file.ts'
import { EXIT, UsageError } from '../exit-codes.ts'
import { coverageOf, percentOf, type Coverage } from './coverage.ts'
import { loadTable, type LoadedTable } from './load-table.ts'
import { coverageText, hasFailed, reportData, tableText, type RunTable } from './report.ts'
import { planTable, runTable } from './run-table.ts'
import { openSubject, type Subject } from './subject.ts'
import type { Table } from './table-schema.ts'

/** A table with the config that it is for, or what is wrong with either. */
type Opened = { readonly loaded: LoadedTable; readonly table: Table; readonly subject: Subject; readonly config: string } | { readonly mistakes: readonly PlacedMistake[] }

function thresholdOf({ options }: Invocation): number | undefined {
  const text = textOption(options, 'coverage')
  if (text === undefined) return undefined
  if (!/^\d{1,3}$/.test(text) || Number(text) > 100) throw new UsageError(`--coverage ${text}: expected a number from 0 to 100`)
  return Number(text)
}

/** What `-c` names, or the table, or what every command would find. */
function configOf({ table: { config }, loaded: { pathOf } }: { readonly table: Table; readonly loaded: LoadedTable }, invocation: Invocation): string | undefined {
  if (textOption(invocation.options, 'config') !== undefined || config === undefined) return findConfigFile(invocation)
  return relative(invocation.cwd, pathOf(config)) || config
}

async function open(file: string, invocation: Invocation): Promise<Opened> {
  const loaded = loadTable(file)
  const { table, pathOf } = loaded
  if (!table) return { mistakes: loaded.mistakes }
  const config = configOf({ table, loaded }, invocation)
  if (config === undefined) return { mistakes: loaded.placed([{ path: ['config'], message: 'missing – expected the config that this table is about, here or with -c' }]) }
  try {
    const subject = await openSubject(config, table, new Map(Object.entries(table.files).map(([name, text]) => [pathOf(name), text])))
    return { loaded, table, subject, config }
  } catch (error) {
    if (!(error instanceof ConfigFileError)) throw error
    const absent = error.mistakes.some(({ message }) => /is not set|does not exist/.test(message) && !message.startsWith('this config'))
    const hint = { path: ['config'], message: 'the config sees no variables but those that stand in "env" here, and files that are not there stand in "files"' }
    return { mistakes: [...(absent ? loaded.placed([hint]) : []), ...error.mistakes] }
  }
}

/** What is wrong, on stderr for people and with `--json` as data, like a config that is refused. */
function refuse(mistakes: readonly PlacedMistake[], { terminal, options }: Invocation): number {
  if (options['json'] === true) terminal.out(JSON.stringify({ ok: false, errors: mistakes.map(({ file, line, column, path, message }) => ({ file, line, column, path: path.join('.'), message })) }))
  else terminal.complain(`${formatList(mistakes)}\n${mistakes.length} ${mistakes.length === 1 ? 'error' : 'errors'}. Nothing was tested.`)
  return EXIT.config
}

interface Report { readonly tables: readonly RunTable[]; readonly coverage: readonly Coverage[]; readonly threshold: number | undefined }

function tell({ tables, coverage, threshold }: Report, { terminal, options }: Invocation): number {
  const results = tables.flatMap((table) => table.results)
  const failed = results.filter(hasFailed).length
  const ok = failed === 0 && (threshold === undefined || coverage.every((each) => percentOf(each) >= threshold))
  if (options['json'] === true) terminal.out(JSON.stringify(reportData(tables, coverage, ok)))
  else {
    const speak = (fine: boolean): ((words: string) => void) => (fine ? terminal.say : terminal.complain)
    for (const table of tables) speak(!table.results.some(hasFailed))(tableText(table, terminal.paint, options['quiet'] === true))
    for (const each of coverage) speak(threshold === undefined || percentOf(each) >= threshold)(coverageText(each, threshold, terminal.paint))
    speak(ok)(`${results.length - failed} passed, ${failed} failed`)
  }
  return ok ? EXIT.ok : EXIT.failure
}

/** `postern test FILE…`: the real pipe, with throw-away keys and nobody asked. Exit 0 when every case holds, 1 when not, 78 for a wrong file. */
export const run: Run = async (invocation) => {
  const threshold = thresholdOf(invocation)
  const opened = await Promise.all(invocation.positionals.map((file) => open(file, invocation)))
  const good = opened.filter((each) => 'subject' in each)
  try {
    const planned = good.map((each) => ({ ...each, ...planTable(each.table, each.subject) }))
    const mistakes = [...opened.flatMap((each) => ('subject' in each ? [] : each.mistakes)), ...planned.flatMap(({ loaded, mistakes: found }) => loaded.placed(found))]
    if (mistakes.length > 0) return refuse(mistakes, invocation)
    const tables: RunTable[] = []
    for (const { loaded, table, subject, config, prepared } of planned) {
      const results = await runTable(table, prepared, subject)
      tables.push({ file: loaded.file, config, results, subject, placeOf: ({ path }) => loaded.placed([{ path: [...path, 'name'], message: '' }])[0] })
    }
    const coverage = coverageOf(tables.map(({ config, results, subject }) => ({ config, results, routes: routeNames(subject.loaded.config) })))
    return tell({ tables, coverage, threshold }, invocation)
  } finally {
    await Promise.all(good.map(({ subject }) => subject.close()))
  }
}
