import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { documents } from './documents.ts'

/** `npm run docs`: writes every page that is generated from code. */
for (const [path, text] of documents()) {
  writeFileSync(join(import.meta.dirname, '..', path), text)
  process.stderr.write(`${path}\n`)
}
