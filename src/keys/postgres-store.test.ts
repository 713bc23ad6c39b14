import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import postgres from 'postgres'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { postgresInstalled, startPostgres, type PostgresServer } from '../../test/support/postgres.ts'
import { keyStoreContract, sampleRecord } from './key-store.contract.ts'
import { KeyStoreUnavailable } from './key-store.ts'
import { grantsFor } from './postgres-schema.ts'
import { createPostgresStore, migratePostgres } from './postgres-store.ts'

describe.skipIf(!postgresInstalled())('with a real PostgreSQL', () => {
  let server: PostgresServer
  let databases = 0
  beforeAll(async () => {
    server = await startPostgres()
    await server.execute('CREATE ROLE postern LOGIN')
  }, 60_000)
  afterAll(() => server.stop())

  /** An empty database, and its URL for a role that may only do what the documentation grants. */
  const newDatabase = async (): Promise<string> => {
    databases += 1
    const name = `keys${databases}`
    await server.execute(`CREATE DATABASE ${name}`)
    await migratePostgres(server.urlOf('owner', name))
    for (const grant of grantsFor('postern')) await server.execute(grant, name)
    return name
  }

  keyStoreContract('the PostgreSQL store, as a role of least privilege', async () => {
    const url = server.urlOf('postern', await newDatabase())
    const [store, other] = [createPostgresStore({ url }), createPostgresStore({ url })]
    return {
      store,
      other,
      dispose: async () => {
        await store.close()
        await other.close()
      },
    }
  })

  it('the role of least privilege may do what it needs, and that is what the page of operators says', async () => {
    const name = await newDatabase()
    const page = readFileSync(join(import.meta.dirname, '..', '..', 'docs', 'keys.md'), 'utf8')
    for (const grant of grantsFor('postern')) expect(page).toContain(`${grant};`)
    const as = postgres(server.urlOf('postern', name), { max: 1, onnotice: () => undefined })
    onTestFinished(() => as.end({ timeout: 0 }))
    for (const statement of [
      'DELETE FROM postern_keys', 'TRUNCATE postern_keys', 'DROP TABLE postern_keys', 'ALTER TABLE postern_keys ADD COLUMN x int', 'CREATE TABLE x (y int)', 'CREATE INDEX ON postern_keys (email)',
      'DELETE FROM postern_generation', 'INSERT INTO postern_generation VALUES (\'x\', 1, 1)', 'TRUNCATE postern_denials', "COPY postern_keys TO PROGRAM 'cat'", 'SELECT * FROM pg_authid', 'CREATE ROLE other',
    ]) await expect(as.unsafe(statement), statement).rejects.toThrow(/permission denied|must be owner|must be superuser|must have/)
    await expect(migratePostgres(server.urlOf('postern', name))).rejects.toThrow(/42501/)
  })

  it('migrating again, and by two at once, changes nothing', async () => {
    const name = await newDatabase()
    const store = createPostgresStore({ url: server.urlOf('postern', name) })
    const record = sampleRecord()
    await store.commit([{ kind: 'insert', record }])
    const before = await store.generation()
    await Promise.all([1, 2, 3].map(() => migratePostgres(server.urlOf('owner', name))))
    expect(await store.generation()).toBe(before)
    expect(await store.byId(record.id)).toEqual(record)
    await store.close()
  })

  it('notices a write after a failover that lost one, though both are the same number of writes', async () => {
    const name = await newDatabase()
    const store = createPostgresStore({ url: server.urlOf('postern', name) })
    await store.commit([{ kind: 'insert', record: sampleRecord() }])
    const [row] = await server.execute('SELECT epoch, generation FROM postern_generation', name)
    await store.commit([{ kind: 'insert', record: sampleRecord() }])
    const seen = await store.generation()
    await server.execute(`UPDATE postern_generation SET epoch = '${row?.['epoch']}', generation = ${row?.['generation']}`, name)
    await store.commit([{ kind: 'insert', record: sampleRecord() }])
    expect(await store.generation()).not.toBe(seen)
    await store.close()
  })

  it('without tables says so and is unavailable', async () => {
    const store = createPostgresStore({ url: server.url })
    await expect(Promise.resolve(store.generation())).rejects.toThrow(/postern keys migrate/)
    await expect(Promise.resolve(store.byId('key_1'))).rejects.toThrow(KeyStoreUnavailable)
    await store.close()
  })

  it('tells another process of a write without being asked', async () => {
    const url = server.urlOf('postern', await newDatabase())
    const [store, other] = [createPostgresStore({ url }), createPostgresStore({ url })]
    let heard = 0
    other.onHint?.(() => {
      heard += 1
    })
    await expect.poll(() => heard, { timeout: 5_000 }).toBe(1)
    await store.commit([{ kind: 'insert', record: sampleRecord() }])
    await expect.poll(() => heard, { timeout: 1_000 }).toBe(2)
    await store.close()
    await other.close()
  })

  it('is unavailable while the server is gone or silent, within its deadline, and comes back by itself', async () => {
    const url = server.urlOf('postern', await newDatabase())
    const store = createPostgresStore({ url, deadlines: { readMs: 300, writeMs: 500 } })
    const record = sampleRecord()
    await store.commit([{ kind: 'insert', record }])
    await server.kill()
    await expect(Promise.resolve(store.byId(record.id))).rejects.toThrow(KeyStoreUnavailable)
    await server.start()
    await expect.poll(() => Promise.resolve(store.byId(record.id)).catch(() => undefined), { timeout: 5_000 }).toEqual(record)
    await store.close()
  }, 60_000)
})
