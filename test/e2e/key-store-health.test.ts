import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { freePort, redisInstalled, startRedis } from '../support/redis.ts'
import { startPostern } from '../support/running-postern.ts'

const CONFIG = `
version: 1
listen: \${LISTEN}
ops: \${OPS_LISTEN}
upstream: http://127.0.0.1:9
client_ip: { direct: true }
drain: { delay: 0, timeout: 2s }
audit: "off"
deny_list: { store: "\${DENIALS}" }
authenticators:
  pat: { type: api_key, in: [{ bearer: true }], store: { url: "\${KEY_STORE}", namespace: pat }, pepper: a pepper for this test }
`

describe.skipIf(!redisInstalled())('an instance with a store of keys', () => {
  it('is ready when it has reached it once, stays ready while it is away, and says which store it is, in probe and metrics', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'postern-e2e-store-health-'))
    onTestFinished(() => rmSync(folder, { recursive: true }))
    writeFileSync(join(folder, 'postern.yaml'), CONFIG)
    const port = await freePort()
    const postern = await startPostern({ config: join(folder, 'postern.yaml'), env: { KEY_STORE: `redis://127.0.0.1:${port}`, DENIALS: join(folder, 'denials.db') }, until: 'livez' })
    onTestFinished(async () => void (await postern.stop()))
    const probe = async (): Promise<string> => {
      const answer = await fetch(`${postern.opsUrl}/readyz?verbose`)
      return `${answer.status} ${await answer.text()}`
    }
    const up = async (): Promise<string> => (await (await fetch(`${postern.opsUrl}/metrics`)).text()).split('\n').filter((line) => line.startsWith('postern_key_store_up')).join()
    await expect.poll(probe, { timeout: 10_000 }).toMatch(/^503 [^]*\[-\]key_store_pat failed: never reached: /)
    expect(await probe()).toContain('[+]deny_list_store ok')
    expect(await up()).toBe('postern_key_store_up{store="key_store_pat"} 0,postern_key_store_up{store="deny_list_store"} 1')

    const redis = await startRedis({ port })
    onTestFinished(() => redis.stop())
    await expect.poll(probe, { timeout: 10_000, interval: 200 }).toMatch(/^200 [^]*\[\+\]key_store_pat ok/)
    await redis.kill()
    await expect.poll(probe, { timeout: 10_000, interval: 200 }).toMatch(/^200 [^]*\[!\]key_store_pat degraded: no answer for \d s: .*keys that were used lately work for 29\d s more at most/)
    expect(await up()).toContain('postern_key_store_up{store="key_store_pat"} 0')
  }, 60_000)
})
