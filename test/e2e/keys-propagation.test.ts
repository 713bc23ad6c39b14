import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { postgresInstalled, startPostgres, type PostgresServer } from '../support/postgres.ts'
import { startRecordingUpstream, type RecordingUpstream } from '../support/recording-upstream.ts'
import { redisInstalled, startRedis, type RedisServer } from '../support/redis.ts'
import { runPostern, startPostern, type RunningPostern } from '../support/running-postern.ts'

const ADMIN_TOKEN = 'admin-token-of-this-test'
const CONFIG = `
version: 1
listen: \${LISTEN}
ops: \${OPS_LISTEN}
upstream: \${UPSTREAM_URL}
client_ip: { direct: true }
drain: { delay: 0, timeout: 2s }
audit: "off"
admin: { listen: "\${ADMIN_LISTEN}", token: ${ADMIN_TOKEN} }
authenticators:
  pat: { type: api_key, in: [{ bearer: true }], prefix: [acme_live_], store: "\${KEY_STORE}", pepper: a pepper for this test }
`

/** Where one kind of store lives, and how it is taken away and given back. */
interface Place {
  readonly location: string
  readonly lose?: () => Promise<void>
  readonly restore?: () => Promise<void>
}

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

const PLACES: readonly (readonly [string, boolean, (folder: string) => Place])[] = [
  ['SQLite', true, (folder) => ({ location: join(folder, 'keys.db') })],
  ['Redis', withRedis, () => ({ location: redis!.url, lose: () => redis!.kill(), restore: () => redis!.start() })],
  ['PostgreSQL', withPostgres, () => ({ location: postgres!.url, lose: () => postgres!.kill(), restore: () => postgres!.start() })],
]

describe.each(PLACES.filter(([, here]) => here))('two replicas on %s', (_name, _here, placeOf) => {
  let folder: string
  let place: Place
  let upstream: RecordingUpstream
  let replicas: readonly RunningPostern[]

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'postern-e2e-propagation-'))
    writeFileSync(join(folder, 'postern.yaml'), CONFIG)
    place = placeOf(folder)
    upstream = await startRecordingUpstream()
    const env = { UPSTREAM_URL: `http://127.0.0.1:${upstream.port}`, KEY_STORE: place.location }
    const migrated = await runPostern(['keys', 'migrate', '--config', join(folder, 'postern.yaml')], { LISTEN: '127.0.0.1:0', OPS_LISTEN: '127.0.0.1:0', ADMIN_LISTEN: '127.0.0.1:0', ...env })
    expect(migrated.code, migrated.stderr).toBe(0)
    replicas = await Promise.all([1, 2].map(() => startPostern({ config: join(folder, 'postern.yaml'), env })))
  }, 60_000)
  afterEach(async () => {
    await Promise.all(replicas.map((replica) => replica.stop()))
    await upstream.close()
    rmSync(folder, { recursive: true })
  })

  const admin = async (method: string, path: string, body?: unknown): Promise<Record<string, string>> => {
    const answer = await fetch(`${replicas[0]!.adminUrl}${path}`, { method, headers: { authorization: `Bearer ${ADMIN_TOKEN}`, 'content-type': 'application/json' }, ...(body === undefined ? {} : { body: JSON.stringify(body) }) })
    expect(answer.status).toBeLessThan(300)
    const text = await answer.text()
    return text === '' ? {} : JSON.parse(text)
  }
  const statusOf = async (replica: RunningPostern, key: string): Promise<number> => (await fetch(`${replica.url}/x`, { headers: { authorization: `Bearer ${key}` } })).status

  it.each([
    ['revoked', (id: string) => admin('DELETE', `/v1/keys/${id}`)],
    ['suspended', (id: string) => admin('POST', `/v1/keys/${id}/suspend`)],
    ['rotated without overlap', (id: string) => admin('POST', `/v1/keys/${id}/rotate`, { overlap: '0' })],
  ])('under load: a key that was %s is accepted nowhere a second after the act returned', async (_act, act) => {
    const { id = '', key = '' } = await admin('POST', '/v1/keys', { owner: 'user_1' })
    for (const replica of replicas) expect(await statusOf(replica, key)).toBe(200)
    const accepted: number[] = []
    const load = new AbortController()
    const clients = replicas.flatMap((replica) => [1, 2, 3].map(async () => {
      while (!load.signal.aborted) if ((await statusOf(replica, key)) === 200) accepted.push(Date.now())
    }))
    await wait(300)
    await act(id)
    const returnedAt = Date.now()
    await wait(1_500)
    load.abort()
    await Promise.all(clients)
    const last = Math.max(...accepted) - returnedAt
    expect(accepted.length).toBeGreaterThan(20)
    expect(last).toBeLessThan(1_000)
  }, 30_000)

  it('goes on with known keys while the store is away, refuses unknown ones as unchecked, and takes new ones afterwards', async ({ skip }) => {
    if (!place.lose || !place.restore) return skip('a local file does not go away')
    const [known, unknown] = [await admin('POST', '/v1/keys', { owner: 'user_1' }), await admin('POST', '/v1/keys', { owner: 'user_2' })]
    for (const replica of replicas) expect(await statusOf(replica, known['key']!)).toBe(200)
    await place.lose()
    await wait(400)
    for (const replica of replicas) {
      expect(await statusOf(replica, known['key']!)).toBe(200)
      expect(await statusOf(replica, unknown['key']!)).toBe(503)
      expect(await statusOf(replica, known['key']!)).toBe(200)
      await expect.poll(() => replica.output(), { timeout: 5_000 }).toContain('key_store_unavailable')
    }
    await place.restore()
    for (const replica of replicas) await expect.poll(() => statusOf(replica, unknown['key']!), { timeout: 10_000, interval: 200 }).toBe(200)
  }, 60_000)
})
