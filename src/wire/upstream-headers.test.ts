import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { wireSettings } from '../../test/support/wire-settings.ts'
import { isDenial } from '../model/denial.ts'
import { NO_MUTATION } from '../model/mutation.ts'
import { foldedName } from './headers.ts'
import { describe as describeRequest } from './incoming.ts'
import { traceIdOf } from './trace.ts'
import { type UpstreamHeadersInput, upstreamHeaders } from './upstream-headers.ts'

const NO_ROUTE_HEADERS = { set: [], remove: [] } as const
const VERIFIED = { ...NO_MUTATION, set: [['X-User-Id', 'verified']] } as const

type Over = Partial<Omit<UpstreamHeadersInput, 'request' | 'rawHeaders'>> & { readonly peer?: string; readonly encrypted?: boolean; readonly host?: string; readonly onStripped?: (name: string) => void }

/** The list for a request with these lines, after `describe` accepted it. */
function sent(lines: readonly string[], { peer = '203.0.113.9', encrypted = false, host = 'api.test', onStripped, ...over }: Over = {}): string[] {
  const wire = over.wire ?? wireSettings()
  const rawHeaders = ['Host', host, ...lines]
  const request = describeRequest({ method: 'GET', url: '/x', httpVersion: '1.1', rawHeaders }, { wire, peer, encrypted, now: 0, upgrade: over.upgrade ?? false, maxHeaders: 500 })
  if (isDenial(request)) throw new Error(`refused: ${JSON.stringify(request)}`)
  const { flat, stripped } = upstreamHeaders({ request, rawHeaders, wire, mutation: NO_MUTATION, routeHeaders: NO_ROUTE_HEADERS, upstreamHost: host, framing: { kind: 'none' }, ...over })
  for (const name of stripped) onStripped?.(name)
  return flat
}

const pairs = (list: readonly string[]): [string, string][] => list.flatMap((name, index) => (index % 2 === 0 ? [[name, list[index + 1]!]] : []))
const valuesOf = (list: readonly string[], folded: string): string[] => pairs(list).filter(([name]) => foldedName(name) === folded).map(([, value]) => value)

describe('what the upstream sees', () => {
  it('is Host, the client\'s lines byte for byte, what was verified, the route\'s and the identity last', () => {
    const list = sent(['Accept', 'a', 'X-Custom', 'caf\u00e9', 'accept', 'b', 'User-Agent', 'x'], {
      mutation: VERIFIED, routeHeaders: { set: [['apikey', 'k']], remove: [] }, framing: { kind: 'length', length: 5 }, upstreamHost: 'inner:3000',
    })
    expect(pairs(list).map(([name, value]) => (name === 'X-Request-Id' ? name : `${name}: ${value}`))).toEqual([
      'Host: inner:3000', 'Accept: a', 'X-Custom: caf\u00e9', 'accept: b', 'User-Agent: x', 'Content-Length: 5',
      'X-Forwarded-For: 203.0.113.9', 'X-Forwarded-Proto: http', 'X-Forwarded-Host: api.test', 'Forwarded: for=203.0.113.9;host=api.test;proto=http', 'X-Request-Id',
      'apikey: k', 'X-User-Id: verified',
    ])
  })
})

describe('a claimed identity header', () => {
  const SPELLINGS = ['X-User-Id', 'X_User_Id', 'X.User.Id', 'X-User_Id', 'x-USER-id', 'x_user.id', 'X~User~Id']

  it.each(SPELLINGS)('%s is gone, with and without a verified one, and its removal is told', (name) => {
    for (const mutation of [NO_MUTATION, VERIFIED]) {
      const stripped: string[] = []
      const list = sent([name, 'ATTACKER', 'X-User-Id', 'ATTACKER'], { mutation, onStripped: (header) => stripped.push(header) })
      expect(valuesOf(list, 'x-user-id')).toEqual(mutation === VERIFIED ? ['verified'] : [])
      expect(stripped).toEqual(['x-user-id', 'x-user-id'])
    }
  })

  it.each([['Expect', '100-continue'], ['Expect', 'y 100-continue'], ['Upgrade', 'websocket'], ['Connection', 'close']])('is gone beside %s: %s (T4)', (name, value) => {
    expect(valuesOf(sent(['X-User-Id', 'ATTACKER', name, value], { mutation: VERIFIED }), 'x-user-id')).toEqual(['verified'])
  })

  it('is written once, whatever a route or two mutators set', () => {
    const mutation = { ...NO_MUTATION, set: [['X-User-Id', 'first'], ['x_user_id', 'second']] } as const
    const list = sent([], { mutation, routeHeaders: { set: [['X-User-Id', 'route'], ['X_User_Id', 'route']], remove: [] } })
    expect(valuesOf(list, 'x-user-id')).toEqual(['second'])
    expect(list.slice(-2)).toEqual(['x_user_id', 'second'])
    expect(valuesOf(sent([], { routeHeaders: { set: [['X-User-Id', 'route']], remove: [] } }), 'x-user-id')).toEqual([])
  })
})

