import { describe, expect, it } from 'vitest'
import { request, route } from '../../test/support/described.ts'
import { matchRoute } from './match-route.ts'
import { createRouteTable, type RouteEntry } from './route-table.ts'

const entry = (pattern: string, more: Omit<Partial<RouteEntry>, 'route'> & { id?: string; deny?: 'route_not_found' } = {}): RouteEntry => {
  const { id = pattern, deny, ...rest } = more
  return { pattern, route: route({ id, ...(deny && { deny }) }), ...rest }
}

const matched = (entries: readonly RouteEntry[], sketch: Parameters<typeof request>[0]): string => {
  const { route: found, denial } = matchRoute(createRouteTable(entries).table, request(sketch))
  return denial ? denial.code : found.id
}

describe('matchRoute', () => {
  const alphapy = [entry('/api/health', { methods: new Set(['GET']) }), entry('/api/dashboard/settings/{guild_id}'), entry('/api/dashboard/{guild_id}/settings/**'), entry('/api/dashboard/*/logs'), entry('/api/**'), entry('/')]

  it.each([
    ['/', '/'],
    ['/api/health', '/api/health'],
    ['/api/health/', '/api/**'],
    ['/api/dashboard/settings/1', '/api/dashboard/settings/{guild_id}'],
    ['/api/dashboard/settings/', '/api/**'],
    ['/api/dashboard/7/settings/history', '/api/dashboard/{guild_id}/settings/**'],
    ['/api/dashboard/7/settings', '/api/dashboard/{guild_id}/settings/**'],
    ['/api/dashboard/settings/settings', '/api/dashboard/settings/{guild_id}'],
    ['/api/dashboard/7/logs', '/api/dashboard/*/logs'],
    ['/api', '/api/**'],
    ['/api/', '/api/**'],
    ['/api/a/b/c', '/api/**'],
    ['/API/health', 'route_not_found'],
    ['/apix', 'route_not_found'],
    ['/other', 'route_not_found'],
  ])('governs %s by %s', (path, id) => {
    expect(matched(alphapy, { path })).toBe(id)
  })

  it('falls through to a wider pattern when the method does not fit the narrower one', () => {
    expect(matched(alphapy, { path: '/api/health', method: 'POST' })).toBe('/api/**')
  })

  it('prefers the route with methods over the one for every method', () => {
    const entries = [entry('/api/**', { id: 'write' }), entry('/api/**', { id: 'read', methods: new Set(['GET', 'HEAD']) })]
    expect(matched(entries, { path: '/api/x' })).toBe('read')
    expect(matched(entries, { path: '/api/x', method: 'POST' })).toBe('write')
  })

  it('prefers the more exact host, whatever the path', () => {
    const entries = [entry('/api/**', { id: 'any' }), entry('/**', { id: 'wild', host: '*.example.com' }), entry('/**', { id: 'admin', host: 'admin.example.com' })]
    expect(matched(entries, { path: '/api/x', host: 'admin.example.com:8080' })).toBe('admin')
    expect(matched(entries, { path: '/api/x', host: 'a.example.com' })).toBe('wild')
    expect(matched(entries, { path: '/api/x', host: 'example.com' })).toBe('any')
    expect(matched(entries, { path: '/api/x', host: 'notexample.com' })).toBe('any')
  })

  it('prefers the longer end of a host, and goes on to the shorter one where that has no such route', () => {
    const entries = [entry('/**', { id: 'wide', host: '*.example.com' }), entry('/api/**', { id: 'narrow', host: '*.eu.example.com' })]
    expect(matched(entries, { path: '/api/x', host: 'a.b.eu.example.com' })).toBe('narrow')
    expect(matched(entries, { path: '/other', host: 'a.eu.example.com' })).toBe('wide')
    expect(matched(entries, { path: '/api/x', host: 'eu.example.com' })).toBe('wide')
  })

  it('asks for as many ends of a host as it has dots, however many routes there are', () => {
    const { table } = createRouteTable(Array.from({ length: 2_000 }, (_, n) => entry('/**', { id: `r${n}`, host: `*.h${n}.example.com` })))
    const suffixes = new Map(table.suffixes)
    const asked: string[] = []
    const get = suffixes.get.bind(suffixes)
    suffixes.get = (name) => {
      asked.push(name)
      return get(name)
    }
    expect(matchRoute({ ...table, suffixes }, request({ path: '/x', host: 'a.b.example.com' })).denial?.code).toBe('route_not_found')
    expect(asked).toEqual(['.b.example.com', '.example.com', '.com'])
  })

  it('lets a route exist in order to refuse', () => {
    expect(matched([entry('/auth/**', { deny: 'route_not_found' }), entry('/**')], { path: '/auth/v1/admin' })).toBe('route_not_found')
  })

  describe('with a query constraint', () => {
    const entries = [entry('/token', { id: 'grant', query: new Map([['grant_type', new Set(['password', 'refresh_token'])]]) }), entry('/**', { deny: 'route_not_found' })]
    it.each([
      ['grant_type=password', 'grant'],
      ['a=b&grant_type=refresh_token', 'grant'],
      ['grant%5Ftype=password', 'grant'],
      ['grant_type=web3', 'route_not_found'],
      ['', 'route_not_found'],
      ['x=1&X=2&grant_types=web3&grant_type=password', 'grant'],
      ['grant_type=password&grant_type=web3', 'request_ambiguous'],
      ['grant_type=web3&grant_type=password', 'request_ambiguous'],
      ['grant_type=password&grant%5Ftype=web3', 'request_ambiguous'],
      ['grant_type=password;grant_type=web3', 'request_ambiguous'],
      ['x=1;grant_type=web3&grant_type=password', 'request_ambiguous'],
      ['GRANT_TYPE=password', 'request_ambiguous'],
      ['grant_type=password&Grant_Type=web3', 'request_ambiguous'],
      ['grant.type=web3&grant_type=password', 'request_ambiguous'],
      ['grant%20type=web3', 'request_ambiguous'],
      ['grant_type[]=web3&grant_type=password', 'request_ambiguous'],
      ['grant_type%5Bx%5D=web3', 'request_ambiguous'],
      ['+grant_type=web3', 'request_ambiguous'],
    ])('?%s is governed by %s', (query, id) => {
      expect(matched(entries, { path: '/token', query })).toBe(id)
    })
  })
})

