import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { runPostern, type CommandResult } from '../support/running-postern.ts'

const ENV = { KEY_PEPPER: 'sixteen-characters' }

const CONFIG = `
version: 1
listen: 127.0.0.1:0
ops: 127.0.0.1:0
upstream: http://127.0.0.1:9
client_ip: {direct: true}
audit: off
auth:
  - api_keys: {store: keys.db, pepper: "\${KEY_PEPPER}", import: api-keys.json}
`

let folder = ''
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'postern-look-'))
  writeFileSync(join(folder, 'postern.yaml'), CONFIG)
  writeFileSync(join(folder, 'api-keys.json'), JSON.stringify([{ key: 'plain-old-key', userId: 'bob' }, { key: 'plain-new-key', userId: 'eve' }]))
})
afterEach(() => rmSync(folder, { recursive: true }))

const postern = (...args: string[]): Promise<CommandResult> => runPostern([...args, '-c', join(folder, 'postern.yaml')], ENV)

describe('commands that look', () => {
  it.each([
    ['check', ['check'], 0],
    ['explain', ['explain', 'GET', '/', '--key', 'plain-old-key'], 0],
    ['keys list', ['keys', 'list'], 0],
    ['doctor', ['doctor'], 1],
  ])('%s makes no key store and imports no key', async (_title, args, code) => {
    expect(await postern(...args)).toMatchObject({ code })
    expect(readdirSync(folder).toSorted()).toEqual(['api-keys.json', 'postern.yaml'])
  })

  it('check says what a start would make and import', async () => {
    expect((await postern('check')).stderr).toMatch(/store +\S+keys\.db will be created; 2 keys would be imported from \S+api-keys\.json/)
    expect(JSON.parse((await postern('check', '--json')).stdout)).toMatchObject({ ok: true, stores: [{ exists: false, would_import: 2 }] })
  })

  it('explain says of an unknown key where it was looked for', async () => {
    expect((await postern('explain', 'GET', '/', '--key', 'nobody-knows-it')).stderr).toMatch(/looked in +"a store of issued keys \(`postern keys list` shows them\)"/)
    writeFileSync(join(folder, 'keys.yaml'), 'keys:\n  - {value: one-of-a-file}\n  - {value: two-of-a-file}\n')
    writeFileSync(join(folder, 'postern.yaml'), CONFIG.replace(/- api_keys:.*/, '- api_keys: {file: keys.yaml, keys: [{value: one-of-the-config}]}'))
    expect((await postern('explain', 'GET', '/', '--key', 'nobody-knows-it')).stderr).toMatch(/looked in +"1 key of the config, 2 keys of \S+keys\.yaml"/)
  })

  it('a store that exists is read and stays as it is', async () => {
    await postern('keys', 'import', join(folder, 'api-keys.json'))
    const before = readdirSync(folder).map((name) => [name, readFileSync(join(folder, name), 'base64')])
    writeFileSync(join(folder, 'api-keys.json'), JSON.stringify([{ key: 'plain-old-key', userId: 'bob' }, { key: 'a-third-key', userId: 'joe' }]))
    expect((await postern('check')).stderr).toMatch(/keys\.db; 1 key would be imported/)
    expect((await postern('explain', 'GET', '/', '--key', 'plain-old-key')).code).toBe(0)
    expect((await postern('keys', 'list')).stdout).toContain('bob')
    expect(readdirSync(folder)).toEqual(before.map(([name]) => name))
    expect(readFileSync(join(folder, 'keys.db'), 'base64')).toBe(before.find(([name]) => name === 'keys.db')?.[1])
  })
})
