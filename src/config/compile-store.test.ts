import { describe, expect, it } from 'vitest'
import { checkStore, compileStore, storeWarnings } from './compile-store.ts'
import type { Mistake } from './mistake.ts'
import type { Config } from './schema.ts'
import { store as schema } from './schema-store.ts'

const storeOf = (written: unknown): Config['store'] => schema.parse(written)
const compiled = (written: unknown) => compileStore({ store: storeOf(written) }, [])
const mistakes = (written: unknown): readonly Mistake[] => checkStore({ store: storeOf(written) })

describe('the store of a config', () => {
  it.each<[string, unknown, object]>([
    ['one server by its URL', 'redis://redis:6380', { kind: 'single', nodes: [{ host: 'redis', port: 6380 }] }],
    ['the usual port', 'redis://redis', { nodes: [{ host: 'redis', port: 6379 }] }],
    ['an IPv6 address', 'redis://[::1]:7000', { nodes: [{ host: '::1', port: 7000 }] }],
    ['TLS, an ACL user, a password with odd characters and a database', 'rediss://app:p%40ss@redis:6380/3', { username: 'app', password: 'p@ss', database: 3, tls: {} }],
    ['user and password beside the URL, where secrets come from files', { url: 'redis://redis', username: 'app', password: 'x' }, { username: 'app', password: 'x' }],
    ['sentinels with the usual port of sentinels', { urls: 'redis://s1,redis://s2:5000', sentinel: 'main' }, { kind: 'sentinel', masterName: 'main', nodes: [{ host: 's1', port: 26_379 }, { host: 's2', port: 5000 }] }],
    ['seeds of a cluster', { urls: ['redis://c1', 'redis://c2'], cluster: true }, { kind: 'cluster', nodes: [{ host: 'c1', port: 6379 }, { host: 'c2', port: 6379 }] }],
    ['a deadline', { url: 'redis://redis', deadline: '80ms' }, { deadlineMs: 80 }],
  ])('reads %s', (_what, written, expected) => {
    expect(compiled(written)?.store).toMatchObject(expected)
  })

  it.each(['', { url: '' }, { urls: '' }])('is none for %j, so that an unset variable means counters in memory', (written) => {
    expect(compiled(written)).toBeUndefined()
    expect(mistakes(written)).toEqual([])
  })

  it('waits 50 ms at most and lets one replica give out everything, unless told otherwise', () => {
    expect(compiled('redis://redis')).toMatchObject({ store: { deadlineMs: 50 }, share: 1, prefix: 'postern' })
    expect(compiled({ url: 'redis://redis', share: '1/4' })?.share).toBe(0.25)
    expect(compiled({ url: 'redis://redis', share: 0.5 })?.share).toBe(0.5)
  })

  it.each(['redis:6379', 'http://redis', 'redis://', 'redis://redis/x', 'redis://redis?db=1'])('refuses %s', (written) => {
    expect(schema.safeParse(written).success).toBe(false)
  })

  it.each(['0', '2', '1/0', 'half', '-1'])('refuses a share of %s', (share) => {
    expect(schema.safeParse({ url: 'redis://redis', share }).success).toBe(false)
  })

  it.each<[unknown, string]>([
    [{ url: 'redis://a', urls: ['redis://b'] }, 'store.urls'],
    [{ urls: ['redis://a', 'redis://b'] }, 'store.urls'],
    [{ urls: ['redis://a'], sentinel: 'm', cluster: true }, 'store.sentinel'],
    [{ urls: ['a:1'], cluster: true }, 'store.urls.0'],
  ])('finds what cannot be meant in %j', (written, path) => {
    expect(mistakes(written).map((mistake) => mistake.path.join('.'))).toEqual([path])
  })

  it('names counters alike on every replica: the secret is made from the config, and from nothing else', () => {
    const hex = (written: unknown): string => Buffer.from(compiled(written)?.secret ?? []).toString('hex')
    expect(hex({ url: 'redis://a', secret: 'one' })).toBe(hex({ url: 'redis://b', secret: 'one' }))
    expect(hex({ url: 'redis://a', secret: 'one' })).not.toBe(hex({ url: 'redis://a', secret: 'two' }))
    expect(hex('redis://:word@a')).toBe(hex({ url: 'redis://b', password: 'word' }))
    expect(storeWarnings({ store: storeOf('redis://a') })).toHaveLength(1)
    expect(storeWarnings({ store: storeOf('redis://:word@a') })).toEqual([])
    expect(storeWarnings({ store: storeOf({ url: 'redis://a', secret: 'x' }) })).toEqual([])
  })

  it('keeps a connection across a reload that does not concern it', () => {
    expect(compiled('redis://a')?.key).toBe(compiled({ url: 'redis://a' })?.key)
    expect(compiled('redis://a')?.key).not.toBe(compiled({ url: 'redis://a', share: 0.5 })?.key)
  })

})
