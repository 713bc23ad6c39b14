import { spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { postgresInstalled, startPostgres } from '../../test/support/postgres.ts'
import { redisInstalled, startRedis } from '../../test/support/redis.ts'
import { createKeyHasher } from './key-digest.ts'
import { exportLines } from './export-lines.ts'
import { parseKey } from './key-format.ts'
import { createKeyService } from './key-service.ts'
import type { KeyStore } from './key-store.ts'
import { createPostgresStore, migratePostgres } from './postgres-store.ts'
import { createRedisStore } from './redis-store.ts'
import { createSqliteStore } from './sqlite-store.ts'

const PEPPER = 'a pepper that nobody writes down'
const OLD_PEPPER = 'the pepper that was used before it'

/** Every file below a folder, as bytes. */
const filesBelow = (folder: string): readonly Buffer[] =>
  (readdirSync(folder, { recursive: true, encoding: 'utf8' }) as string[]).map((name) => join(folder, name)).filter((path) => statSync(path).isFile()).map((path) => readFileSync(path))

/** The whole life of some keys, in which each of them is written more than once. Gives what no file may hold, and what one must. */
async function live(store: KeyStore): Promise<{ readonly secrets: readonly string[]; readonly digest: string }> {
  const hasher = createKeyHasher({ pepper: PEPPER, previous: [OLD_PEPPER] })
  const service = createKeyService({ store, hasher, prefix: 'acme_live', environment: 'live', prefixOf: () => undefined, tiers: [], clock: Date.now, onAct: () => undefined })
  const issued = [await service.issue({ owner: 'user_1', name: 'a job' }, 'test'), await service.issue({ owner: 'user_2' }, 'test', { token: 'a-token-of-idempotency' })]
  const rotated = await service.rotate(issued[0]!.record.id, { overlapMs: 1_000 }, 'test')
  await service.suspend(rotated.record.id, 'test')
  await service.revoke(issued[1]!.record.id, 'test')
  await store.touch(new Map([[rotated.record.id, { at: 5, count: 1 }]]))
  const keys = [...issued, rotated].map(({ key }) => key)
  return { secrets: [...keys, ...keys.map((key) => parseKey(key)!.secret), PEPPER, OLD_PEPPER], digest: rotated.record.digest }
}

/** Each secret in the spellings that a file could have it in. */
const spellings = (secret: string): readonly (string | Buffer)[] => {
  const bytes = Buffer.from(secret)
  return [bytes, Buffer.from(secret, 'utf16le'), bytes.toString('hex'), bytes.toString('hex').toUpperCase(), bytes.toString('base64').replace(/=+$/, ''), bytes.toString('base64url')]
}

/** The digest shows that these are the files in question, and that what was written has arrived in them. */
function expectNothingSecret(files: readonly Buffer[], { secrets, digest }: { readonly secrets: readonly string[]; readonly digest: string }): void {
  expect(files.some((file) => file.includes(digest)), 'the digest is somewhere').toBe(true)
  for (const secret of secrets) for (const spelling of spellings(secret)) expect(files.some((file) => file.includes(spelling)), 'a key, its secret part or a pepper').toBe(false)
}

describe('the raw files of a store hold no key, no secret part of one, and no pepper', () => {
  it('SQLite: its file and its log, while it is open and after', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'postern-raw-'))
    onTestFinished(() => rmSync(folder, { recursive: true }))
    const store = createSqliteStore({ path: join(folder, 'keys.db') })
    const lived = await live(store)
    expect(readdirSync(folder).toSorted()).toContain('keys.db-wal')
    expectNothingSecret(filesBelow(folder), lived)
    await store.close()
    expectNothingSecret(filesBelow(folder), lived)
  })

  it.skipIf(!redisInstalled())('Redis: its snapshot and its log of commands', async () => {
    const server = await startRedis({ config: ['appendonly yes', 'appendfsync always', 'rdbcompression no', 'aof-use-rdb-preamble no'] })
    onTestFinished(() => server.stop())
    const store = createRedisStore({ redis: { kind: 'single', nodes: [{ host: '127.0.0.1', port: server.port }] }, namespace: 'raw' })
    const lived = await live(store)
    await server.command('SAVE')
    const [, folder = ''] = (await server.command('CONFIG', 'GET', 'dir')) as string[]
    const files = filesBelow(folder)
    expect(files.some((file) => file.subarray(0, 5).toString() === 'REDIS')).toBe(true)
    expect(files.some((file) => file.includes('EVAL') || file.includes('HSET'))).toBe(true)
    expectNothingSecret(files, lived)
    await store.close()
  })

  it.skipIf(!postgresInstalled())('PostgreSQL: its tables, its log of writes, and a dump', async () => {
    const server = await startPostgres()
    onTestFinished(() => server.stop())
    await migratePostgres(server.url)
    const store = createPostgresStore({ url: server.url })
    const lived = await live(store)
    await store.close()
    await server.execute('CHECKPOINT')
    const [row] = await server.execute('SHOW data_directory')
    const folder = String(row?.['data_directory'])
    expectNothingSecret(filesBelow(join(folder, 'base')), lived)
    expectNothingSecret(filesBelow(join(folder, 'pg_wal')), lived)
    const dump = spawnSync('pg_dump', [server.url], { maxBuffer: 100_000_000 })
    if (dump.status === 0) expectNothingSecret([dump.stdout], lived)
  }, 60_000)

  it('and neither does an export', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'postern-raw-'))
    onTestFinished(() => rmSync(folder, { recursive: true }))
    const store = createSqliteStore({ path: join(folder, 'keys.db') })
    const lived = await live(store)
    const lines: string[] = []
    for await (const line of exportLines(store)) lines.push(line)
    expectNothingSecret([Buffer.from(lines.join('\n'))], lived)
    await store.close()
  })
})