describe('fields of one hop', () => {
  it.each([
    ['Connection', 'close'], ['Keep-Alive', 'timeout=5'], ['Proxy-Connection', 'keep-alive'], ['Proxy-Authorization', 'Basic x'], ['Proxy_Authorization', 'Basic x'], ['Proxy', 'http://evil'], ['TE', 'trailers'],
    ['Trailer', 'X-User-Id'], ['Upgrade', 'h2c'], ['HTTP2-Settings', 'AAMAAABkAARAAAAAAAIAAAAA'], ['Expect', '100-continue'], ['Content_Length', '5'], ['Transfer_Encoding', 'chunked'], ['Sec-WebSocket-Key', 'x'],
    ['X-HTTP-Method-Override', 'DELETE'], ['X-Original-URL', '/admin'], ['X-Middleware-Subrequest', 'middleware'], ['X-Accel-Redirect', '/x'], ['CF-Connecting-IP', '1.1.1.1'],
  ])('%s never passes', (name, value) => {
    expect(valuesOf(sent([name, value]), foldedName(name))).toEqual([])
  })

  it('and those that Connection names, in every spelling', () => {
    const list = sent(['Connection', 'close, X-Custom', 'connection', 'X-Other', 'X-Custom', '1', 'x_custom', '2', 'X-Other', '3', 'X-Third', '4'])
    expect(valuesOf(list, 'x-custom')).toEqual([])
    expect(valuesOf(list, 'x-other')).toEqual([])
    expect(valuesOf(list, 'x-third')).toEqual(['4'])
    expect(valuesOf(list, 'connection')).toEqual([])
  })
})

describe('framing', () => {
  it.each([
    [{ kind: 'none' } as const, [], []],
    [{ kind: 'length', length: 0 } as const, ['0'], []],
    [{ kind: 'length', length: 5 } as const, ['5'], []],
    [{ kind: 'chunked' } as const, [], ['chunked']],
  ])('%j is ours alone', (framing, length, coding) => {
    for (const lines of [[], ['Content-Length', '77'], ['Transfer-Encoding', 'chunked']]) {
      const list = sent(lines, { framing })
      expect(valuesOf(list, 'content-length')).toEqual(length)
      expect(valuesOf(list, 'transfer-encoding')).toEqual(coding)
    }
  })

  it('and Host are nothing that a route or a mutator can write', () => {
    const set = [['Host', 'evil'], ['Content-Length', '9'], ['Transfer-Encoding', 'chunked'], ['Connection', 'x'], ['Upgrade', 'h2c'], ['Expect', 'x']] as const
    for (const over of [{ mutation: { ...NO_MUTATION, set } }, { routeHeaders: { set, remove: ['Host'] } }]) {
      const list = sent([], { ...over, framing: { kind: 'length', length: 5 } })
      expect(valuesOf(list, 'host')).toEqual(['api.test'])
      expect(valuesOf(list, 'content-length')).toEqual(['5'])
      for (const name of ['transfer-encoding', 'connection', 'upgrade', 'expect']) expect(valuesOf(list, name)).toEqual([])
    }
  })

  it('of an upgrade is the handshake', () => {
    const lines = ['Connection', 'keep-alive, Upgrade', 'Upgrade', 'WebSocket', 'Sec-WebSocket-Version', '13', 'Sec-WebSocket-Key', 'dGhlIHNhbXBsZSBub25jZQ==', 'Sec-WebSocket-Protocol', 'a, b', 'Sec-WebSocket-Extensions', 'permessage-deflate']
    const list = sent(lines, { upgrade: true })
    expect(valuesOf(list, 'connection')).toEqual(['Upgrade'])
    expect(valuesOf(list, 'upgrade')).toEqual(['websocket'])
    expect(pairs(list).filter(([name]) => name.startsWith('Sec-'))).toEqual(pairs(lines).slice(2))
    expect(valuesOf(list, 'content-length')).toEqual([])
  })
})

