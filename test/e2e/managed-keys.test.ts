import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { hashSync } from 'bcryptjs'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { parseKey } from '../../src/keys/key-format.ts'
import { startRecordingUpstream, type RecordingUpstream } from '../support/recording-upstream.ts'
import { runPostern, startPostern, type RunningPostern } from '../support/running-postern.ts'

const ADMIN_TOKEN = 'admin-token-of-this-test'
const KEY_PEPPER = 'pepper-of-this-test'
const IMPORTED = 'f'.repeat(64)

const CONFIG = `
version: 1
listen: \${LISTEN}
ops: \${OPS_LISTEN}
upstream: \${UPSTREAM_URL}
client_ip: { direct: true }
drain: { delay: 0, timeout: 2s }
admin: { listen: "\${ADMIN_LISTEN}", token: "\${ADMIN_TOKEN:-}" }
authenticators:
  pat: { type: api_key, in: [{ bearer: true }], prefix: [acme_live_], store: "\${KEY_STORE:-}", pepper: "\${KEY_PEPPER:-}" }
  old: { type: api_key, in: [{ header: X-API-Key }], store: "\${OLD_STORE:-}", pepper: "\${KEY_PEPPER:-}", import: "\${API_KEYS_JSON:-}" }
identity: { X-User-Id: "{{principal.id}}", X-Key-Id: "{{principal.key_id}}", X-Scopes: "{{principal.scopes|space}}", X-Created-At: "{{principal.created_at}}" }
`

let folder: string
let upstream: RecordingUpstream
let postern: RunningPostern
let secrets: string[]

const env = (): Record<string, string> => ({
  UPSTREAM_URL: `http://127.0.0.1:${upstream.port}`, ADMIN_TOKEN, KEY_PEPPER,
  KEY_STORE: join(folder, 'keys.db'), OLD_STORE: join(folder, 'old.db'), API_KEYS_JSON: join(folder, 'api-keys.json'),
})

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'postern-e2e-keys-'))
  secrets = [ADMIN_TOKEN, KEY_PEPPER, IMPORTED]
  writeFileSync(join(folder, 'postern.yaml'), CONFIG)
  upstream = await startRecordingUpstream()
  writeFileSync(join(folder, 'api-keys.json'), JSON.stringify([{ keyHash: hashSync(IMPORTED, 10), userId: 'alice', createdAt: '2025-01-01T00:00:00Z' }]))
  postern = await startPostern({ config: join(folder, 'postern.yaml'), env: env() })
})
afterEach(async () => {
  await postern.stop()
  await upstream.close()
  // What every test ends with: nothing secret was written anywhere.
  const files = readdirSync(folder).filter((name) => name !== 'postern.yaml').map((name) => readFileSync(join(folder, name), 'latin1'))
  for (const secret of secrets) expect([postern.output(), ...files].join('\n')).not.toContain(secret)
  rmSync(folder, { recursive: true })
})

const statusOf = async (key: string): Promise<number> => (await fetch(`${postern.url}/x`, { headers: { authorization: `Bearer ${key}` } })).status
const oldStatus = async (key: string): Promise<number> => (await fetch(`${postern.url}/x`, { headers: { 'x-api-key': key } })).status

async function keys(...args: string[]): Promise<Record<string, unknown>> {
  const { code, stdout, stderr } = await postern.command('keys', ...args, '--config', join(folder, 'postern.yaml'), '--authenticator', 'pat', '--json')
  expect(stderr).toBe('')
  expect(code).toBe(0)
  return JSON.parse(stdout)
}

async function create(...args: string[]): Promise<{ id: string; key: string }> {
  const { id, key } = await keys('create', ...args)
  secrets.push(parseKey(String(key))?.secret ?? '?')
  return { id: String(id), key: String(key) }
}

async function admin(method: string, path: string, body?: unknown): Promise<{ status: number; body: Record<string, unknown> }> {
  const answer = await fetch(`${postern.adminUrl}${path}?authenticator=pat`, { method, headers: { authorization: `Bearer ${ADMIN_TOKEN}`, 'content-type': 'application/json' }, ...(body === undefined ? {} : { body: JSON.stringify(body) }) })
  const text = await answer.text()
  return { status: answer.status, body: text === '' ? {} : JSON.parse(text) }
}

