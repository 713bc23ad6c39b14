import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { startIssuer, type Issuer } from '../support/issuer.ts'
import { startRecordingUpstream, type RecordingUpstream } from '../support/recording-upstream.ts'
import { startPostern, type RunningPostern } from '../support/running-postern.ts'

const CONFIG = `
version: 1
listen: \${LISTEN}
ops: \${OPS_LISTEN}
upstream: \${UPSTREAM_URL}
client_ip: { direct: true }
drain: { delay: 0, timeout: 1s }
deny_list: { store: denied.db, back_channel_logout: { authenticator: web, client_id: my-client } }
authenticators:
  web: { type: jwt, issuer: "\${ISSUER}", audience: api, jwks_url: "\${ISSUER}/jwks" }
`
const EVENTS = { 'http://schemas.openid.net/event/backchannel-logout': {} }

let folder: string
let issuer: Issuer
let upstream: RecordingUpstream
let postern: RunningPostern

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'postern-e2e-logout-'))
  writeFileSync(join(folder, 'postern.yaml'), CONFIG)
  issuer = await startIssuer()
  upstream = await startRecordingUpstream()
  postern = await startPostern({ config: join(folder, 'postern.yaml'), env: { UPSTREAM_URL: `http://127.0.0.1:${upstream.port}`, ISSUER: issuer.url } })
})
afterEach(async () => {
  await postern.stop()
  await upstream.close()
  await issuer.close()
  rmSync(folder, { recursive: true })
})

const statusOf = async (token: string): Promise<number> => (await fetch(`${postern.url}/x`, { headers: { authorization: `Bearer ${token}` } })).status
const logOut = async (claims: Record<string, unknown>): Promise<Response> => {
  const token = await issuer.mint({ aud: 'my-client', jti: 'l1', events: EVENTS, ...claims }, { header: { typ: 'logout+jwt' } })
  return fetch(`${postern.url}/backchannel-logout`, { method: 'POST', headers: { 'content-type': 'application/x-www-form-urlencoded' }, body: new URLSearchParams({ logout_token: token }) })
}

describe('a logout that the identity provider tells', () => {
  it('ends the session that it names, and no other of the same person', async () => {
    const [ended, other] = [await issuer.mint({ sid: 's1' }), await issuer.mint({ sid: 's2' })]
    expect([await statusOf(ended), await statusOf(other)]).toEqual([200, 200])
    expect((await logOut({ sid: 's1' })).status).toBe(200)
    await wait(1_000)
    expect([await statusOf(ended), await statusOf(other)]).toEqual([401, 200])
    await expect.poll(() => postern.audit().map((record) => record['postern.actor'])).toContain('provider:web')
  })

  it('without a session ends everything of the person from before, and lets them log in again', async () => {
    const now = Math.floor(Date.now() / 1_000)
    const before = await issuer.mint({ iat: now - 60 })
    expect((await logOut({ iat: now })).status).toBe(200)
    await wait(1_000)
    expect([await statusOf(before), await statusOf(await issuer.mint({ iat: now + 1 }))]).toEqual([401, 200])
  })

  it.each<[string, Record<string, unknown>]>([
    ['for another client', { aud: 'api' }],
    ['that is no logout token', { events: undefined }],
    ['with another event', { events: { 'https://example.com/other': {} } }],
    ['with a nonce, as ID tokens have', { nonce: 'n' }],
    ['from long ago', { iat: Math.floor(Date.now() / 1_000) - 3_600 }],
    ['that names nobody', { sub: undefined }],
    ['without an id', { jti: undefined }],
  ])('is refused with a token %s, and ends nothing', async (_what, claims) => {
    const token = await issuer.mint()
    expect((await logOut(claims)).status).toBe(400)
    await wait(500)
    expect(await statusOf(token)).toBe(200)
  })

  it('is refused with a token that somebody else signed, and cannot be checked while the keys cannot', async () => {
    const other = await startIssuer()
    const forged = await other.mint({ iss: issuer.url, aud: 'my-client', jti: 'l1', events: EVENTS })
    const answer = await fetch(`${postern.url}/backchannel-logout`, { method: 'POST', body: new URLSearchParams({ logout_token: forged }) })
    expect([400, 503]).toContain(answer.status)
    await other.close()
    expect(await statusOf(await issuer.mint())).toBe(200)
  })

  it('is no proof of anybody', async () => {
    expect(await statusOf(await issuer.mint({ aud: 'api', jti: 'l1', events: EVENTS }, { header: { typ: 'logout+jwt' } }))).toBe(401)
  })
})
