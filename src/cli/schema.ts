import { schemaDocument } from '../config/document.ts'
import type { Run } from './command.ts'
import { EXIT } from './exit-codes.ts'

/** `postern schema`: the JSON Schema of the config, for editors. */
export const run: Run = async ({ terminal }) => {
  terminal.out(JSON.stringify(schemaDocument(), undefined, 2))
  return EXIT.ok
}
