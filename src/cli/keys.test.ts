import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { parseKey } from '../keys/key-format.ts'
import type { Terminal } from './terminal.ts'
import { OperatorError, UsageError } from './exit-codes.ts'
import { KEYS_COMMAND } from './keys-command.ts'
import { run } from './keys.ts'

const PEPPER = 'sixteen-characters'
const ONE = `version: 1
upstream: http://127.0.0.1:3000
client_ip: { direct: true }
audit: audit.log
tiers: { free: {}, pro: {} }
authenticators:
  pat: { type: api_key, in: [{ bearer: true }], prefix: [acme_live_], store: keys.db, pepper: "\${KEY_PEPPER}" }
`

let folder: string
let out: string[]
let said: string[]
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'postern-cli-'))
  out = []
  said = []
  writeFileSync(join(folder, 'postern.yaml'), ONE.replace('audit: audit.log', `audit: ${join(folder, 'audit.log')}`))
})
afterEach(() => rmSync(folder, { recursive: true }))

const terminal: Terminal = {
  out: (data) => void out.push(data), say: (words) => void said.push(words), complain: (words) => void said.push(words), print: (text) => void said.push(text),
  color: false, readInput: async () => '', interactive: false, paint: (_color, words) => words,
}

/** Calls the command as the command line would. */
async function keys(line: string, { config = 'postern.yaml', env = { KEY_PEPPER: PEPPER } as NodeJS.ProcessEnv } = {}): Promise<number> {
  out = []
  const { values, positionals } = parseArgs({ args: line.split(' '), options: { config: { type: 'string' }, json: { type: 'boolean' }, ...KEYS_COMMAND.options }, allowPositionals: true, strict: true })
  return run({ positionals, options: { config: join(folder, config), ...values }, terminal, env, cwd: folder })
}
const json = async (line: string): Promise<Record<string, unknown>> => {
  expect(await keys(`${line} --json`)).toBe(0)
  expect(out).toHaveLength(1)
  return JSON.parse(out[0]!)
}

