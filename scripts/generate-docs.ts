import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { documents } from './documents.ts'

/** `npm run docs`: writes every page that is generated from code. */
for (const [path, text] of documents()) {
  const file = join(import.meta.dirname, '..', path)
  mkdirSync(dirname(file), { recursive: true })
  writeFileSync(file, text)
  process.stderr.write(`${path}\n`)
}
