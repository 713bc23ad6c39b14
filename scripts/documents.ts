import { deployFiles } from './deploy-files.ts'
import { configurationDocument, schemaDocument } from '../src/config/document.ts'
import { presetsDocument } from '../src/config/presets-page.ts'
import { metricsDocument } from '../src/observe/metrics-document.ts'
import { problemsDocument } from '../src/wire/problems-document.ts'
import { fuzzingDocument } from '../test/fuzz/document.ts'
import { readResults } from '../test/fuzz/results.ts'
import { TARGETS } from '../test/fuzz/targets.ts'

/** Path from the root of the project to what stands in it, of everything that is generated. */
export const documents = (): ReadonlyMap<string, string> =>
  new Map([
    ['config/schema.json', `${JSON.stringify(schemaDocument(), null, 2)}\n`],
    ['docs/configuration.md', configurationDocument()],
    ['docs/presets.md', presetsDocument()],
    ['docs/problems.md', problemsDocument()],
    ['docs/metrics.md', metricsDocument()],
    ['docs/fuzzing.md', fuzzingDocument(TARGETS, readResults())],
    ...deployFiles(),
  ])
