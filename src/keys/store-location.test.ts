import { describe, expect, it } from 'vitest'
import { locationOf } from './store-location.ts'

describe('where a store of keys is', () => {
  it.each<[string, string, object]>([
    ['a file', '/var/lib/postern/keys.db', { kind: 'sqlite', path: '/var/lib/postern/keys.db' }],
    ['a file with a colon', 'keys:live.db', { kind: 'sqlite', path: 'keys:live.db' }],
    ['Redis', 'redis://host', { kind: 'redis', namespace: 'postern', redis: { kind: 'single', nodes: [{ host: 'host', port: 6379 }] } }],
    ['Redis with everything a URL can say', 'rediss://app:p%40ss@[::1]:7000/3?namespace=blue', { kind: 'redis', namespace: 'blue', redis: { kind: 'single', nodes: [{ host: '::1', port: 7000 }], username: 'app', password: 'p@ss', database: 3, tls: {} } }],
    ['a password with a % that escapes nothing', 'redis://:50%25or50%@host', { redis: { password: '50%25or50%' } }],
    ['PostgreSQL', 'postgres://app@host/keys', { kind: 'postgresql', url: 'postgres://app@host/keys' }],
  ])('%s', (_what, text, expected) => {
    expect(locationOf(text)).toMatchObject(expected)
  })

  it.each([
    ['mysql://app:hidden@host', /expected the path of a file/],
    ['redis://:hidden@host/keys', /database of a Redis URL is a number/],
    ['redis://:hidden@host?tls=on', /a Redis URL takes "\?namespace=NAME"/],
    ['postgres://app:hidden@:x', /not a URL/],
    ['redis://', /names no host/],
  ])('%s is none, and the reason repeats no password', (text, reason) => {
    expect(locationOf(text)).toMatch(reason)
    expect(locationOf(text)).not.toContain('hidden')
  })
})
