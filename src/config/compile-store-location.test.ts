import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { compileStoreLocation, locationKey } from './compile-store-location.ts'
import { pathText, type Mistake } from './mistake.ts'
import { keyStore } from './schema-store.ts'

function compiled(written: unknown) {
  const mistakes: Mistake[] = []
  return { location: compileStoreLocation(keyStore.parse(written), ['at'], mistakes), mistakes: mistakes.map(({ path, message }) => `${pathText(path)}: ${message}`) }
}

describe('the store of keys in a config', () => {
  it('takes sentinels, a cluster and certificates in the same words as the store of counters', () => {
    const directory = mkdtempSync(join(tmpdir(), 'postern-pem-'))
    onTestFinished(() => rmSync(directory, { recursive: true }))
    for (const name of ['ca', 'crt', 'key']) writeFileSync(join(directory, name), `PEM of ${name}`)
    const tls = { ca: join(directory, 'ca'), certificate: join(directory, 'crt'), key: join(directory, 'key'), server_name: 'redis.internal' }
    expect(compiled({ urls: 'redis://s1,redis://s2:5000', sentinel: 'main', sentinel_password: 'x', username: 'app', password: 'y', tls, namespace: 'blue' })).toEqual({
      location: {
        kind: 'redis', namespace: 'blue',
        redis: {
          kind: 'sentinel', masterName: 'main', sentinelPassword: 'x', username: 'app', password: 'y', nodes: [{ host: 's1', port: 26_379 }, { host: 's2', port: 5_000 }],
          tls: { ca: 'PEM of ca', certificate: 'PEM of crt', key: 'PEM of key', serverName: 'redis.internal' },
        },
      },
      mistakes: [],
    })
    expect(compiled({ urls: ['rediss://c1', 'rediss://c2'], cluster: true }).location).toMatchObject({ namespace: 'postern', redis: { kind: 'cluster', tls: {} } })
  })

  it('is the same store, written as a URL or as a map', () => {
    const [text, map] = [compiled('rediss://app:pw@host:1/2?namespace=n'), compiled({ url: 'rediss://app:pw@host:1/2', namespace: 'n' })]
    expect(locationKey(map.location!)).toBe(locationKey(text.location!))
    expect(locationKey(map.location!)).not.toMatch(/pw|host/)
  })

  it.each(['', { url: '' }, { urls: '' }])('is none for %j, so that an unset variable means no managed keys', (written) => {
    expect(compiled(written)).toEqual({ location: undefined, mistakes: [] })
  })

  it.each<[unknown, RegExp]>([
    [{ urls: ['redis://a', 'redis://b'] }, /^at\.urls: several URLs are sentinels/],
    [{ urls: ['redis://a'], sentinel: 'm', cluster: true }, /^at\.sentinel: a cluster has no sentinels/],
    [{ url: 'redis://a', tls: { certificate: '/absent.pem' } }, /^at\.tls\.certificate: a certificate and its private key go together/],
    [{ url: 'redis://a', tls: { ca: '/absent.pem' } }, /^at\.tls\.ca: \/absent\.pem cannot be read: ENOENT/],
    ['mysql://app:pw@host', /^at: expected the path of a file/],
  ])('%j cannot be meant, and is said where it stands', (written, mistake) => {
    expect(compiled(written).mistakes).toEqual([expect.stringMatching(mistake)])
  })

  it('is read once per config: a certificate that was replaced on the disk makes no second store before the reload', () => {
    const directory = mkdtempSync(join(tmpdir(), 'postern-pem-'))
    onTestFinished(() => rmSync(directory, { recursive: true }))
    const ca = join(directory, 'ca')
    const config = keyStore.parse({ url: 'redis://a', tls: { ca } })
    writeFileSync(ca, 'one')
    const first = compileStoreLocation(config, ['at'], [])
    writeFileSync(ca, 'two')
    expect(compileStoreLocation(config, ['at'], [])).toEqual(first)
  })
})