describe('a query that readers take for different things', () => {
  const entries = [entry('/token', { id: 'strict', query: new Map([['grant_type', new Set(['password'])]]) }), entry('/token', { id: 'lax' })]
  it.each([
    ['grant_type=password', 'strict'], ['grant_type=web3', 'lax'], ['', 'lax'],
    ['grant_type=web3&grant_type=password', 'request_ambiguous'], ['Grant_Type=password', 'request_ambiguous'], ['a=1;grant_type=password', 'request_ambiguous'],
  ])('?%s is governed by %s, never by a laxer route than the one it may be meant for', (query, id) => {
    expect(matched(entries, { path: '/token', query })).toBe(id)
  })

  it('and is nobody\'s business where no route looks at it', () => {
    expect(matched([entry('/**', { id: 'any' })], { path: '/x', query: 'a=1&A=2;a=3' })).toBe('any')
  })
})

describe('createRouteTable', () => {
  it.each([
    ['the same pattern twice', entry('/a'), entry('/a')],
    ['parameters that differ only in name', entry('/a/{x}'), entry('/a/{y}')],
    ['overlapping methods', entry('/a', { methods: new Set(['GET', 'POST']) }), entry('/a', { methods: new Set(['POST']) })],
    ['different query parameters', entry('/a', { query: new Map([['x', new Set(['1'])]]) }), entry('/a', { query: new Map([['y', new Set(['1'])]]) })],
  ])('names a conflict: %s', (_title, a, b) => {
    expect(createRouteTable([a, b]).conflicts).toHaveLength(1)
  })

  it.each([
    ['disjoint methods', entry('/a', { methods: new Set(['GET']) }), entry('/a', { methods: new Set(['POST']) })],
    ['one method and any', entry('/a', { methods: new Set(['GET']) }), entry('/a')],
    ['disjoint values of one parameter', entry('/a', { query: new Map([['x', new Set(['1'])]]) }), entry('/a', { query: new Map([['x', new Set(['2'])]]) })],
    ['different hosts', entry('/a', { host: 'a.example' }), entry('/a')],
    ['literal and parameter', entry('/a/b'), entry('/a/{x}')],
  ])('sees none in %s', (_title, a, b) => {
    expect(createRouteTable([a, b]).conflicts).toHaveLength(0)
  })
})
