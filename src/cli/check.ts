import { formatSummary } from '../config/report.ts'
import { outlookText, storeOutlooks, type StoreOutlook } from '../config/store-outlook.ts'
import type { Run } from './command.ts'
import { EXIT } from './exit-codes.ts'
import { configFileOf, passingResources, prepareConfig, reportMistakes, warningData, warningsOf } from './load-config.ts'

const storeData = ({ authenticator, store, exists, wouldImport }: StoreOutlook): Record<string, unknown> => ({ authenticator, store, exists, would_import: wouldImport })

/** `postern check`: every mistake at once, or what this config would expose. Starts nothing. */
export const run: Run = async (invocation) => {
  const { terminal, options, env } = invocation
  const resources = passingResources()
  try {
    const prepared = prepareConfig({ file: configFileOf(invocation), env, resources })
    const { loaded } = prepared
    const stores = await storeOutlooks(loaded.config)
    if (options['json'] === true) terminal.out(JSON.stringify({ ok: true, file: loaded.file, revision: loaded.revision, warnings: warningData(prepared), stores: stores.map(storeData) }))
    else terminal.print(formatSummary({ ...loaded, warnings: warningsOf(prepared) }, { color: terminal.color, stores: stores.map(outlookText) }))
    return EXIT.ok
  } catch (error) {
    return reportMistakes(error, invocation)
  } finally {
    await resources.closeAll()
  }
}