describe('forwarding fields', () => {
  it('replace what the client said and are never appended to it (T25)', () => {
    const list = sent(['X-Forwarded-For', '10.0.0.1', 'x-forwarded-for', '1.1.1.1', 'X_Forwarded_For', '2.2.2.2', 'X-Forwarded-Proto', 'https', 'X-Forwarded-Host', 'evil', 'X-Forwarded-Prefix', '/admin', 'X-Real-IP', '1.1.1.1', 'Forwarded', 'for=1.1.1.1'])
    expect(valuesOf(list, 'x-forwarded-for')).toEqual(['203.0.113.9'])
    expect(valuesOf(list, 'x-forwarded-proto')).toEqual(['http'])
    expect(valuesOf(list, 'x-forwarded-host')).toEqual(['api.test'])
    expect(valuesOf(list, 'forwarded')).toEqual(['for=203.0.113.9;host=api.test;proto=http'])
    expect(valuesOf(list, 'x-forwarded-prefix')).toEqual([])
    expect(valuesOf(list, 'x-real-ip')).toEqual([])
  })

  it('name the client behind trusted proxies', () => {
    const wire = wireSettings({ trustedProxies: ['10.0.0.0/8'] })
    const list = sent(['X-Forwarded-For', '1.1.1.1, 198.51.100.7', 'X-Forwarded-Proto', 'https', 'X-Forwarded-Host', 'public.example:8443'], { wire, peer: '10.0.0.5' })
    expect(valuesOf(list, 'x-forwarded-for')).toEqual(['198.51.100.7'])
    expect(valuesOf(list, 'forwarded')).toEqual(['for=198.51.100.7;host="public.example:8443";proto=https'])
  })

  it('quote IPv6 and say unknown where there is no address', () => {
    expect(valuesOf(sent([], { peer: '2001:db8::1' }), 'forwarded')).toEqual(['for="[2001:db8:0:0:0:0:0:1]";host=api.test;proto=http'])
    expect(valuesOf(sent([], { peer: 'unix' }), 'x-forwarded-for')).toEqual(['unknown'])
    expect(valuesOf(sent([], { host: '[::1]:80' }), 'forwarded')).toEqual(['for=203.0.113.9;host="[::1]:80";proto=http'])
  })

  it('Via follows the client\'s when configured and is not there otherwise', () => {
    expect(valuesOf(sent(['Via', '1.0 edge'], { wire: wireSettings({ via: true }) }), 'via')).toEqual(['1.0 edge', '1.1 postern'])
    expect(valuesOf(sent(['Via', '1.0 edge']), 'via')).toEqual(['1.0 edge'])
  })
})

describe('request id and trace', () => {
  const VALID = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01'

  it('the id is the description\'s, once', () => {
    const [id, ...more] = valuesOf(sent(['X-Request-Id', 'forged', 'X_Request_Id', 'forged']), 'x-request-id')
    expect(id).toMatch(/^[0-9a-f-]{36}$/)
    expect(more).toEqual([])
  })

  it('a valid trace passes unchanged with its state', () => {
    const list = sent(['traceparent', VALID, 'tracestate', 'a=b'], { wire: wireSettings({ tracing: true }) })
    expect(valuesOf(list, 'traceparent')).toEqual([VALID])
    expect(valuesOf(list, 'tracestate')).toEqual(['a=b'])
  })

  it('an invalid one is replaced and its state dropped', () => {
    const list = sent(['traceparent', 'nonsense', 'tracestate', 'a=b'], { wire: wireSettings({ tracing: true }) })
    expect(valuesOf(list, 'traceparent')).toHaveLength(1)
    expect(traceIdOf(valuesOf(list, 'traceparent')[0])).toBeDefined()
    expect(valuesOf(list, 'tracestate')).toEqual([])
    expect(valuesOf(sent(['traceparent', 'nonsense']), 'traceparent')).toEqual([])
  })
})