describe('managed keys of a running Postern', () => {
  it('work as soon as a command made them, and not a second longer than they live', async () => {
    const { id, key } = await create('--owner', 'user_1', '--scopes', 'a:read,b')
    expect(await statusOf(key)).toBe(200)
    const headers = Object.fromEntries(upstream.requests[0]!.headers.map(([name, value]) => [name.toLowerCase(), value]))
    expect(headers).toMatchObject({ 'x-user-id': 'user_1', 'x-key-id': id, 'x-scopes': 'a:read b', 'x-created-at': expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/) })
    expect(headers).not.toHaveProperty('authorization')

    await keys('suspend', id)
    await wait(1_000)
    expect(await statusOf(key)).toBe(403)
    await keys('resume', id)
    await wait(1_000)
    expect(await statusOf(key)).toBe(200)
    await keys('revoke', id)
    await wait(1_000)
    expect(await statusOf(key)).toBe(401)
    await vi.waitFor(() => expect(postern.audit().at(-1)).toMatchObject({ 'event.reason': 'key_revoked' }))
  })

  it('overlap while they are rotated', async () => {
    const old = await create('--owner', 'user_1')
    expect(await statusOf(old.key)).toBe(200)
    const fresh = await keys('rotate', old.id, '--overlap', '3s')
    secrets.push(parseKey(String(fresh['key']))?.secret ?? '?')
    const rotatedAt = Date.now()
    expect([await statusOf(old.key), await statusOf(String(fresh['key']))]).toEqual([200, 200])
    await wait(3_100 - (Date.now() - rotatedAt))
    expect([await statusOf(old.key), await statusOf(String(fresh['key']))]).toEqual([401, 200])
  })

  it('expire by themselves', async () => {
    const { key } = await create('--owner', 'user_1', '--expires', '1s')
    await wait(1_100)
    expect(await statusOf(key)).toBe(401)
    await vi.waitFor(() => expect(postern.audit().at(-1)).toMatchObject({ 'event.reason': 'key_expired' }))
  })

  it('are managed over the admin API, and every act is in the audit log with its actor', async () => {
    const made = await admin('POST', '/v1/keys', { owner: 'user_2', email: 'dev@example.com', tier: 'pro' })
    expect(made.status).toBe(201)
    secrets.push(parseKey(String(made.body['key']))?.secret ?? '?')
    expect(await statusOf(String(made.body['key']))).toBe(200)
    expect((await admin('DELETE', `/v1/keys/${made.body['id']}`)).status).toBe(204)
    await wait(1_000)
    expect(await statusOf(String(made.body['key']))).toBe(401)
    await vi.waitFor(() => expect(postern.audit().filter((record) => record['event.action'] !== undefined)).toMatchObject([
      { 'event.action': 'key_issued', 'postern.actor': 'admin', 'postern.target': made.body['id'], 'postern.owner': 'user_2' },
      { 'event.action': 'key_revoked', 'postern.actor': 'admin', 'postern.target': made.body['id'] },
    ]))
  })

  it('survive a killed process, whose store is readable by its owner alone', async () => {
    const { key } = await create('--owner', 'user_1')
    expect(await statusOf(key)).toBe(200)
    postern.child.kill('SIGKILL')
    await postern.stop()
    postern = await startPostern({ config: join(folder, 'postern.yaml'), env: env() })
    expect(await statusOf(key)).toBe(200)
    for (const name of readdirSync(folder).filter((file) => file.includes('.db'))) expect(statSync(join(folder, name)).mode & 0o777, name).toBe(0o600)
  })

  it('that were imported work, wrong ones do not, and a flood of wrong ones stops nobody who is known', async () => {
    const { key } = await create('--owner', 'user_1')
    expect(await statusOf(key)).toBe(200)
    expect(await oldStatus(IMPORTED)).toBe(200)
    writeFileSync(join(folder, 'api-keys.json'), JSON.stringify([1, 2, 3].map((n) => ({ keyHash: hashSync(`other-${n}`, 8), userId: 'bob', createdAt: '2025-01-01T00:00:00Z' }))))
    await wait(2_500)
    const flood = Promise.all(Array.from({ length: 60 }, (_each, n) => oldStatus(`wrong-key-${n}`)))
    const started = Date.now()
    for (let n = 0; n < 20; n += 1) expect([await statusOf(key), await oldStatus(IMPORTED)]).toEqual([200, 200])
    expect(Date.now() - started).toBeLessThan(5_000)
    const told = new Set(await flood)
    expect([...told].toSorted((a, b) => a - b)).toEqual([401, 503])
  })
})

describe('the config of managed keys', () => {
  it.each([
    ['a store without a pepper', { KEY_PEPPER: '' }],
    ['a store of another kind', { KEY_STORE: 'mysql://127.0.0.1/keys' }],
  ])('with %s ends the start with 78', async (_what, more) => {
    const { code, stderr } = await runPostern(['run', '--config', join(folder, 'postern.yaml')], { LISTEN: '127.0.0.1:0', OPS_LISTEN: '127.0.0.1:0', ADMIN_LISTEN: '127.0.0.1:0', ...env(), ...more })
    expect(code).toBe(78)
    expect(stderr).toContain('postern.yaml:')
  })
})

describe('what a key brings along', () => {
  it('are networks that it may be used from, and limits of its own', async () => {
    const near = await create('--owner', 'user_1', '--networks', '127.0.0.0/8,::1', '--limits', '2/minute')
    const far = await create('--owner', 'user_1', '--networks', '192.0.2.0/24')
    expect(await statusOf(far.key)).toBe(403)
    expect([await statusOf(near.key), await statusOf(near.key), await statusOf(near.key)]).toEqual([200, 200, 429])
    const other = await create('--owner', 'user_1')
    expect(await statusOf(other.key)).toBe(200)
  })

  it('refuses an environment whose keys nobody here would recognise', async () => {
    const { code, stderr } = await postern.command('keys', 'create', '--owner', 'user_1', '--environment', 'test', '--config', join(folder, 'postern.yaml'), '--authenticator', 'pat')
    expect(code).toBe(2)
    expect(stderr).toContain('would not be recognised')
  })

  it('is counted: uses, last use and states', async () => {
    const { id, key } = await create('--owner', 'user_1', '--expires', '5d')
    for (let n = 0; n < 3; n += 1) await statusOf(key)
    await postern.stop()
    postern = await startPostern({ config: join(folder, 'postern.yaml'), env: env() })
    expect(await keys('show', id)).toMatchObject({ uses: 3, last_used_at: expect.any(String), environment: 'live' })
    await vi.waitFor(async () => expect(await (await fetch(`${postern.opsUrl}/metrics`)).text()).toContain('postern_api_keys{provider="pat",state="expiring"} 1'), { timeout: 8_000, interval: 300 })
    await vi.waitFor(() => expect(postern.output()).toContain('key_expiring'), { timeout: 5_000 })
  })
})
