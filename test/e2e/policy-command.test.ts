// `postern test` as a CI calls it: what the shell learns.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { runPostern } from '../support/running-postern.ts'

let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'postern-test-command-'))
})
afterAll(() => rmSync(folder, { recursive: true }))

const table = (row: string): string => {
  const file = join(folder, 'table.yaml')
  writeFileSync(file, `env: { API_KEY: a-key-of-this-test }\ncases:\n  - { name: it, ${row} }\n`)
  return file
}

describe('postern test', () => {
  it('exits with 0 when every case holds, and takes no variable of the shell', async () => {
    const { code, stdout, stderr } = await runPostern(['test', table('request: GET /x, key: a-key-of-this-test, expect: allow'), '-c', 'config/minimal.yaml'], { API_KEY: 'another-key-of-the-shell' })
    expect([code, stdout, stderr]).toEqual([0, '', expect.stringContaining('1 passed, 0 failed')])
  })

  it('exits with 1 when one does not, and says with --quiet no more than that', async () => {
    const { code, stderr } = await runPostern(['test', table('request: GET /x, expect: allow'), '-c', 'config/minimal.yaml', '--quiet'])
    expect([code, stderr]).toEqual([1, expect.stringMatching(/✗ it {2}.*\n {6}outcome {2}expected allow, got deny\n[^]*0 passed, 1 failed\n$/)])
  })

  it('exits with 78 for a table that is wrong, and 2 without one', async () => {
    expect(await runPostern(['test', table('request: GET /x, expekt: allow'), '-c', 'config/minimal.yaml'])).toMatchObject({ code: 78, stderr: expect.stringContaining('unknown key. Did you mean "expect"?') })
    expect(await runPostern(['test'])).toMatchObject({ code: 2, stderr: expect.stringContaining('postern test takes FILE…, got none') })
  })
})
