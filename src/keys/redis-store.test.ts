import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { redisInstalled, startRedis, type RedisServer } from '../../test/support/redis.ts'
import type { RedisSettings } from '../redis/redis-settings.ts'
import { keyStoreContract, sampleRecord } from './key-store.contract.ts'
import { KeyStoreUnavailable } from './key-store.ts'
import { REDIS_COMMANDS } from './redis-commit.ts'
import { createRedisStore } from './redis-store.ts'

describe.skipIf(!redisInstalled())('with a real Redis', () => {
  let server: RedisServer
  let namespaces = 0
  beforeAll(async () => {
    server = await startRedis({ config: ['appendonly yes'] })
    await server.command('ACL', 'SETUSER', 'postern', 'on', '>least', 'resetkeys', '~{test*:keys}:*', 'resetchannels', '&{test*:keys}:changed', '-@all', ...REDIS_COMMANDS.map((name) => `+${name}`))
  })
  afterAll(() => server.stop())

  const newSettings = (more: Partial<RedisSettings> = {}) => {
    namespaces += 1
    return { namespace: `test${namespaces}`, redis: { kind: 'single', nodes: [{ host: '127.0.0.1', port: server.port }], ...more } } as const
  }
  const LEAST = { username: 'postern', password: 'least' }

  keyStoreContract('the Redis store, as a user of least privilege', async () => {
    const settings = newSettings(LEAST)
    const [store, other] = [createRedisStore(settings), createRedisStore(settings)]
    return {
      store,
      other,
      dispose: async () => {
        await store.close()
        await other.close()
      },
    }
  })

  it('the commands of that user are those that the page of operators lists', () => {
    const page = readFileSync(join(import.meta.dirname, '..', '..', 'docs', 'keys.md'), 'utf8')
    const listed = /-@all ([^`]*)```/.exec(page)?.[1]?.trim().split(/\s+/).map((word) => word.slice(1))
    expect(listed?.toSorted()).toEqual(REDIS_COMMANDS.toSorted())
  })

  it('tells another process of a write without being asked', async () => {
    const settings = newSettings(LEAST)
    const [store, other] = [createRedisStore(settings), createRedisStore(settings)]
    let heard = 0
    other.onHint?.(() => {
      heard += 1
    })
    await expect.poll(() => heard, { timeout: 5_000 }).toBe(1)
    // Subscribed, not only connected.
    await expect.poll(async () => { await store.commit([{ kind: 'insert', record: sampleRecord() }]); return heard }, { timeout: 2_000 }).toBeGreaterThan(1)
    await store.close()
    await other.close()
  })

  it('notices a write after a failover that lost one, though both are the same number of writes', async () => {
    const settings = newSettings()
    const store = createRedisStore(settings)
    await store.commit([{ kind: 'insert', record: sampleRecord() }])
    const [name, kept] = [`{${settings.namespace}:keys}:generation`, await store.generation()]
    await store.commit([{ kind: 'insert', record: sampleRecord() }])
    const seen = await store.generation()
    await server.command('SET', name, kept)
    await store.commit([{ kind: 'insert', record: sampleRecord() }])
    expect(await store.generation()).not.toBe(seen)
    await store.close()
  })

  it('that was emptied is unavailable, not a store without keys', async () => {
    const store = createRedisStore(newSettings())
    await store.commit([{ kind: 'insert', record: sampleRecord() }])
    await store.generation()
    await server.command('FLUSHALL')
    await expect(Promise.resolve(store.generation())).rejects.toThrow(KeyStoreUnavailable)
    await store.close()
  })

  it('is unavailable while the server is gone or silent, within its deadline, and comes back by itself', async () => {
    const store = createRedisStore({ ...newSettings(), deadlines: { readMs: 300, writeMs: 500 } })
    const record = sampleRecord()
    await store.commit([{ kind: 'insert', record }])
    server.signal('SIGSTOP')
    await expect(Promise.resolve(store.byId(record.id))).rejects.toThrow(KeyStoreUnavailable)
    server.signal('SIGCONT')
    await expect.poll(() => Promise.resolve(store.byId(record.id)).catch(() => undefined), { timeout: 5_000 }).toEqual(record)
    await server.kill()
    await expect(Promise.resolve(store.byId(record.id))).rejects.toThrow(KeyStoreUnavailable)
    await server.start()
    await expect.poll(() => Promise.resolve(store.byId(record.id)).catch(() => undefined), { timeout: 5_000 }).toEqual(record)
    await store.close()
  }, 30_000)
})
