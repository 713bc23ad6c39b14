import type { Run } from './command.ts'
import { EXIT } from './exit-codes.ts'
import { REVISION, VERSION } from './version.ts'

/** `postern version`: what runs, as text or JSON. */
export const run: Run = async ({ options, terminal }) => {
  const facts = { version: VERSION, revision: REVISION, node: process.versions.node, platform: `${process.platform}-${process.arch}` }
  terminal.out(options['json'] === true ? JSON.stringify(facts) : `postern ${facts.version} (${facts.revision}), Node ${facts.node}, ${facts.platform}`)
  return EXIT.ok
}