describe('credentials', () => {
  it('that mutators remove are gone, in every spelling, and the route\'s own of that name stays', () => {
    const mutation = { ...NO_MUTATION, remove: ['authorization', 'x-api-key'] }
    const list = sent(['Authorization', 'Bearer a', 'X-Api-Key', 'k', 'X-Other', 'x'], { mutation, routeHeaders: { set: [['Authorization', 'Basic service']], remove: [] } })
    expect(valuesOf(list, 'authorization')).toEqual(['Basic service'])
    expect(valuesOf(list, 'x-api-key')).toEqual([])
    expect(valuesOf(list, 'x-other')).toEqual(['x'])
  })

  it('stay when nobody removes them', () => {
    expect(valuesOf(sent(['Authorization', 'Bearer a']), 'authorization')).toEqual(['Bearer a'])
  })

  it('in cookies are taken out alone', () => {
    const mutation = { ...NO_MUTATION, removeCookies: ['session', 'session.0'] }
    expect(valuesOf(sent(['Cookie', 'a=1; session=s; b="2"', 'Cookie', 'session.0=x'], { mutation }), 'cookie')).toEqual(['a=1; b="2"'])
  })
})

describe('a route\'s headers', () => {
  it('replace the client\'s and ours of the same name', () => {
    const list = sent(['X-Env', 'client', 'x_env', 'client'], { routeHeaders: { set: [['X-Env', 'prod'], ['X-Forwarded-Host', 'fixed.example']], remove: [] } })
    expect(valuesOf(list, 'x-env')).toEqual(['prod'])
    expect(valuesOf(list, 'x-forwarded-host')).toEqual(['fixed.example'])
  })

  it('give way to a mutator that sets the same name', () => {
    const mutation = { ...NO_MUTATION, set: [['X-Tier', 'gold']] } as const
    expect(valuesOf(sent([], { mutation, routeHeaders: { set: [['x_tier', 'route']], remove: [] } }), 'x-tier')).toEqual(['gold'])
  })

  it('remove the client\'s and ours', () => {
    const list = sent(['X-Env', 'client', 'X_Env', 'client'], { routeHeaders: { set: [], remove: ['X-Env', 'Forwarded', 'Host'] } })
    expect(valuesOf(list, 'x-env')).toEqual([])
    expect(valuesOf(list, 'forwarded')).toEqual([])
    expect(valuesOf(list, 'host')).toEqual(['api.test'])
  })

  it('are compiled per config: another set of identity headers is obeyed', () => {
    const routeHeaders = { set: [['X-Account', 'route']], remove: [] } as const
    expect(valuesOf(sent([], { routeHeaders }), 'x-account')).toEqual(['route'])
    expect(valuesOf(sent([], { routeHeaders, wire: wireSettings({ identity: ['X-Account'] }) }), 'x-account')).toEqual([])
  })
})

describe('upstreamHeaders on anything that describe accepts', () => {
  const names = fc.oneof(
    fc.constantFrom('X-User-Id', 'X_USER_ID', 'x.user-id', 'X-Forwarded-For', 'Connection', 'Cookie', 'Content-Length', 'Transfer-Encoding', 'Expect', 'Authorization', 'traceparent', 'Accept', 'X-Custom', '__proto__'),
    fc.stringMatching(/^[A-Za-z0-9_.~-]{1,12}$/),
  )
  const values = fc.oneof(fc.constantFrom('5', 'chunked', 'close, x-custom', 'a=1; b=2', 'ATTACKER'), fc.stringMatching(/^[\x21-\x7e]{0,12}$/))

  it('one Host, one framing, one identity that is ours; every other line is one that the client sent', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(names, values), { maxLength: 10 }), (lines) => {
        let list: string[]
        try {
          list = sent(lines.flat(), { mutation: VERIFIED, framing: { kind: 'length', length: 5 } })
        } catch (error) {
          if (error instanceof Error && error.message.startsWith('refused')) return
          throw error
        }
        expect(valuesOf(list, 'host')).toEqual(['api.test'])
        expect(valuesOf(list, 'content-length')).toEqual(['5'])
        expect(valuesOf(list, 'transfer-encoding')).toEqual([])
        expect(valuesOf(list, 'x-user-id')).toEqual(['verified'])
        expect(valuesOf(list, 'x-forwarded-for')).toEqual(['203.0.113.9'])
        const ours = new Set(['Host', 'Content-Length', 'X-Forwarded-For', 'X-Forwarded-Proto', 'X-Forwarded-Host', 'Forwarded', 'X-Request-Id', 'X-User-Id'])
        for (const pair of pairs(list)) if (!ours.has(pair[0])) expect(lines).toContainEqual(pair)
      }),
      { numRuns: 2_000 },
    )
  })
})
