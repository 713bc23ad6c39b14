import { formatSummary } from '../config/report.ts'
import type { Run } from './command.ts'
import { EXIT } from './exit-codes.ts'
import { configFileOf, passingResources, prepareConfig, reportMistakes, warningData, warningsOf } from './load-config.ts'

/** `postern check`: every mistake at once, or what this config would expose. Starts nothing. */
export const run: Run = async (invocation) => {
  const { terminal, options, env } = invocation
  const resources = passingResources()
  try {
    const prepared = prepareConfig({ file: configFileOf(invocation), env, resources })
    const { loaded } = prepared
    if (options['json'] === true) terminal.out(JSON.stringify({ ok: true, file: loaded.file, revision: loaded.revision, warnings: warningData(prepared) }))
    else terminal.print(formatSummary({ ...loaded, warnings: warningsOf(prepared) }, { color: terminal.color }))
    return EXIT.ok
  } catch (error) {
    return reportMistakes(error, invocation)
  } finally {
    await resources.closeAll()
  }
}