describe('postern keys', () => {
  it('create prints one JSON object with id and key, and everything that was asked for', async () => {
    const made = await json('create --owner user_1 --email dev@example.com --tier pro --scopes a:read,b --roles r --name job --notes why --expires 90d')
    expect(made).toMatchObject({ id: expect.stringMatching(/^key_/), owner: 'user_1', email: 'dev@example.com', tier: 'pro', scopes: ['a:read', 'b'], roles: ['r'], name: 'job', notes: 'why', status: 'active', state: 'active' })
    expect(parseKey(String(made['key']))?.prefix).toBe('acme_live')
    expect(Date.parse(String(made['expires_at'])) - Date.now()).toBeGreaterThan(89 * 86_400_000)
    expect(said).toEqual([])
  })

  it('create for people puts the key alone on stdout and says once what to do with it', async () => {
    await keys('create --owner user_1')
    expect(out).toHaveLength(1)
    expect(parseKey(out[0]!)).toBeDefined()
    expect(said.join()).toMatch(/shown once.*id key_.*owner user_1.*never expires.*curl -H "Authorization: Bearer KEY" http:\/\/127\.0\.0\.1:8080\//s)
    expect(said.join()).not.toContain(out[0])
  })

  it('list, show and revoke never show a key or digest again', async () => {
    const made = await json('create --owner user_1')
    const listed = await json('list')
    expect(listed).toEqual({ items: [expect.objectContaining({ id: made['id'], state: 'active' })], next: null })
    expect(await json(`show ${made['id']}`)).toMatchObject({ id: made['id'] })
    expect(await json(`revoke ${made['id']}`)).toMatchObject({ state: 'revoked' })
    expect(await json(`revoke ${made['id']}`)).toMatchObject({ state: 'revoked' })
    await keys('list')
    await keys(`show ${made['id']}`)
    expect([...out, JSON.stringify(listed)].join()).not.toContain(parseKey(String(made['key']))?.secret)
    expect(JSON.stringify(listed)).not.toMatch(/digest|[0-9a-f]{64}/)
  })

  it('list goes on where a page ended, and lists one owner', async () => {
    for (const owner of ['a', 'b', 'a']) await json(`create --owner ${owner}`)
    const first = await json('list --limit 2')
    expect(first['items']).toHaveLength(2)
    const second = await json(`list --limit 2 --after ${first['next']}`)
    expect(second).toMatchObject({ items: [{ owner: 'a' }], next: null })
    expect((await json('list --owner a'))['items']).toHaveLength(2)
  })

  it('rotate prints the new id and key and what they replace', async () => {
    const old = await json('create --owner user_1')
    const fresh = await json(`rotate ${old['id']} --overlap 6s`)
    expect(fresh).toMatchObject({ id: expect.stringMatching(/^key_/), key: expect.stringMatching(/^acme_live_/), replaces: old['id'] })
    const replaced = await json(`show ${old['id']}`)
    expect(replaced['replaced_by']).toBe(fresh['id'])
    expect(Date.parse(String(replaced['overlap_ends_at'])) - Date.now()).toBeLessThan(6_001)
  })

  it('suspend and resume change the state', async () => {
    const { id } = await json('create --owner user_1')
    expect(await json(`suspend ${id}`)).toMatchObject({ state: 'suspended' })
    expect(await json(`resume ${id}`)).toMatchObject({ state: 'active' })
  })

  it('import brings rows in and says which cannot be used', async () => {
    const file = join(folder, 'api-keys.json')
    writeFileSync(file, JSON.stringify([{ key: 'plain-old-key', userId: 'bob' }, { userId: 'x' }]))
    expect(await json(`import ${file}`)).toMatchObject({ added: 1, known: 0, refused: [{ row: 2 }] })
  })

  it('export and import move everything, and wrong lines are told with file and number', async () => {
    const made = await json('create --owner user_1')
    await keys('export')
    const file = join(folder, 'keys.jsonl')
    const lines = out.join('\n').split('\n')
    writeFileSync(file, `${lines.join('\n')}\n`)
    expect(said.at(-1)).toMatch(/^1 key; digests only/)
    expect(await json(`import ${file}`)).toEqual({ added: 0, known: 1, refused: [] })
    writeFileSync(file, lines.join('\n').replace(String(made['id']), 'nobody'))
    await expect(keys(`import ${file}`)).rejects.toThrow(`${file}:2: its id is not the id of a key`)
    await expect(keys(`import ${join(folder, 'absent')}`)).rejects.toThrow(/absent cannot be read: ENOENT/)
  })

  it('writes each act to the audit file with its actor, and no key', async () => {
    const made = await json('create --owner user_1')
    await json(`revoke ${made['id']}`)
    const lines = readFileSync(join(folder, 'audit.log'), 'utf8').trimEnd().split('\n').map((line) => JSON.parse(line))
    expect(lines).toMatchObject([{ 'event.action': 'key_issued', 'event.dataset': 'postern.audit', 'postern.target': made['id'] }, { 'event.action': 'key_revoked' }])
    expect(lines[0]['postern.actor']).toMatch(/^cli:./)
  })

  it('leaves no key in any file', async () => {
    const made = await json('create --owner user_1')
    const bytes = Buffer.concat(readdirSync(folder).map((name) => readFileSync(join(folder, name)))).toString('latin1')
    expect(bytes).not.toContain(parseKey(String(made['key']))?.secret)
  })

  it.each([
    ['create', /--owner/],
    ['frobnicate', /One of: create/],
    ['show', /usage: postern keys show ID/],
    ['list key_1', /usage: postern keys list/],
    ['create --owner a --overlap 1h', /--overlap means nothing/],
    ['create --owner a --tier gold', /expected one of free, pro/],
    ['create --owner a --expires yesterday', /expires/],
    ['create --owner a --status banned', /active or suspended/],
    ['list --limit 0', /1 to 1000/],
  ])('%s is wrong usage', async (line, message) => {
    await expect(keys(line)).rejects.toThrow(message)
    await expect(keys(line)).rejects.toBeInstanceOf(UsageError)
  })

  it('fails for a key that does not exist', async () => {
    await expect(keys('revoke key_nobody')).rejects.toBeInstanceOf(OperatorError)
  })

  it('is a wrong config when the pepper is missing, without half a key made', async () => {
    expect(await keys('create --owner a', { env: { KEY_PEPPER: '' } })).toBe(78)
    expect(said.join()).toMatch(/postern\.yaml:7:\d+ .*a store without a pepper/)
    expect(out).toEqual([])
  })

  it('asks which store is meant where there are several', async () => {
    const config = ONE.replace('audit: audit.log', 'audit: off').replace('  pat:', '  other: { type: api_key, store: other.db, pepper: "${KEY_PEPPER}" }\n  pat:')
    writeFileSync(join(folder, 'two.yaml'), config)
    await expect(keys('list', { config: 'two.yaml' })).rejects.toThrow(/--authenticator. One of: other, pat/)
    expect(await keys('list --authenticator other', { config: 'two.yaml' })).toBe(0)
    await expect(keys('list --authenticator nobody', { config: 'two.yaml' })).rejects.toThrow(/One of: other, pat/)
  })

  it('says so when no authenticator has a store', async () => {
    writeFileSync(join(folder, 'none.yaml'), 'version: 1\nupstream: http://127.0.0.1:3000\nauth: [anonymous]\n')
    await expect(keys('list', { config: 'none.yaml' })).rejects.toThrow(/no authenticator of this config has a key store/)
  })

  it('shows foreign text without obeying it', async () => {
    const file = join(folder, 'api-keys.json')
    writeFileSync(file, JSON.stringify([{ key: 'plain-old-key', userId: 'bo\u{2028}b' }]))
    await json(`import ${file}`)
    await keys('list')
    expect(out.join()).toContain(String.raw`bo\u2028b`)
  })
})
