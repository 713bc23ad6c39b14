import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startIssuer, type Issuer } from '../support/issuer.ts'
import { freePort, runPostern, startPostern, type RunningPostern } from '../support/running-postern.ts'

let folder: string
let issuer: Issuer
let postern: RunningPostern | undefined
let checks: number

const config = (head: string): string => `
version: 1
${head}
listen: \${LISTEN}
ops: \${OPS_LISTEN}
client_ip: { trusted_proxies: [127.0.0.1] }
drain: { delay: 0, timeout: 1s }
authenticators:
  pat: { type: api_key, in: [{ bearer: true }], prefix: [acme_live_], store: "${join(folder, 'keys.db')}", pepper: a pepper for this test }
  web: { type: jwt, in: [{ bearer: true }, { cookie: session }], issuer: "${issuer.url}", audience: api, jwks_url: "${issuer.jwksUrl}" }
self_service: { auth: web }
`

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'postern-own-paths-'))
  issuer = await startIssuer()
  checks = await freePort()
  const file = join(folder, 'postern.yaml')
  writeFileSync(file, config(`upstream: http://127.0.0.1:1\nforward_auth: { listen: "127.0.0.1:${checks}" }`))
  postern = await startPostern({ config: file })
})
afterAll(async () => {
  await postern?.stop()
  await issuer.close()
  rmSync(folder, { recursive: true })
})

describe('pages of Postern itself beside checks', () => {
  it('are served where the proxy sends its clients', async () => {
    const authorization = `Bearer ${await issuer.mint()}`
    const statusOf = async (path: string, headers: Record<string, string> = {}): Promise<number> => (await fetch(`${postern!.url}${path}`, { headers, redirect: 'manual' })).status
    expect([await statusOf('/account/tokens'), await statusOf('/account/tokens', { authorization })]).toEqual([401, 200])
  })

  it('are not what a check about them lets through', async () => {
    const asked = { authorization: `Bearer ${await issuer.mint()}`, 'x-forwarded-for': '203.0.113.7', 'x-forwarded-host': 'api.example', 'x-forwarded-proto': 'https', 'x-forwarded-method': 'GET', 'x-forwarded-uri': '/account/tokens' }
    expect((await fetch(`http://127.0.0.1:${checks}/_postern/forward`, { headers: asked })).status).toBe(404)
  })

  it('are a mistake where there are only checks, which says what to do instead', async () => {
    const file = join(folder, 'only-checks.yaml')
    writeFileSync(file, config('mode: forward_auth'))
    const { code, stderr } = await runPostern(['check', '--config', file], { LISTEN: '127.0.0.1:8080', OPS_LISTEN: '127.0.0.1:9090' })
    expect([code, stderr]).toEqual([78, expect.stringMatching(/self_service[^]*nobody answers[^]*forward_auth\.listen/)])
  })
})
