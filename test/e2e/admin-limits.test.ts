import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startEchoUpstream, type EchoUpstream } from '../support/echo-upstream.ts'
import { startPostern, type RunningPostern } from '../support/running-postern.ts'

const TOKEN = 'the-admin-token-of-this-test'
let api: EchoUpstream
let postern: RunningPostern

beforeAll(async () => {
  api = await startEchoUpstream()
  const file = join(mkdtempSync(join(tmpdir(), 'postern-admin-limits-')), 'postern.yaml')
  writeFileSync(file, `version: 1
listen: "\${LISTEN}"
ops: "\${OPS_LISTEN}"
admin: { listen: "\${ADMIN_LISTEN}", token: ${TOKEN} }
upstream: http://127.0.0.1:${api.port}
client_ip: { direct: true }
auth: [{ api_keys: { header: X-Api-Key, keys: [{ id: one, value: a-key-for-this-test, subject: alice }] } }]
rate_limit: [{ name: minute, key: principal, limit: 2/minute }]
drain: { delay: 0s }
`)
  postern = await startPostern({ config: file })
})
afterAll(async () => {
  await postern.stop()
  await api.close()
})

const ask = async (): Promise<number> => (await fetch(`${postern.url}/x`, { headers: { 'x-api-key': 'a-key-for-this-test' } })).status
const admin = async (path: string, body?: object): Promise<{ status: number; json: unknown }> => {
  const answer = await fetch(`${postern.adminUrl}${path}`, { method: body ? 'POST' : 'GET', headers: { authorization: `Bearer ${TOKEN}`, 'content-type': 'application/json' }, ...(body && { body: JSON.stringify(body) }) })
  return { status: answer.status, json: await answer.json() }
}
const PARTITION = 'principal:api_keys:alice'

describe('limits of a running Postern over its admin API', () => {
  it('are shown as they are spent, and open again when they are reset, which the audit tells', async () => {
    expect([await ask(), await ask(), await ask()]).toEqual([200, 200, 429])
    expect((await admin(`/v1/limits?partition=${PARTITION}`)).json).toMatchObject({ items: [{ policy: 'minute', used: 2, quota: 2, remaining: 0 }] })
    expect((await admin('/v1/limits')).json).toMatchObject({ items: [{ partition: PARTITION, policy: 'minute', exceeded: true, remaining: 0, quota: 2 }] })
    expect(await admin('/v1/limits/reset', { partition: PARTITION })).toEqual({ status: 200, json: { reset: 1 } })
    expect((await admin('/v1/limits')).json).toEqual({ items: [] })
    expect(await ask()).toBe(200)
    await expect.poll(() => postern.audit().some((record) => record['event.action'] === 'limits_reset')).toBe(true)
  })

  it('are looked at by a request that is only tried: the real pipe, with the counters of this moment, and no key in any line', async () => {
    const tried = { method: 'GET', path: '/x?secret=in-the-query', key: 'a-key-for-this-test', ip: '192.0.2.1' }
    await admin('/v1/limits/reset', { partition: PARTITION })
    expect(await ask()).toBe(200)
    for (let n = 0; n < 3; n += 1) {
      const { status, json } = await admin('/v1/explain', tried)
      expect([status, json]).toMatchObject([200, { outcome: 'allow', route: 'default', principal: { subject: 'alice' }, limits: [{ policy: 'minute', remaining: 0 }], trace: expect.stringContaining('✓ allowed; would be sent to') }])
      expect(JSON.stringify(json)).not.toMatch(/a-key-for-this-test|in-the-query/)
    }
    expect([await ask(), await ask()]).toEqual([200, 429])
    expect((await admin('/v1/explain', tried)).json).toMatchObject({ outcome: 'deny', status: 429, code: 'quota_exceeded', stage: 'limit_principal' })
    expect((await admin('/v1/explain', { ...tried, key: 'another-key-for-this-test' })).json).toMatchObject({ outcome: 'deny', status: 401, reason: 'key_unknown' })
    expect(await admin('/v1/explain', { ...tried, ip: 'nowhere' })).toMatchObject({ status: 400, json: { detail: 'ip nowhere: expected an IP address' } })
    await expect.poll(() => postern.audit().filter((record) => record['postern.route'] === 'admin:explain').length).toBe(6)
    expect(postern.output()).not.toMatch(/a-key-for-this-test|another-key-for-this-test|in-the-query/)
  })

  it('are refused by name when the partition cannot be one', async () => {
    const { status, json } = await admin('/v1/limits?partition=nonsense')
    expect([status, JSON.stringify(json)]).toEqual([400, expect.stringContaining('names no partition')])
  })
})
