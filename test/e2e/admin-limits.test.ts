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
    expect(await admin('/v1/limits/reset', { partition: PARTITION })).toEqual({ status: 200, json: { reset: 1 } })
    expect(await ask()).toBe(200)
    await expect.poll(() => postern.audit().some((record) => record['event.action'] === 'limits_reset')).toBe(true)
  })

  it('are refused by name when the partition cannot be one', async () => {
    const { status, json } = await admin('/v1/limits?partition=nonsense')
    expect([status, JSON.stringify(json)]).toEqual([400, expect.stringContaining('names no partition')])
  })
})
