import { describe, expect, it, onTestFinished } from 'vitest'
import { createAuthority } from '../../test/support/certificates.ts'
import { startRedisCluster, startRedisSentinel } from '../../test/support/redis-topologies.ts'
import { freePort, redisInstalled, startRedis } from '../../test/support/redis.ts'
import type { RedisSettings } from '../redis/redis-settings.ts'
import { sampleRecord } from './key-store.contract.ts'
import { KeyStoreUnavailable, type KeyStore } from './key-store.ts'
import { REDIS_COMMANDS } from './redis-commit.ts'
import { createRedisStore } from './redis-store.ts'

function openStore(redis: RedisSettings): KeyStore {
  const store = createRedisStore({ redis, namespace: 'test', deadlines: { readMs: 1_000, writeMs: 2_000 } })
  onTestFinished(() => store.close())
  return store
}

/** Writes until another hint is heard: the first may be sent before the listener is connected again. */
async function hearsAgain(store: KeyStore, heard: () => number): Promise<void> {
  const before = heard()
  await expect.poll(async () => {
    await store.commit([{ kind: 'insert', record: sampleRecord() }])
    return heard()
  }, { timeout: 5_000 }).toBeGreaterThan(before)
}

const promised = <T>(answer: T | Promise<T>): Promise<T> => Promise.resolve(answer)

describe.skipIf(!redisInstalled())('keys in a Redis', () => {
  it('behind TLS with client certificates are read and written with one, and not without, nor where the authority is unknown', async () => {
    const authority = createAuthority()
    const [own, ours, port] = [authority.issue('redis', 'DNS:redis.test'), authority.issue('postern', 'DNS:postern.test'), await freePort()]
    const server = await startRedis({ config: [`tls-port ${port}`, `tls-cert-file ${own.certificateFile}`, `tls-key-file ${own.keyFile}`, `tls-ca-cert-file ${authority.caFile}`, 'tls-auth-clients yes', 'user app on >word ~* &* +@all'] })
    onTestFinished(async () => void (await Promise.all([server.stop(), authority.close()])))
    const to = (tls: RedisSettings['tls']): RedisSettings => ({ kind: 'single', nodes: [{ host: '127.0.0.1', port }], username: 'app', password: 'word', ...(tls && { tls }) })
    const trusting = { ca: authority.ca, serverName: 'redis.test' }
    const store = openStore(to({ ...trusting, certificate: ours.certificate, key: ours.key }))
    const record = sampleRecord()
    expect(await store.commit([{ kind: 'insert', record }])).toBe('committed')
    expect(await store.byId(record.id)).toEqual(record)
    for (const tls of [trusting, { ca: authority.ca, certificate: ours.certificate, key: ours.key }, { serverName: 'redis.test', certificate: ours.certificate, key: ours.key }, undefined]) {
      await expect(promised(openStore(to(tls)).byId(record.id))).rejects.toThrow(KeyStoreUnavailable)
    }
  })

  it('behind sentinels are found by the name of the master, and again at the new master after a failover, of which open replicas hear', async () => {
    const topology = await startRedisSentinel()
    onTestFinished(() => topology.stop())
    const settings: RedisSettings = { kind: 'sentinel', nodes: [{ host: '127.0.0.1', port: topology.sentinelPort }], masterName: topology.name }
    const [store, other] = [openStore(settings), openStore(settings)]
    let heard = 0
    other.onHint?.(() => {
      heard += 1
    })
    const record = sampleRecord()
    await store.commit([{ kind: 'insert', record }])
    await expect.poll(() => heard, { timeout: 5_000 }).toBeGreaterThan(0)
    await expect.poll(async () => String(await topology.replica.command('HLEN', '{test:keys}:rows')), { timeout: 5_000 }).toBe('1')
    await topology.master.kill()
    await expect(promised(store.byId(record.id))).rejects.toThrow(KeyStoreUnavailable)
    await expect.poll(() => promised(store.commit([{ kind: 'update', record: { ...record, revokedAt: 5 } }])).catch(() => 'not yet'), { timeout: 15_000 }).toBe('committed')
    expect((await other.byId(record.id))?.revokedAt).toBe(5)
    await hearsAgain(store, () => heard)
  }, 60_000)

  it('in a cluster are all on the node that their namespace falls to, and go with its slot to another', async () => {
    const cluster = await startRedisCluster()
    onTestFinished(() => cluster.stop())
    // As a user of least privilege, with the commands more that the page of operators names.
    for (const node of cluster.nodes) await node.command('ACL', 'SETUSER', 'least', 'on', '>word', 'resetkeys', '~{test:keys}:*', 'resetchannels', '&{test:keys}:changed', '-@all', ...[...REDIS_COMMANDS, 'cluster|slots', 'cluster|info', 'asking'].map((name) => `+${name}`))
    const settings: RedisSettings = { kind: 'cluster', username: 'least', password: 'word', nodes: cluster.nodes.slice(0, 2).map(({ port }) => ({ host: '127.0.0.1', port })) }
    const [store, other] = [openStore(settings), openStore(settings)]
    let heard = 0
    other.onHint?.(() => {
      heard += 1
    })
    const records = Array.from({ length: 30 }, () => sampleRecord())
    expect(await store.commit(records.map((record) => ({ kind: 'insert', record })))).toBe('committed')
    expect(await other.byDigest([records[7]!.digest])).toEqual(records[7])
    expect((await other.list({ limit: 30 })).items).toEqual(records)
    await store.touch(new Map([[records[0]!.id, { at: 9, count: 2 }]]))
    await store.deny([{ kind: 'sub', value: 'mallory', authenticator: '*', until: 9e12, issuedBefore: undefined }])
    expect(await other.denied(1)).toHaveLength(1)
    await cluster.moveSlot(Number(await cluster.nodes[0]!.command('CLUSTER', 'KEYSLOT', '{test:keys}:rows')))
    expect((await other.byId(records[0]!.id))?.uses).toBe(2)
    await hearsAgain(store, () => heard)
  }, 60_000)
})
