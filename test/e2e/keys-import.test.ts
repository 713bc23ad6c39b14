import { createWriteStream, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { finished } from 'node:stream/promises'
import { expect, it, onTestFinished } from 'vitest'
import { EXPORT_HEADER, exportEnd } from '../../src/keys/export-lines.ts'
import { sampleRecord } from '../../src/keys/key-store.contract.ts'
import { valuesOf } from '../../src/keys/record-rows.ts'
import { runPostern } from '../support/running-postern.ts'

const RECORDS = 10_000
/** Smaller than the file: whoever holds all of it, in whatever form, ends. */
const HEAP_MIB = 40

it('an import and an export of more than the heap holds go through', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'postern-e2e-import-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  const [config, from] = [join(folder, 'postern.yaml'), join(folder, 'keys.jsonl')]
  writeFileSync(config, 'version: 1\nupstream: http://127.0.0.1:9\nclient_ip: { direct: true }\naudit: "off"\nauth: [api_keys: { store: keys.db, pepper: a pepper for this test }]\n')
  const file = createWriteStream(from)
  file.write(`${EXPORT_HEADER}\n`)
  const notes = 'n'.repeat(4_500)
  for (let n = 0; n < RECORDS; n += 1) file.write(`${JSON.stringify(valuesOf(sampleRecord({ notes })))}\n`)
  file.end(`${exportEnd(RECORDS)}\n`)
  await finished(file)
  expect(statSync(from).size).toBeGreaterThan(HEAP_MIB * 1_048_576)
  const env = { NODE_OPTIONS: `--max-old-space-size=${HEAP_MIB}` }
  const imported = await runPostern(['keys', 'import', from, '--config', config, '--json'], env)
  expect(imported.code, imported.stderr.slice(0, 2_000)).toBe(0)
  expect(JSON.parse(imported.stdout)).toEqual({ added: RECORDS, known: 0, refused: [] })
  const exported = await runPostern(['keys', 'export', '--config', config], env)
  expect(exported.code, exported.stderr.slice(0, 2_000)).toBe(0)
  expect(exported.stdout.endsWith(`${exportEnd(RECORDS)}\n`)).toBe(true)
}, 90_000)
