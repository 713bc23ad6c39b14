import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parseKey } from '../../src/keys/key-format.ts'
import { postgresInstalled, startPostgres, type PostgresServer } from '../support/postgres.ts'
import { redisInstalled, startRedis, type RedisServer } from '../support/redis.ts'
import { runPostern, startPostern, type RunningPostern } from '../support/running-postern.ts'

const ADMIN_TOKEN = 'admin-token-of-this-test'
const PEPPER = 'a pepper for this test'
const CONFIG = `
version: 1
listen: \${LISTEN}
ops: \${OPS_LISTEN}
upstream: http://127.0.0.1:9
client_ip: { direct: true }
drain: { delay: 0, timeout: 1s }
audit: audit.log
admin: { listen: "\${ADMIN_LISTEN}", token: ${ADMIN_TOKEN} }
authenticators:
  pat: { type: api_key, in: [{ bearer: true }], prefix: [acme_live_], store: "\${KEY_STORE}", pepper: ${PEPPER} }
`
const ACTS = 1_000
const KILLS = 5

let redis: RedisServer | undefined
let postgres: PostgresServer | undefined
const [withRedis, withPostgres] = [redisInstalled(), postgresInstalled()]
beforeAll(async () => {
  if (withRedis) redis = await startRedis({ config: ['appendonly yes'] })
  if (withPostgres) postgres = await startPostgres()
}, 60_000)
afterAll(async () => {
  await redis?.stop()
  await postgres?.stop()
})

interface Shown { readonly id: string; readonly key: string; readonly replaces?: string }

describe.each([
  ['SQLite', true, (folder: string) => join(folder, 'keys.db')],
  ['Redis', withRedis, () => redis!.url],
  ['PostgreSQL', withPostgres, () => postgres!.url],
] as const)('a process on %s that is killed at random moments', (_name, here, locationOf) => {
  it.skipIf(!here)(`during ${ACTS} creates and rotates loses no key that was shown, leaves none half-made, and writes none down`, async () => {
    const folder = mkdtempSync(join(tmpdir(), 'postern-e2e-killed-'))
    const config = join(folder, 'postern.yaml')
    writeFileSync(config, CONFIG)
    const env = { KEY_STORE: locationOf(folder) }
    expect((await runPostern(['keys', 'migrate', '--config', config], { LISTEN: '127.0.0.1:0', OPS_LISTEN: '127.0.0.1:0', ADMIN_LISTEN: '127.0.0.1:0', ...env })).code).toBe(0)
    const shown: Shown[] = []
    let postern: RunningPostern = await startPostern({ config, env })
    const call = async (method: string, path: string, body?: unknown): Promise<Record<string, unknown> | undefined> => {
      const answer = await fetch(`${postern.adminUrl}${path}`, { method, headers: { authorization: `Bearer ${ADMIN_TOKEN}`, 'content-type': 'application/json' }, ...(body === undefined ? {} : { body: JSON.stringify(body) }) }).catch(() => undefined)
      return (await answer?.json().catch(() => undefined)) as Record<string, unknown> | undefined
    }
    /** A rotation whose answer was lost is done all the same: whoever is told so goes on with the key that replaced the old one. */
    const rotate = async (id: string): Promise<{ made: Record<string, unknown> | undefined; replaces: string }> => {
      const made = await call('POST', `/v1/keys/${id}/rotate`)
      const successor = made?.['code'] === 'key_replaced' ? (await call('GET', `/v1/keys/${id}`))?.['replaced_by'] : undefined
      return typeof successor === 'string' ? rotate(successor) : { made, replaces: id }
    }
    let inVain = 0
    const act = async (): Promise<void> => {
      const old = shown.length % 3 === 2 ? shown.at(-1) : undefined
      // A kill loses such an answer only now and then; this one is lost always.
      if (old && shown.length % 30 === 29) await call('POST', `/v1/keys/${old.id}/rotate`)
      const { made, replaces } = old ? await rotate(old.id) : { made: await call('POST', '/v1/keys', { owner: 'user_1' }), replaces: undefined }
      if (typeof made?.['key'] === 'string') shown.push({ id: String(made['id']), key: made['key'], ...(replaces !== undefined && { replaces }) })
      inVain = typeof made?.['key'] === 'string' ? 0 : inVain + 1
      if (inVain > 50) throw new Error(`the admin API makes no key any more; it answered ${JSON.stringify(made)}`)
    }
    for (let round = 0; round < KILLS; round += 1) {
      const enough = (ACTS / KILLS) * (round + 1)
      while (shown.length < enough - 1) await act()
      // In the middle of acts that are under way, wherever they are.
      const last = [act(), act(), act()]
      setTimeout(() => postern.child.kill('SIGKILL'), Math.random() * 15)
      await Promise.all(last)
      await postern.stop()
      postern = await startPostern({ config, env })
    }
    const records = new Map<string, Record<string, unknown>>()
    let after: unknown
    do {
      const page = await call('GET', `/v1/keys?limit=1000${typeof after === 'string' ? `&after=${after}` : ''}`)
      for (const record of (page?.['items'] ?? []) as Record<string, unknown>[]) records.set(String(record['id']), record)
      after = page?.['next']
    } while (typeof after === 'string')
    expect(shown.length).toBeGreaterThanOrEqual(ACTS - KILLS)
    for (const { id, replaces } of shown) {
      expect(records.get(id)).toMatchObject({ state: 'active', replaces: replaces ?? null })
      if (replaces !== undefined) expect(records.get(replaces)?.['replaced_by']).toBe(id)
    }
    // Also what was made and never shown is whole.
    for (const [id, { replaces }] of records) if (typeof replaces === 'string') expect(records.get(replaces)?.['replaced_by']).toBe(id)
    const { stdout } = await postern.command('keys', 'export', '--config', config)
    await postern.stop()
    const written = [stdout, postern.output(), ...readdirSync(folder).map((name) => readFileSync(join(folder, name), 'latin1')).filter((content) => !content.startsWith('\nversion'))].join('\n')
    for (const secret of [PEPPER, ADMIN_TOKEN, ...shown.map(({ key }) => parseKey(key)!.secret)]) expect(written.includes(secret)).toBe(false)
    rmSync(folder, { recursive: true })
  }, 240_000)
})
