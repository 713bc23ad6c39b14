import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { WebSocket, WebSocketServer } from 'ws'
import { startIssuer, type Issuer } from '../support/issuer.ts'
import { postgresInstalled, startPostgres, type PostgresServer } from '../support/postgres.ts'
import { redisInstalled, startRedis, type RedisServer } from '../support/redis.ts'
import { runPostern, startPostern, type RunningPostern } from '../support/running-postern.ts'

const ADMIN_TOKEN = 'admin-token-of-this-test'
const CONFIG = `
version: 1
listen: \${LISTEN}
ops: \${OPS_LISTEN}
upstream: \${UPSTREAM_URL}
client_ip: { direct: true }
drain: { delay: 0, timeout: 1s }
admin: { listen: "\${ADMIN_LISTEN}", token: ${ADMIN_TOKEN} }
deny_list: {}
authenticators:
  pat: { type: api_key, in: [{ bearer: true }], prefix: [acme_live_], store: "\${KEY_STORE}", pepper: a pepper for this test }
  web: { type: jwt, issuer: "\${ISSUER}", audience: api, jwks_url: "\${ISSUER}/jwks" }
`

let issuer: Issuer
let redis: RedisServer | undefined
let postgres: PostgresServer | undefined
const [withRedis, withPostgres] = [redisInstalled(), postgresInstalled()]
beforeAll(async () => {
  issuer = await startIssuer()
  if (withRedis) redis = await startRedis()
  if (withPostgres) postgres = await startPostgres()
}, 60_000)
afterAll(async () => {
  await issuer.close()
  await redis?.stop()
  await postgres?.stop()
})

const PLACES: readonly (readonly [string, boolean, (folder: string) => string])[] = [
  ['SQLite', true, (folder) => join(folder, 'keys.db')],
  ['Redis', withRedis, () => redis!.url],
  ['PostgreSQL', withPostgres, () => postgres!.url],
]

describe.each(PLACES.filter(([, here]) => here))('two replicas with a deny list on %s', (_name, _here, placeOf) => {
  let folder: string
  let upstream: Server
  let replicas: readonly RunningPostern[]

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'postern-e2e-denials-'))
    writeFileSync(join(folder, 'postern.yaml'), CONFIG)
    // Answers at once, but an answer to /stream never ends.
    upstream = createServer((request, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' })
      if (request.url === '/stream') response.write('data: 1\n\n')
      else response.end('ok')
    })
    const sockets = new WebSocketServer({ server: upstream })
    sockets.on('error', () => undefined)
    await once(upstream.listen(0, '127.0.0.1'), 'listening')
    const env = { UPSTREAM_URL: `http://127.0.0.1:${(upstream.address() as AddressInfo).port}`, KEY_STORE: placeOf(folder), ISSUER: issuer.url }
    const migrated = await runPostern(['keys', 'migrate', '--config', join(folder, 'postern.yaml')], { LISTEN: '127.0.0.1:0', OPS_LISTEN: '127.0.0.1:0', ADMIN_LISTEN: '127.0.0.1:0', ...env })
    expect(migrated.code, migrated.stderr).toBe(0)
    replicas = await Promise.all([1, 2].map(() => startPostern({ config: join(folder, 'postern.yaml'), env })))
  }, 60_000)
  afterEach(async () => {
    await Promise.all(replicas.map((replica) => replica.stop()))
    upstream.closeAllConnections()
    upstream.close()
    rmSync(folder, { recursive: true })
  })

  const statusOf = async (replica: RunningPostern, token: string): Promise<number> => (await fetch(`${replica.url}/x`, { headers: { authorization: `Bearer ${token}` } })).status
  const admin = (path: string, method: string, body?: unknown): Promise<Response> =>
    fetch(`${replicas[0]!.adminUrl}${path}`, { method, headers: { authorization: `Bearer ${ADMIN_TOKEN}`, 'content-type': 'application/json' }, ...(body === undefined ? {} : { body: JSON.stringify(body) }) })
  const deny = (...args: string[]) => replicas[0]!.command('deny', ...args, '--config', join(folder, 'postern.yaml'))

  /** An open tunnel and an open answer on a replica; each promise gives the instant at which it ended. */
  const openOn = async (replica: RunningPostern, token: string): Promise<readonly Promise<number>[]> => {
    const headers = { authorization: `Bearer ${token}` }
    const socket = new WebSocket(`${replica.url.replace('http', 'ws')}/socket`, { headers })
    await once(socket, 'open')
    const stream = await fetch(`${replica.url}/stream`, { headers })
    expect(stream.status).toBe(200)
    const reader = stream.body!.getReader()
    await reader.read()
    return [once(socket, 'close').then(() => Date.now()), reader.read().then(() => Date.now(), () => Date.now())]
  }

  it('end tokens, sessions and everything of somebody within a second, on both, open tunnels and answers included', async () => {
    const [byJti, bySub, bySid, spared] = await Promise.all([{ jti: 't1' }, { sub: 'mallory' }, { sid: 's1' }, { jti: 't2', sid: 's2' }].map((claims) => issuer.mint(claims)))
    for (const replica of replicas) for (const token of [byJti, bySub, bySid, spared]) expect(await statusOf(replica, token!)).toBe(200)
    const open = (await Promise.all(replicas.map((replica) => openOn(replica, bySub!)))).flat()
    expect((await deny('--jti', 't1', '--until', '1h')).code).toBe(0)
    expect((await admin('/v1/denials', 'POST', { sid: 's1', until: '1h' })).status).toBe(201)
    expect((await admin('/v1/denials', 'POST', { sub: 'mallory', until: '1h', authenticator: 'web' })).status).toBe(201)
    const deniedAt = Date.now()
    await wait(1_000)
    for (const replica of replicas) {
      for (const token of [byJti, bySub, bySid]) expect(await statusOf(replica, token!)).toBe(401)
      expect(await statusOf(replica, spared!)).toBe(200)
    }
    for (const ended of open) expect((await ended) - deniedAt).toBeLessThan(1_000)
    await expect.poll(() => replicas[0]!.audit().map((record) => record['postern.target'])).toContain('sub:mallory')
  }, 60_000)

  it('end open tunnels and answers of a key that is revoked', async () => {
    const { id, key } = (await (await admin('/v1/keys', 'POST', { owner: 'user_1' })).json()) as { id: string; key: string }
    const open = (await Promise.all(replicas.map((replica) => openOn(replica, key)))).flat()
    await wait(600)
    expect((await admin(`/v1/keys/${id}`, 'DELETE')).status).toBe(204)
    const revokedAt = Date.now()
    for (const ended of open) expect((await ended) - revokedAt).toBeLessThan(1_000)
  }, 60_000)
})
