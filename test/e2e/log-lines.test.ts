import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { redisInstalled, startRedis, type RedisServer } from '../support/redis.ts'
import { startPostern } from '../support/running-postern.ts'

describe.skipIf(!redisInstalled())('a log of JSON lines', () => {
  let redis: RedisServer
  let folder: string
  beforeAll(async () => {
    // A user who may not ask how the server is makes the client library speak.
    redis = await startRedis({ config: ['user limited on >a-password-of-this-test ~* &* +@all -info'] })
    folder = mkdtempSync(join(tmpdir(), 'postern-log-lines-'))
  })
  afterAll(async () => {
    await redis.stop()
    rmSync(folder, { recursive: true })
  })

  it('is JSON on every line, whatever a library has to say', async () => {
    const file = join(folder, 'postern.yaml')
    writeFileSync(file, `version: 1\nlisten: \${LISTEN}\nops: \${OPS_LISTEN}\nupstream: http://127.0.0.1:1\nclient_ip: { direct: true }\ndrain: { delay: 0 }\nlog: { format: json }\nstore: "redis://limited:a-password-of-this-test@127.0.0.1:${redis.port}"\nroutes: [{ auth: none, rate_limit: [{ name: all, key: client_ip, limit: 5/hour }] }]\n`)
    const postern = await startPostern({ config: file })
    await fetch(`${postern.url}/x`)
    await expect.poll(() => postern.output()).toMatch(/"event\.code":"library"[^\n]*NOPERM/)
    await postern.stop()
    const lines = postern.output().split('\n').filter((line) => line !== '')
    expect(lines.length).toBeGreaterThan(3)
    for (const line of lines) expect(() => JSON.parse(line) as unknown, line).not.toThrow()
    expect(postern.output()).not.toContain('a-password-of-this-test')
  })
})
